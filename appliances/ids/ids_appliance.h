// SPDX-License-Identifier: Apache-2.0
// The IDS/IPS appliance: Suricata-compatible rules on every packet. docs/features/ids.md
#pragma once

#include <memory>

#include "appliances/ids/ids_counters.h"
#include "appliances/ids/stats_log.h"
#include "appliances/sdk/appliance.h"
#include "inspect/eve/rotation.h"
#include "inspect/eve/sink.h"
#include "inspect/match/engine.h"
#include "inspect/match/inspector.h"
#include "tunnels/result.h"

namespace sluice::ids {

inline constexpr const char* kEveFileName = "eve.json";

struct IdsOptions {
  inspect::EngineOptions rules;
  inspect::InspectorOptions inspection;
  StatsOptions stats;
  // Its path is one below -l DIR.
  inspect::LogFile eve{kEveFileName};
};

// What one worker holds now.
struct MemoryReport {
  uint64_t flows = 0;
  uint64_t held = 0;      // bytes of streams and transactions
  uint64_t held_max = 0;  // their limit
  uint64_t scratch = 0;   // Hyperscan's
  uint64_t app = 0;       // of parsers of application protocols
  uint64_t sessions = 0;  // records of TCP connections
  MemoryReport& operator+=(const MemoryReport& other) {
    flows += other.flows;
    held += other.held;
    held_max += other.held_max;
    scratch += other.scratch;
    app += other.app;
    sessions += other.sessions;
    return *this;
  }
};

// What a worker's appliance can be asked and told between packets, on its thread.
class IdsAppliance : public sdk::Appliance {
 public:
  // Takes other rules, created with the present engine as the previous, and parts
  // that were made for them; flows go on.
  virtual void use(std::shared_ptr<const inspect::Engine> engine,
                   inspect::InspectorParts& parts) = 0;
  virtual IdsNumbers numbers() = 0;
  virtual MemoryReport memory() const = 0;
  // Rules that are suspended because they took too long.
  virtual std::vector<inspect::LatencyGuard::SlowRule> slow_rules() const = 0;
};

// Compiles the rules. One engine serves all workers.
Result<std::shared_ptr<const inspect::Engine>> load_rules(const IdsOptions& options);

// One for all workers.
std::shared_ptr<StatsLog> make_stats_log(const IdsOptions& options);

// One worker's appliance. `eve` gets its events; it must outlive the appliance. Without `stats` it
// has a log of its own.
Result<std::unique_ptr<IdsAppliance>> make_ids(const std::shared_ptr<const inspect::Engine>& engine,
                                               const IdsOptions& options, inspect::Sink& eve,
                                               std::shared_ptr<StatsLog> stats = nullptr);
// With an engine of its own.
Result<std::unique_ptr<IdsAppliance>> make_ids(const IdsOptions& options, inspect::Sink& eve);

}  // namespace sluice::ids
