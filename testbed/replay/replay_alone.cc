// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "testbed/replay/command.h"

int main(int argc, char** argv) {
  CLI::App app("sluice replay alone");
  sluice::testbed::add_replay_command(app);
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);
}
