// SPDX-License-Identifier: Apache-2.0
// What a rule does, and which rule wins.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

enum class Action : uint8_t { kPass, kDrop, kReject, kAlert };
inline constexpr size_t kActions = 4;

// The order in which rules win.
struct RuleOrder {
  // By action, the first one first; then by priority, then as loaded.
  std::array<Action, kActions> actions = {Action::kPass, Action::kDrop, Action::kReject,
                                          Action::kAlert};
  // Whatever the action: by priority, then as loaded.
  bool strict = false;

  size_t rank(Action action) const;
};

// "action" (as above), "strict", or all four actions: "drop,pass,reject,alert".
Result<RuleOrder> parse_rule_order(std::string_view text);

// "pass", "drop", "reject", "alert".
Result<Action> find_action(std::string_view name);

}  // namespace sluice::inspect
