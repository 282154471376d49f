// SPDX-License-Identifier: Apache-2.0
// sluice: the command line. It is here, above all other folders, because `lab` and `replay` put the
// gateway and the appliances together.
#include <CLI/CLI.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/completion.h"
#include "testbed/lab/command.h"
#include "testbed/replay/command.h"

int main(int argc, char** argv) {
  CLI::App app("sluice: a gateway load balancer");
  app.require_subcommand(1);
  sluice::gateway::add_gateway_commands(app);
  sluice::testbed::add_lab_command(app);
  sluice::testbed::add_replay_command(app);
  sluice::gateway::add_completion_command(app);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
