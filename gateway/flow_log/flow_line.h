// SPDX-License-Identifier: Apache-2.0
// A flow's report as text: docs/features/flow-log.md has every field.
#pragma once

#include <string>
#include <string_view>

#include "gateway/flow_log/flow_sweep.h"

namespace sluice::gateway {

class Controller;

// What tables and configuration say about a flow besides its record.
struct FlowPlace {
  std::string attachment, endpoint_id;  // "front", "vpce-02b8ee1d4db0c51c4"
  std::string rule;                     // of the policy; empty: the listener decided
  std::string target_group;             // empty when the attachment has none any more
  std::string mirror;                   // the group that gets copies; empty: none
  std::string appliance, backend;       // addresses, " > " between those of a chain; empty: none
  std::string_view why;                 // "hash", "sticky", "rehash", "bypass"
  std::string vpc, subnet, zone, region, account;
};
FlowPlace place_of(const Controller& controller, const flow_record& record);

// "returned", "dropped" or "timed_out".
std::string_view verdict_of(const FlowReport& report);

// What to add to the host's time to have the time since 1970.
using ToUnixMs = int64_t;

// {"time":...,"event":"end",...} and a line feed.
std::string flow_json_line(const FlowReport& report, const FlowPlace& place, ToUnixMs to_unix_ms);

// A line of VPC flow logs, version 5, for each direction that had packets since the last report.
extern const std::string_view kVpcHeader;
std::string flow_vpc_lines(const FlowReport& report, const FlowPlace& place, ToUnixMs to_unix_ms);

}  // namespace sluice::gateway
