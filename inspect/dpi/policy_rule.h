// SPDX-License-Identifier: Apache-2.0
// What one rule of a policy says: when it applies, and what is done then. docs/features/dpi.md
// explains the file that they come from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/header.h"

namespace sluice::inspect {

enum class PolicyAction : uint8_t { kAllow, kDrop, kReject, kLimit, kQuota, kMark, kSteer };

// "allow", "drop" ...
std::string_view policy_action_name(PolicyAction action);

// Whose packets share one budget.
enum class Per : uint8_t { kFlow, kClient, kApplication };

// A token bucket, in bytes of IP packets.
struct Limit {
  uint64_t rate = 0;  // a second
  uint64_t burst = 0;
  Per per = Per::kFlow;
};

// So many bytes a day, counted anew from minute `reset` of the day.
struct Quota {
  uint64_t bytes = 0;
  Per per = Per::kClient;
  int reset = 0;
  PolicyAction then = PolicyAction::kDrop;  // or kReject, or kLimit with `limit`
  Limit limit;
};

struct Treatment {
  PolicyAction kind = PolicyAction::kAllow;
  Limit limit;        // kLimit
  Quota quota;        // kQuota
  uint8_t dscp = 0;   // kMark
  uint16_t hint = 0;  // kSteer

  bool blocks() const { return kind == PolicyAction::kDrop || kind == PolicyAction::kReject; }
};

// Every condition that is set must hold; one that is empty always holds.
struct PolicyMatch {
  std::vector<uint32_t> applications;  // Policy::key
  std::vector<uint16_t> categories;
  uint64_t risks = 0;  // any of these
  uint16_t score = 0;  // at least this
  bool host = false;   // its patterns have the rule's index in the policy's database
  std::vector<std::string> ja3;
  std::vector<std::string> ja4;
  std::vector<Prefix> clients;
  std::vector<uint64_t> endpoints;
  int schedule = -1;  // index; -1: always
};

struct PolicyRule {
  std::string text;       // "rule NAME", "application TLS.YouTube", "category Video", "fallback"
  uint64_t identity = 0;  // the same in every policy that has this rule: limits keep their state
  PolicyMatch match;
  Treatment action;
};

}  // namespace sluice::inspect
