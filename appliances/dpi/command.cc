// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/command.h"

#include <CLI/CLI.hpp>

#include "appliances/dpi/explain.h"
#include "appliances/sdk/command_line.h"
#include "appliances/sdk/eve_program.h"

namespace sluice::dpi {

void add_options(CLI::App& app, DpiCommand& command) {
  app.add_option("--policy", command.dpi.policy_file,
                 "YAML file of what to block; without it all is allowed");
  app.add_flag("--shadow", command.dpi.shadow,
               "deliver everything; events say what the policy would have done");
  sdk::add_eve_options(app, command.eve.path, command.eve.rotation, command.dpi.sensor_name);
  app.add_option("--flows-max", command.dpi.flows.flows_max, "flows known at once, per worker")
      ->capture_default_str()
      ->check(CLI::Range(1u, inspect::kFlowsMaxLimit));
  auto* capture = app.add_option("-r", command.capture_file,
                                 "read this pcap or pcapng file instead of the network, and end");
  app.add_flag("--json", command.list_flows,
               "with -r: one JSON line for each flow of the file, and no policy")
      ->needs(capture)
      ->excludes("--policy");
  inspect::ListFiles& lists = command.dpi.lists;
  const char* const group = "nDPI's list files";
  app.add_option("-p", lists.protocols, "protocols by port, host and address (protos.txt)")
      ->group(group);
  app.add_option("-c", lists.categories, "categories by host and address (categories.txt)")
      ->group(group);
  app.add_option("-R", lists.risky_domains, "domains that are a risk (risky_domains.txt)")
      ->group(group);
  app.add_option("-J", lists.ja3, "JA3 fingerprints of malware (ja3_fingerprints.csv)")
      ->group(group);
  app.add_option("-S", lists.sha1, "SHA-1 of malware's certificates (sha1_fingerprints.csv)")
      ->group(group);
  add_explain(app, command.dpi.policy_file, lists);
  sdk::add_options(app, command.runner);
}

void prepare(DpiCommand& command) {
  if (command.capture_file.empty()) command.dpi.flows.key = inspect::random_flow_key();
}

Result<DpiCommand> parse_arguments(std::span<const std::string> arguments) {
  CLI::App app;
  app.set_help_flag();
  DpiCommand command;
  add_options(app, command);
  // CLI11 takes a vector from its back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return fail(error.what(), "sluice-dpi");
  }
  return command;
}

}  // namespace sluice::dpi
