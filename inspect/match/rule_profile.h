// SPDX-License-Identifier: Apache-2.0
// What each rule costs to try, in the matcher's units: searches, and blocks of 64 bytes searched.
// With the same packets it is the same every time, on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::inspect {

struct RuleCost {
  uint64_t tries = 0;  // after Hyperscan named it, or each time if it has no content to search for
  uint64_t matches = 0;
  uint64_t cost = 0;
};

class RuleProfile {
 public:
  explicit RuleProfile(size_t rules) : costs_(rules) {}

  void add(uint32_t rule, uint32_t cost, bool matched) {
    RuleCost& of = costs_[rule];
    of.tries++;
    of.cost += cost;
    of.matches += matched ? 1 : 0;
  }
  // By the rule's number in its engine.
  const std::vector<RuleCost>& costs() const { return costs_; }

 private:
  std::vector<RuleCost> costs_;
};

}  // namespace sluice::inspect
