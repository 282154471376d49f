// SPDX-License-Identifier: Apache-2.0
// What a running sluice-dpi can be asked: `top`, its part of `stats` and of /metrics, a new policy.
#pragma once

#include <string>

#include "appliances/sdk/controls.h"
#include "inspect/dpi/usage.h"

namespace sluice::dpi {

inline constexpr size_t kTopDefault = 10;
inline constexpr size_t kTopMax = 1000;

// `policy_file` is what reload reads again; empty: there is nothing to reload.
sdk::Controls dpi_controls(const std::string& policy_file);

// The parts of it that need no workers.
// {"applications": [{"application": "TLS.YouTube", "flows": 1, ...}], "hosts": [...]}
nlohmann::ordered_json top_of(const inspect::UsageReport& report, size_t limit);
// Families sluice_dpi_..._total{application="TLS.YouTube"}. Never an address.
void add_usage(const inspect::UsageReport& report, tunnels::MetricsPage& page);

}  // namespace sluice::dpi
