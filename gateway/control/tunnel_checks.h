// SPDX-License-Identifier: Apache-2.0
// Probes through the tunnel beside health checks: which appliances get them
// (sluice.health_check.tunnel), and what the two together say.
#pragma once

#include <map>

#include "gateway/control/attributes.h"
#include "gateway/control/reconciler.h"
#include "gateway/targets/tunnel_prober.h"

namespace sluice::gateway {

// The appliances of all groups that packets are steered to and that want probes. One that several
// groups have is probed as often as any of them wants.
std::map<Target, TunnelProbe> tunnel_probes_of(const Config& config, const Reconciler& tables);

// The state of a target that is checked and probed: it must pass both.
TargetHealth with_tunnel(TargetHealth checked, HealthState probed);

}  // namespace sluice::gateway
