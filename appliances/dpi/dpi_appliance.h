// SPDX-License-Identifier: Apache-2.0
// The DPI appliance: names the application of every flow and lets a policy decide about it.
// docs/features/dpi.md
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "appliances/dpi/dpi_flow.h"
#include "appliances/dpi/flow_report.h"
#include "appliances/dpi/meters.h"
#include "appliances/sdk/appliance.h"
#include "inspect/dpi/list_files.h"
#include "inspect/dpi/policy.h"
#include "inspect/dpi/usage.h"
#include "inspect/eve/sink.h"
#include "inspect/stream/flow_table.h"
#include "tunnels/result.h"

namespace sluice::dpi {

struct DpiOptions {
  // The policy; without one everything is allowed and only recorded.
  std::string policy_file;
  // Everything is delivered as it came; events say what would have been done.
  bool shadow = false;
  // How many flows are known at once, and for how long. A flow takes about 500 bytes, 1 to 3 KB
  // more while its application is not known.
  inspect::FlowTableOptions flows;
  // Not empty: "host" of every event.
  std::string sensor_name;
  // nDPI's own: further protocols, categories, and what is risky.
  inspect::ListFiles lists;
};

// What all workers share.
struct DpiShared {
  Meters meters;
};

// What a worker's appliance can be asked and told between packets, on its thread.
class DpiAppliance : public sdk::Appliance {
 public:
  virtual const inspect::DpiNames& names() const = 0;
  virtual inspect::UsageReport usage() const = 0;
  virtual DpiCounters counters() const = 0;
  // Flows that go on meet the new policy with their next packet; one that is blocked stays blocked.
  virtual void set_policy(std::shared_ptr<const inspect::Policy> policy) = 0;
  // The flow with this tuple, either direction, if it is here.
  virtual std::optional<FlowReport> report(const tunnels::tuple& tuple) = 0;
};

// One worker's appliance. `eve` gets a `flow` event for every flow that ends, a `drop` event when
// a flow is blocked or first loses a packet to a limit or a quota, and `stats` at the end; it must
// outlive the appliance.
Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options,
                                               std::shared_ptr<DpiShared> shared,
                                               inspect::Sink& eve);
// The only worker's.
Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options, inspect::Sink& eve);

}  // namespace sluice::dpi
