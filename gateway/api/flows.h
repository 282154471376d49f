// SPDX-License-Identifier: Apache-2.0
// Flow records and counters as JSON, read from the tables while the packet path writes them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gateway/control/address.h"
#include "gateway/datapath/host.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class Controller;

struct FlowFilter {
  std::optional<IpAddress> address;  // of either end
  uint16_t port = 0;                 // of either end; 0 for any
  std::optional<uint8_t> protocol;
  std::optional<IpAddress> target;  // the appliance
  bool all = false;                 // also those that have idled out
  uint64_t limit = 100;
};

// {"flows": [...], "matched": N}: the first `limit` of those that match.
nlohmann::json describe_flows(const Controller& controller, const FlowFilter& filter);

// {"rules": [...]}: the rules of the policy in their order, with what they have counted.
nlohmann::json describe_policy(const Controller& controller);

const char* verdict_name(Verdict verdict);  // "drop"

// {"verdicts": {...}, "events": {...}, "drops": {...}}: every one by name, zero or not.
nlohmann::json describe_counters(const Tables& tables);

}  // namespace sluice::gateway
