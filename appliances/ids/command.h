// SPDX-License-Identifier: Apache-2.0
// The command line of sluice-ids, also understood where the appliance runs inside another process
// (replay).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "appliances/ids/ids_appliance.h"
#include "appliances/sdk/runner.h"

namespace CLI {
class App;
}

namespace sluice::ids {

struct IdsCommand {
  IdsOptions ids;
  sdk::RunnerOptions runner;
  std::string eve_file = "-";
  std::string capture_file;        // not empty: read this instead of the network; or a directory
  std::string runmode = "single";  // these say what is done anyway
  bool simulate_ips = true;
  std::vector<std::string> without_effect;  // what a suricata.yaml says, and why not
  std::string log_directory;                // not empty: ids.eve in it instead of eve_file
  bool list_rules = false;                  // `rules`: say what was loaded and end
  bool test = false;                        // -T: the same, and a refused rule is an error
  std::string profile_capture;  // `rules --profile FILE`: what they cost over that capture
  bool only_failed = false;     // `rules --failed`: only what was refused

  // Where events go.
  inspect::LogFile eve() const;
  // It runs until it is stopped.
  bool is_live() const { return capture_file.empty() && !list_rules && !test; }
};

// Adds all options to `app`; they are written to `command` when it parses.
void add_options(CLI::App& app, IdsCommand& command);

// What is not the same for a capture, over which the same happens each time, and for the network,
// where strangers must not know the key of the table of flows.
void prepare(IdsCommand& command);

// The arguments without the program's name.
Result<IdsCommand> parse_arguments(std::span<const std::string> arguments);

}  // namespace sluice::ids
