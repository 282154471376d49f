// SPDX-License-Identifier: Apache-2.0
// Where would this packet go, and why: asked of the same functions and tables that the packet path
// uses, without changing anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "gateway/control/reconciler.h"
#include "gateway/datapath/host.h"

namespace sluice::gateway {

struct ExplainQuestion {
  uint8_t protocol = 6;
  IpAddress source, destination;
  uint16_t source_port = 0, destination_port = 0;  // host order; 0 for protocols without
  bool from_inside = false;
  std::string attachment;  // may be empty when there is only one
};

struct Explanation {
  std::string attachment;
  std::string rule;  // of the policy; empty: the listener decides
  std::string target_group;
  std::string mirror_group;     // that gets copies; empty: none
  uint64_t hash = 0;            // of the five-tuple
  std::optional<uint32_t> row;  // within the group's table; not for a flow that exists
  bool flow_exists = false;
  bool unrecorded = false;            // it is known, but has no record
  std::optional<uint16_t> appliance;  // index of its target; none: dropped
  std::optional<uint16_t> listener;   // the NLB listener at the destination
  std::optional<uint16_t> backend;    // index of the NLB target
  tunnels::DropReason drop = tunnels::kDropNone;
  std::vector<std::string> story;  // one sentence per step
};

Result<Explanation> explain(const Tables& tables, const Config& config, const Reconciler& names,
                            uint64_t now_ms, const ExplainQuestion& question);

}  // namespace sluice::gateway
