// SPDX-License-Identifier: Apache-2.0
// The command line of sluice-dpi, also understood where the appliance runs inside another process
// (replay).
#pragma once

#include <span>
#include <string>

#include "appliances/dpi/dpi_appliance.h"
#include "appliances/sdk/runner.h"

namespace CLI {
class App;
}

namespace sluice::dpi {

struct DpiCommand {
  DpiOptions dpi;
  sdk::RunnerOptions runner;
  inspect::LogFile eve;
  std::string capture_file;  // not empty: read this instead of the network
  bool list_flows = false;   // of capture_file, and no more: no policy
};

// Adds all options to `app`; they are written to `command` when it parses.
void add_options(CLI::App& app, DpiCommand& command);

// On the network strangers must not know the key of the table of flows; over a capture the same
// happens each time.
void prepare(DpiCommand& command);

// The arguments without the program's name.
Result<DpiCommand> parse_arguments(std::span<const std::string> arguments);

}  // namespace sluice::dpi
