// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "appliances/dpi/command.h"
#include "appliances/sdk/capture.h"
#include "appliances/sdk/command_line.h"

using namespace sluice;

namespace {

Result<> run(const dpi::DpiCommand& command) {
  SLUICE_TRY(const std::unique_ptr<inspect::FileSink> eve,
             inspect::FileSink::open(command.eve_file));
  const auto make = [&](unsigned) { return dpi::make_dpi(command.dpi, *eve); };
  if (command.capture_file.empty()) return sdk::run(command.runner, make);
  SLUICE_TRY(const auto appliance, make(0));
  return sdk::run_capture(command.capture_file, *appliance);
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
