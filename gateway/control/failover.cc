// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/failover.h"

#include "gateway/datapath/tables.h"

namespace sluice::gateway {

GroupHealth group_health(const TargetGroup& group, World& world) {
  bool unknown = false;
  for (const Target& target : group.targets) {
    const HealthState state = world.health({group.name, target}).state;
    if (gets_traffic(state)) return GroupHealth::kHealthy;
    unknown = unknown || state != HealthState::kUnhealthy;
  }
  return unknown ? GroupHealth::kUnknown : GroupHealth::kLost;
}

std::vector<Target> new_flows_go_to(const TargetGroup& group, World& world) {
  const GroupHealth health = group_health(group, world);
  const bool last_resort = group.protocol != Protocol::kGeneve ||
                           failover_of(group).all_unhealthy == AllUnhealthy::kLastResort;
  std::vector<Target> out;
  for (const Target& target : group.targets) {
    const HealthState state = world.health({group.name, target}).state;
    const bool chosen = health == GroupHealth::kHealthy ? gets_traffic(state)
                        : last_resort                   ? true
                                                        : state != HealthState::kUnhealthy;
    if (chosen) out.push_back(target);
  }
  return out;
}

uint16_t marks_when_unhealthy(const FailoverPolicy& policy, GroupHealth health) {
  if (health == GroupHealth::kUnknown) return 0;
  if (health == GroupHealth::kLost) {
    // The last resort sends new flows to unhealthy targets: there is nowhere better for the others.
    if (policy.all_unhealthy == AllUnhealthy::kLastResort) return 0;
    if (policy.all_unhealthy == AllUnhealthy::kBypass) return kTargetMoves;
  } else if (policy.rebalances) {
    return kTargetMoves;
  }
  return policy.resets_unhealthy ? kTargetResets : 0;
}

uint16_t marks_when_drained(uint8_t failover) {
  if (failover & kDrainedMoves) return kTargetMoves;
  return failover & kDrainedResets ? kTargetResets : 0;
}

uint8_t drained_failover(const FailoverPolicy& policy) {
  return static_cast<uint8_t>((policy.rebalances ? kDrainedMoves : 0) |
                              (policy.resets_deregistered ? kDrainedResets : 0));
}

}  // namespace sluice::gateway
