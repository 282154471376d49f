// SPDX-License-Identifier: Apache-2.0
// The DPI appliance: names the application of every flow and lets a policy decide about it.
// docs/features/dpi.md
#pragma once

#include <memory>
#include <string>

#include "appliances/sdk/appliance.h"
#include "inspect/eve/sink.h"
#include "inspect/stream/flow_table.h"
#include "tunnels/result.h"

namespace sluice::dpi {

struct DpiOptions {
  // The policy; without one everything is allowed and only recorded.
  std::string policy_file;
  // How many flows are known at once, and for how long. A flow takes about 300 bytes, 1 to 3 KB
  // more while its application is not known.
  inspect::FlowTableOptions flows;
};

// One worker's appliance. `eve` gets a `flow` event for every flow that ends, a `drop` event when
// the policy blocks one, and `stats` at the end; it must outlive the appliance.
Result<std::unique_ptr<sdk::Appliance>> make_dpi(const DpiOptions& options, inspect::Sink& eve);

}  // namespace sluice::dpi
