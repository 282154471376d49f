// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "appliances/dpi/command.h"
#include "appliances/dpi/dpi_controls.h"
#include "appliances/sdk/command_line.h"
#include "appliances/sdk/eve_program.h"

using namespace sluice;

namespace {

Result<> run(const dpi::DpiCommand& command) {
  const auto shared = std::make_shared<dpi::DpiShared>();
  return sdk::run_with_eve(
      command.eve_file, command.capture_file, command.runner,
      [&](inspect::Sink& eve) { return dpi::make_dpi(command.dpi, shared, eve); },
      dpi::dpi_controls(command.dpi.policy_file));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "sluice-dpi: an appliance that names the application of each flow and blocks by policy");
  dpi::DpiCommand command;
  add_options(app, command);
  CLI11_PARSE(app, argc, argv);
  const Result<> result = run(command);
  if (result) return 0;
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  return 1;
}
