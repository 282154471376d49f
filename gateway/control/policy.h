// SPDX-License-Identifier: Apache-2.0
// The policy: an ordered list of rules about flows. The first rule that fits a flow when it begins
// says whether it is inspected, and by whom; a flow that no rule fits goes where its load
// balancer's listener says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/address.h"
#include "gateway/control/rule_parts.h"

namespace sluice::gateway {

inline constexpr size_t kPolicyRulesMax = 64;
inline constexpr size_t kPolicyListMax = 64;  // prefixes, ports or attachments of one rule

enum class PolicyDecision { kForward, kBypass, kDrop };

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 65535;
  bool operator==(const PortRange&) const = default;
};

// Who else gets the flow's packets, as copies; what comes back of them is never delivered.
struct MirrorAction {
  std::string target_group;
  bool compared = false;  // `shadow`: it is compared with what the flow's own targets return
  bool operator==(const MirrorAction&) const = default;
};

// Source and destination are those of the packet that opens the flow. A list that is empty asks
// nothing.
struct PolicyRule {
  std::string name;  // unique
  std::vector<std::string> attachments;
  std::vector<Prefix> sources;
  std::vector<Prefix> destinations;
  std::optional<uint8_t> protocol;
  std::vector<PortRange> ports;  // of the destination; TCP and UDP only
  uint8_t percentage = 100;      // of the flows that fit, chosen by their hash
  PolicyDecision decision = PolicyDecision::kForward;
  // kForward: where the flow's packets go, one after another; each is shared out by weight.
  std::vector<Action> hops;
  std::optional<MirrorAction> mirror;  // the last action; beside kForward or kBypass
  bool operator==(const PolicyRule&) const = default;
};

// Entries of the packet path's table that a rule takes: combinations of its lists that can be.
size_t policy_entries_of(const PolicyRule& rule);

}  // namespace sluice::gateway
