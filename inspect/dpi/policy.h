// SPDX-License-Identifier: Apache-2.0
// What the DPI appliance does with a flow: a YAML file of rules, read whole or refused whole, that
// turns what is known of the flow into a decision. docs/features/dpi.md explains the file.
//
// A policy does not change once it is made; any thread may ask it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspect/dpi/classifier.h"
#include "inspect/dpi/host_patterns.h"
#include "inspect/dpi/policy_rule.h"
#include "inspect/dpi/schedule.h"
#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kPolicyRulesMax = kHostSetsMax;
inline constexpr size_t kPolicyNamesMax = 1000;  // entries of any list
inline constexpr size_t kPolicyNameLengthMax = 64;
inline constexpr size_t kPolicySchedulesMax = 64;
inline constexpr uint64_t kLimitRateMax = 1'000'000'000;  // bytes a second
inline constexpr uint64_t kLimitBurstMin = 1500;
inline constexpr uint64_t kLimitBurstMax = uint64_t{1} << 32;
inline constexpr uint64_t kQuotaBytesMax = uint64_t{1} << 50;
// Of one flow that is held back.
inline constexpr uint32_t kHoldBytesMax = 65536;
inline constexpr uint32_t kHoldMillisecondsMax = 10'000;

// What is known of a flow.
struct PolicyFacts {
  Application application;
  const Findings& findings;
  bool final;  // nothing more will be learned
  Address client;
  uint64_t endpoint_id;
  uint64_t schedules;  // Policy::schedules_at
};

struct PolicyDecision {
  const PolicyRule* rule;  // good as long as the policy is
  bool settled;            // nothing that is learned later can change it

  const Treatment& action() const { return rule->action; }
};

// How a rule stands to a flow. What may still become known may still make it match (kLater); what
// matches now may cease to, because the category changes (kNow).
enum class MatchState : uint8_t { kNo, kLater, kNow, kYes };

// One step on the way to a decision, for people: `why` the rule was passed over or taken.
struct PolicyStep {
  std::string rule;
  MatchState state = MatchState::kNo;
  std::string why;
};

struct HoldOptions {
  uint32_t bytes = 0;  // 0: nothing is held
  uint32_t milliseconds = 0;
};

class Policy {
 public:
  // Allows everything.
  Policy();
  // `file` is what errors call the text; `names` are all that may be mentioned. Every error is
  // reported, one per line: "file:line:column: path: what".
  static Result<Policy> parse(const std::string& text, const std::string& file,
                              const DpiNames& names);
  static Result<Policy> load(const std::string& file, const DpiNames& names);

  // The first of `rules` that matches; else the most telling entry of `applications`: the whole
  // name (TLS.YouTube), the application (YouTube), what carries it (TLS); else the category; else
  // the fallback.
  //
  // While the answer is not final, a rule may block only if nothing that is learned later can lead
  // to one that does not; "undecided", which allows, is the decision until then. An application
  // that was found counts as found for good, a category may change with it.
  PolicyDecision decide(const PolicyFacts& facts) const;
  // The same with its reasons; the last step is the decision.
  std::vector<PolicyStep> explain(const PolicyFacts& facts, const DpiNames& names) const;

  // Bit n: schedule n is active. It changes only with the minute.
  uint64_t schedules_at(const CivilMinute& now) const;
  TimeZone zone() const { return zone_; }
  const HoldOptions& hold() const { return hold_; }
  const PolicyRule& fallback() const { return fallback_; }
  size_t rules() const { return rules_.size(); }

  // Master and application in one number; a name without a dot has master 0.
  static uint32_t key(uint16_t master, uint16_t application) {
    return uint32_t{master} << 16 | application;
  }

 private:
  friend class PolicyReader;
  class Trace;
  // What is learned later may lead to another rule; to one that does not block.
  struct Outlook {
    bool may_change = false;
    bool may_pass = false;
  };
  PolicyDecision walk(const PolicyFacts& facts, Trace* trace) const;
  const PolicyRule* decide_by_rules(const PolicyFacts& facts, Outlook& outlook, Trace* trace) const;
  const PolicyRule& decide_by_names(const PolicyFacts& facts, Outlook& outlook, Trace* trace) const;
  const PolicyRule* find_application(const Application& application) const;

  std::vector<PolicyRule> rules_;
  HostPatterns hosts_;
  std::vector<Schedule> schedules_;
  std::unordered_map<uint32_t, PolicyRule> applications_;
  std::unordered_map<uint16_t, PolicyRule> categories_;
  PolicyRule fallback_;
  HoldOptions hold_;
  TimeZone zone_ = TimeZone::kUtc;
  bool application_may_pass_ = false;  // some entry of applications_ does not block
  bool category_may_pass_ = false;
};

}  // namespace sluice::inspect
