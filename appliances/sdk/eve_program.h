// SPDX-License-Identifier: Apache-2.0
// What a program that writes EVE does around its appliance.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/controls.h"
#include "appliances/sdk/runner.h"
#include "tunnels/result.h"

namespace sluice::inspect {
class Sink;
}

namespace sluice::sdk {

using EveApplianceFactory = std::function<Result<std::unique_ptr<Appliance>>(inspect::Sink& eve)>;

// Opens the EVE file ("-" is standard output) and runs what `make` makes: live, or over
// `capture_file` if that is not empty. An error too when lines were lost, with how many: a full
// disk stops no packet, but it is said. Adds to `controls` that the file can be opened again, and
// how many lines were written and lost.
Result<> run_with_eve(const std::string& eve_file, const std::string& capture_file,
                      const RunnerOptions& options, const EveApplianceFactory& make,
                      Controls controls = {});

}  // namespace sluice::sdk
