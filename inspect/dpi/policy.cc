// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy.h"

#include "inspect/dpi/policy_conditions.h"
#include "inspect/dpi/policy_trace.h"

namespace sluice::inspect {

namespace {

const PolicyRule kUndecided{"undecided", 0, {}, {}};

}  // namespace

std::string_view policy_action_name(PolicyAction action) {
  constexpr std::string_view kNames[] = {"allow", "drop", "reject", "limit",
                                         "quota", "mark", "steer"};
  return kNames[static_cast<size_t>(action)];
}

Policy::Policy() : fallback_{"fallback", 0, {}, {}} {}

const PolicyRule* Policy::find_application(const Application& application) const {
  for (const uint32_t name : names_of(application)) {
    const auto rule = name == 0 ? applications_.end() : applications_.find(name);
    if (rule != applications_.end()) return &rule->second;
  }
  return nullptr;
}

const PolicyRule* Policy::decide_by_rules(const PolicyFacts& facts, Outlook& outlook,
                                          Trace* trace) const {
  const HostSets hosts = hosts_.find(facts.findings.host);
  for (size_t i = 0; i < rules_.size(); i++) {
    const PolicyRule& rule = rules_[i];
    const MatchState state = state_of(rule.match, facts, hosts[i]);
    if (trace != nullptr) trace->rule(rule, state, hosts[i]);
    if (state == MatchState::kNo) continue;
    if (state == MatchState::kYes) return &rule;
    outlook.may_change = true;
    if (state == MatchState::kLater) outlook.may_pass |= !rule.action.blocks();
    if (state == MatchState::kNow) {
      outlook.may_pass = true;
      return &rule;
    }
  }
  return nullptr;
}

const PolicyRule& Policy::decide_by_names(const PolicyFacts& facts, Outlook& outlook,
                                          Trace* trace) const {
  const bool open = !facts.final && (!applications_.empty() || !categories_.empty());
  outlook.may_change |= open;
  const PolicyRule* rule = find_application(facts.application);
  if (trace != nullptr) trace->applications(rule, applications_.size());
  outlook.may_pass |= open && application_may_pass_;
  if (rule != nullptr) return *rule;

  const auto category = categories_.find(facts.application.category);
  rule = category != categories_.end() ? &category->second : nullptr;
  if (trace != nullptr) trace->categories(rule, categories_.size());
  outlook.may_pass |= open && category_may_pass_;
  if (rule == nullptr) {
    if (trace != nullptr) trace->fallback(fallback_);
    return fallback_;
  }
  outlook.may_pass |= open && !fallback_.action.blocks();
  return *rule;
}

PolicyDecision Policy::walk(const PolicyFacts& facts, Trace* trace) const {
  Outlook outlook;
  const PolicyRule* rule = decide_by_rules(facts, outlook, trace);
  if (rule == nullptr) rule = &decide_by_names(facts, outlook, trace);
  if (!rule->action.blocks()) return {rule, !outlook.may_change};
  if (!outlook.may_pass) return {rule, true};
  if (trace != nullptr) trace->undecided(*rule);
  return {&kUndecided, false};
}

PolicyDecision Policy::decide(const PolicyFacts& facts) const { return walk(facts, nullptr); }

std::vector<PolicyStep> Policy::explain(const PolicyFacts& facts, const DpiNames& names) const {
  Trace trace(facts, names);
  walk(facts, &trace);
  return trace.take();
}

uint64_t Policy::schedules_at(const CivilMinute& now) const {
  uint64_t active = 0;
  for (size_t i = 0; i < schedules_.size(); i++)
    if (schedules_[i].active(now)) active |= uint64_t{1} << i;
  return active;
}

}  // namespace sluice::inspect
