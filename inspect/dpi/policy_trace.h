// SPDX-License-Identifier: Apache-2.0
// The steps of a decision as sentences.
#pragma once

#include <string>
#include <vector>

#include "inspect/dpi/policy.h"

namespace sluice::inspect {

class Policy::Trace {
 public:
  Trace(const PolicyFacts& facts, const DpiNames& names) : facts_(facts), names_(names) {}

  void rule(const PolicyRule& rule, MatchState state, bool host_found);
  // nullptr: none of the `count` entries.
  void applications(const PolicyRule* found, size_t count);
  void categories(const PolicyRule* found, size_t count);
  void fallback(const PolicyRule& rule);
  // The last step before would block, and has to wait.
  void undecided(const PolicyRule& blocking);

  std::vector<PolicyStep> take() { return std::move(steps_); }

 private:
  std::string value_of(std::string_view condition) const;

  const PolicyFacts& facts_;
  const DpiNames& names_;
  std::vector<PolicyStep> steps_;
};

}  // namespace sluice::inspect
