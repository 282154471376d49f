// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/tunnel_checks.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

// Whose packets a group's appliances get, the first in the file; any, for a group that only a hint
// or the policy leads to; nothing without attachments.
const Attachment* attachment_of(const Config& config, const std::string& group) {
  for (const Attachment& attachment : config.attachments) {
    const LoadBalancer* lb = config.load_balancer(attachment.load_balancer);
    if (lb == nullptr) continue;
    for (const Listener& listener : lb->listeners)
      if (forwards_to(listener.default_action, group)) return &attachment;
  }
  return config.attachments.empty() ? nullptr : &config.attachments[0];
}

}  // namespace

std::map<Target, TunnelProbe> tunnel_probes_of(const Config& config, const Reconciler& tables) {
  std::map<Target, TunnelProbe> out;
  for (const TargetGroup& group : config.target_groups) {
    const auto check = tunnel_check_of(group);
    if (!check || !tables.steers_to(group.name)) continue;
    TunnelProbe probe;
    probe.interval_ms = check->interval_ms;
    probe.unhealthy_threshold = check->unhealthy_threshold;
    probe.healthy_threshold = group.health_check.healthy_threshold;
    probe.profile = profile_of(group);
    if (const Attachment* attachment = attachment_of(config, group.name)) {
      probe.endpoint_id = attachment->endpoint_id;
      probe.attachment_id = attachment->attachment_id;
    }
    for (const Target& target : group.targets) {
      const auto index = tables.target_index(group.protocol, target);
      if (!index) continue;
      probe.target = *index;
      const auto [at, added] = out.emplace(target, probe);
      if (!added && probe.interval_ms < at->second.interval_ms) at->second = probe;
    }
  }
  return out;
}

TargetHealth with_tunnel(TargetHealth checked, HealthState probed) {
  if (!gets_traffic(checked.state) || probed == HealthState::kHealthy) return checked;
  if (probed == HealthState::kInitial)
    return {probed, "Elb.InitialHealthChecking", "no probe has come back through the tunnel yet"};
  return {probed, "Target.FailedHealthChecks", "probes through the tunnel do not come back"};
}

}  // namespace sluice::gateway
