// SPDX-License-Identifier: Apache-2.0
// What a program that writes EVE does around its appliance.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/controls.h"
#include "appliances/sdk/runner.h"
#include "inspect/eve/rotation.h"
#include "tunnels/result.h"

namespace CLI {
class App;
}
namespace sluice::inspect {
class Sink;
}

namespace sluice::sdk {

// Adds --eve, --rotate-interval and --sensor-name, the name that every event has as "host".
void add_eve_options(CLI::App& app, std::string& path, inspect::Rotation& rotation,
                     std::string& sensor_name);

using EveApplianceFactory = std::function<Result<std::unique_ptr<Appliance>>(inspect::Sink& eve)>;

// Opens the EVE file and runs what `make` makes: live, or over `capture_file` if that is not empty.
// Live, signals wait from here on (hold_signals()). An error too when lines were lost, with how
// many: a full disk stops no packet, but it is said. Adds to `controls` that the file can be opened
// again, how many lines were written and lost, and how often it was rotated.
Result<> run_with_eve(const inspect::LogFile& eve_file, const std::string& capture_file,
                      const RunnerOptions& options, const EveApplianceFactory& make,
                      Controls controls = {});

}  // namespace sluice::sdk
