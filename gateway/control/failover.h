// SPDX-License-Identifier: Apache-2.0
// Failover in the reconciler: what health and a group's attributes mean for its rows and for the
// flows of its targets.
#pragma once

#include "gateway/control/attributes.h"
#include "gateway/control/world.h"

namespace sluice::gateway {

enum class GroupHealth {
  kHealthy,  // at least one target gets traffic
  kUnknown,  // none does, but some have not been judged yet
  kLost,     // none does; or there is none
};
GroupHealth group_health(const TargetGroup& group, World& world);

// Who gets the group's new flows. Nobody: packets drop, or pass by, as the group's policy says.
std::vector<Target> new_flows_go_to(const TargetGroup& group, World& world);

// TargetFlags for an unhealthy target of the group.
uint16_t marks_when_unhealthy(const FailoverPolicy& policy, GroupHealth health);
// For one that was deregistered and has drained; 0: its flows stay until they end.
uint16_t marks_when_drained(uint8_t failover);

// FailoverPolicy's part that outlives the group's membership, as the table keeps it.
enum DrainedFailover : uint8_t { kDrainedMoves = 1, kDrainedResets = 2 };
uint8_t drained_failover(const FailoverPolicy& policy);

}  // namespace sluice::gateway
