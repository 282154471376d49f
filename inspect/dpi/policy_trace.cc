// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy_trace.h"

#include <array>

#include "inspect/dpi/names.h"
#include "inspect/dpi/policy_conditions.h"
#include "inspect/eve/event.h"

namespace sluice::inspect {

namespace {

std::string name_at(const std::vector<std::string>& names, size_t number) {
  return number < names.size() && !names[number].empty() ? names[number]
                                                         : "number " + std::to_string(number);
}

std::string known(const std::string& text) { return text.empty() ? "unknown" : "'" + text + "'"; }

}  // namespace

std::string Policy::Trace::value_of(std::string_view condition) const {
  const Findings& findings = facts_.findings;
  if (condition == "client") return address_text(facts_.client.words, facts_.client.version);
  if (condition == "endpoint") return std::to_string(facts_.endpoint_id);
  if (condition == "application") return application_text(facts_.application, names_);
  if (condition == "category") return name_at(names_.categories, facts_.application.category);
  if (condition == "score") return std::to_string(findings.risk_score);
  if (condition == "host") return known(findings.host);
  if (condition == "ja3") return known(findings.ja3_client);
  if (condition == "ja4") return known(findings.ja4);
  if (condition == "risk" && findings.risks != 0) return "another";
  if (condition == "risk") return "none";
  return "not now";  // schedule
}

void Policy::Trace::rule(const PolicyRule& rule, MatchState state, bool host_found) {
  std::string why;
  each_condition(rule.match, facts_, host_found, [&](std::string_view name, MatchState condition) {
    if (condition == MatchState::kYes) return;
    why += why.empty() ? "" : "; ";
    why += std::string(name) + " is " + value_of(name);
    if (condition == MatchState::kLater) why += " so far";
    if (condition == MatchState::kNow) why += ", which may change";
  });
  if (why.empty()) why = "all its conditions hold";
  steps_.push_back({rule.text, state, std::move(why)});
}

void Policy::Trace::applications(const PolicyRule* found, size_t count) {
  const std::string is = "application is " + application_text(facts_.application, names_);
  if (found != nullptr) return steps_.push_back({found->text, MatchState::kYes, is});
  if (count == 0) return;
  steps_.push_back({"applications", facts_.final ? MatchState::kNo : MatchState::kLater,
                    "none of " + std::to_string(count) + ": " + is});
}

void Policy::Trace::categories(const PolicyRule* found, size_t count) {
  const std::string is = "category is " + name_at(names_.categories, facts_.application.category);
  if (found != nullptr)
    return steps_.push_back({found->text, facts_.final ? MatchState::kYes : MatchState::kNow, is});
  if (count == 0) return;
  steps_.push_back({"categories", facts_.final ? MatchState::kNo : MatchState::kLater,
                    "none of " + std::to_string(count) + ": " + is});
}

void Policy::Trace::fallback(const PolicyRule& rule) {
  steps_.push_back({rule.text, MatchState::kYes, "nothing else matches"});
}

void Policy::Trace::undecided(const PolicyRule& blocking) {
  steps_.push_back({"undecided", MatchState::kYes,
                    blocking.text + " would block, but what is learned later may end that"});
}

}  // namespace sluice::inspect
