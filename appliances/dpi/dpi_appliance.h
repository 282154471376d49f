// SPDX-License-Identifier: Apache-2.0
// The DPI appliance: names the application of every flow and lets a policy decide about it.
// docs/features/dpi.md
#pragma once

#include <memory>
#include <string>

#include "appliances/sdk/appliance.h"
#include "inspect/dpi/policy.h"
#include "inspect/dpi/usage.h"
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

struct DpiCounters {
  uint64_t flows = 0;          // since the start
  uint64_t flows_known = 0;    // now
  uint64_t flows_evicted = 0;  // from a full table
  uint64_t flows_blocked = 0;
  uint64_t packets_blocked = 0;
  uint64_t malformed = 0;  // packets that are no valid IP packet; they are dropped
  uint64_t policies = 0;   // that were taken while it ran

  DpiCounters& operator+=(const DpiCounters& other);
};

// What a worker's appliance can be asked and told between packets, on its thread.
class DpiAppliance : public sdk::Appliance {
 public:
  virtual const inspect::DpiNames& names() const = 0;
  virtual inspect::UsageReport usage() const = 0;
  virtual DpiCounters counters() const = 0;
  // Flows that go on meet the new policy with their next packet; one that is blocked stays blocked.
  virtual void set_policy(std::shared_ptr<const inspect::Policy> policy) = 0;
};

// One worker's appliance. `eve` gets a `flow` event for every flow that ends, a `drop` event when
// the policy blocks one, and `stats` at the end; it must outlive the appliance.
Result<std::unique_ptr<DpiAppliance>> make_dpi(const DpiOptions& options, inspect::Sink& eve);

}  // namespace sluice::dpi
