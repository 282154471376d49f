// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/action.h"

#include <algorithm>
#include <string>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kNames[kActions] = {"pass", "drop", "reject", "alert"};

}  // namespace

size_t RuleOrder::rank(Action action) const {
  if (strict) return 0;
  return static_cast<size_t>(std::ranges::find(actions, action) - actions.begin());
}

Result<Action> find_action(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == std::end(kNames))
    return fail("'" + std::string(name) + "' is none of pass, drop, reject, alert");
  return static_cast<Action>(found - std::begin(kNames));
}

Result<RuleOrder> parse_rule_order(std::string_view text) {
  RuleOrder order;
  order.strict = text == "strict";
  if (order.strict || text == "action") return order;
  const auto parts = comma_parts(text);
  if (parts.size() != kActions)
    return fail("the order is action, strict, or each of pass, drop, reject, alert once");
  for (size_t i = 0; i < kActions; i++) {
    SLUICE_TRY(order.actions[i], find_action(parts[i]));
    if (std::find(order.actions.begin(), order.actions.begin() + static_cast<long>(i),
                  order.actions[i]) != order.actions.begin() + static_cast<long>(i))
      return fail("'" + std::string(parts[i]) + "' stands twice in the order");
  }
  return order;
}

}  // namespace sluice::inspect
