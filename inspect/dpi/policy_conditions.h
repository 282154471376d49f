// SPDX-License-Identifier: Apache-2.0
// The conditions of a rule, one by one: for the decision and for its explanation.
#pragma once

#include <algorithm>
#include <array>

#include "inspect/dpi/policy.h"

namespace sluice::inspect {

// The names under which a policy may mention an application, the most telling first; 0 is none.
inline std::array<uint32_t, 3> names_of(const Application& application) {
  return {Policy::key(application.master, application.application),
          Policy::key(0, application.application), Policy::key(0, application.master)};
}

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Calls visit(name, state) for each condition that is set. `host_found`: one of its patterns
// matches the flow's host. What is known for good at the first packet comes first.
template <class Visit>
void each_condition(const PolicyMatch& match, const PolicyFacts& facts, bool host_found,
                    const Visit& visit) {
  const Findings& findings = facts.findings;
  const auto fixed = [](bool holds) { return holds ? MatchState::kYes : MatchState::kNo; };
  const auto growing = [&](bool holds) {
    return holds ? MatchState::kYes : facts.final ? MatchState::kNo : MatchState::kLater;
  };
  // Once a text is there it stays.
  const auto text = [&](bool holds, const std::string& seen) {
    return seen.empty() ? growing(false) : fixed(holds);
  };
  if (!match.clients.empty())
    visit("client", fixed(std::any_of(match.clients.begin(), match.clients.end(),
                                      [&](const Prefix& p) { return p.contains(facts.client); })));
  if (!match.endpoints.empty())
    visit("endpoint", fixed(contains(match.endpoints, facts.endpoint_id)));
  if (match.schedule >= 0) visit("schedule", fixed(facts.schedules >> match.schedule & 1));
  if (!match.applications.empty()) {
    const auto names = names_of(facts.application);
    visit("application", growing(std::any_of(names.begin(), names.end(), [&](uint32_t name) {
            return name != 0 && contains(match.applications, name);
          })));
  }
  if (!match.categories.empty()) {
    const bool holds = contains(match.categories, facts.application.category);
    visit("category", holds && !facts.final ? MatchState::kNow : growing(holds));
  }
  if (match.risks != 0) visit("risk", growing((match.risks & findings.risks) != 0));
  if (match.score != 0) visit("score", growing(findings.risk_score >= match.score));
  if (match.host) visit("host", text(host_found, findings.host));
  if (!match.ja3.empty())
    visit("ja3", text(contains(match.ja3, findings.ja3_client), findings.ja3_client));
  if (!match.ja4.empty()) visit("ja4", text(contains(match.ja4, findings.ja4), findings.ja4));
}

inline MatchState state_of(const PolicyMatch& match, const PolicyFacts& facts, bool host_found) {
  MatchState state = MatchState::kYes;
  each_condition(match, facts, host_found, [&](std::string_view, MatchState condition) {
    state = std::min(state, condition);
  });
  return state;
}

}  // namespace sluice::inspect
