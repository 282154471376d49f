// SPDX-License-Identifier: Apache-2.0
// Conditions about what the headers of a packet say.
#pragma once

#include <utility>

#include "inspect/rules/condition.h"

namespace sluice::inspect {

// `Test` takes the context in which the rule is asked.
template <class Test>
class PacketCondition : public Condition {
 public:
  explicit PacketCondition(Test test) : test_(std::move(test)) {}
  bool holds(const RuleContext& context) const override { return test_(context); }
  bool about_packet() const override { return true; }

 private:
  const Test test_;
};

inline bool is_v4(const PacketView& view) { return view.packet.tuple.version == 4; }

}  // namespace sluice::inspect
