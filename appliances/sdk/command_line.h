// SPDX-License-Identifier: Apache-2.0
// The part of the command line that all appliances share: --listen, --port, --health-port,
// --workers, --socket, and `ctl`, which asks a running one.
#pragma once

#include "appliances/sdk/runner.h"

namespace CLI {
class App;
}

namespace sluice::sdk {

// Adds the shared options to `app`; they are written to `options` when it parses. `ctl` does its
// work while it parses and ends it by an exception of CLI11's, as --help does.
void add_options(CLI::App& app, RunnerOptions& options);

// A whole main() for an appliance without options of its own. `about` is the first line of --help.
int appliance_main(int argc, char** argv, const char* about, const ApplianceFactory& make);

// Runs, and says on stderr why it could not. Returns the exit status.
int run_or_explain(const RunnerOptions& options, const ApplianceFactory& make,
                   Controls controls = {});

}  // namespace sluice::sdk
