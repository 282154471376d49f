// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/default_action.h"

namespace sluice::inspect {

std::optional<DefaultAction> find_default_action(std::string_view name) {
  if (name == "pass") return DefaultAction::kPass;
  if (name == "drop") return DefaultAction::kDrop;
  if (name == "drop-established") return DefaultAction::kDropEstablished;
  return std::nullopt;
}

bool is_undecided(const Current& current) {
  if (!current.view.is_tcp()) return false;
  const FlowUser& user = current.flow.user;
  if (user.encrypted || user.request_known) return false;
  if (current.flow.bytes[0] + current.flow.bytes[1] > kUndecidedBytesMax) return false;
  return !user.app || !user.app->finished();  // or no bytes yet that are in order
}

}  // namespace sluice::inspect
