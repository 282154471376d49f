// SPDX-License-Identifier: Apache-2.0
// The IDS/IPS appliance: Suricata-compatible rules on every packet. docs/features/ids.md
#pragma once

#include <memory>

#include "appliances/sdk/appliance.h"
#include "inspect/eve/sink.h"
#include "inspect/match/engine.h"
#include "inspect/match/inspector.h"
#include "tunnels/result.h"

namespace sluice::ids {

struct IdsOptions {
  inspect::EngineOptions rules;
  inspect::InspectorOptions inspection;
};

// Compiles the rules. One engine serves all workers.
Result<std::shared_ptr<const inspect::Engine>> load_rules(const IdsOptions& options);

// One worker's appliance. `eve` gets alert, drop and flow events, and `stats` at the end; it must
// outlive the appliance.
Result<std::unique_ptr<sdk::Appliance>> make_ids(std::shared_ptr<const inspect::Engine> engine,
                                                 const IdsOptions& options, inspect::Sink& eve);
// With an engine of its own.
Result<std::unique_ptr<sdk::Appliance>> make_ids(const IdsOptions& options, inspect::Sink& eve);

}  // namespace sluice::ids
