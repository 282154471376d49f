// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy.h"

namespace sluice::inspect {

std::string_view policy_action_name(PolicyAction action) {
  switch (action) {
    case PolicyAction::kAllow:
      return "allow";
    case PolicyAction::kDrop:
      return "drop";
    case PolicyAction::kReject:
      return "reject";
  }
  return "?";
}

const Policy::Rule* Policy::find_application(const Application& application) const {
  for (const uint32_t name : {key(application.master, application.application),
                              key(0, application.application), key(0, application.master)}) {
    if (name == 0) continue;  // unknown
    const auto rule = applications_.find(name);
    if (rule != applications_.end()) return &rule->second;
  }
  return nullptr;
}

PolicyDecision Policy::decide(const Application& application, bool final) const {
  const Rule* rule = find_application(application);
  const bool by_application = rule != nullptr;
  if (!by_application) {
    const auto category = categories_.find(application.category);
    rule = category != categories_.end() ? &category->second : &fallback_;
  }
  const bool may_become_allowed = !final && (!by_application || allows_an_application_);
  if (rule->action != PolicyAction::kAllow && may_become_allowed)
    return {PolicyAction::kAllow, "undecided"};
  return {rule->action, rule->text};
}

}  // namespace sluice::inspect
