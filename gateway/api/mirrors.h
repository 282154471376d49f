// SPDX-License-Identifier: Apache-2.0
// What the mirrors and shadows of the policy have counted, as JSON and as metrics.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/control/policy.h"

namespace sluice::tunnels {
class MetricsPage;
}

namespace sluice::gateway {

class Controller;

// {"target_group": ..., "type": "mirror" or "shadow", "sent": ..., ...}, of a rule that has one.
nlohmann::json describe_mirror(const Controller& controller, const PolicyRule& rule);

// Without a mirror, no lines.
void add_mirrors(tunnels::MetricsPage& page, const Controller& controller);

}  // namespace sluice::gateway
