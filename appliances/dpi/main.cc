// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>

#include "appliances/dpi/command.h"
#include "appliances/dpi/dpi_controls.h"
#include "appliances/dpi/flow_list.h"
#include "appliances/sdk/command_line.h"
#include "appliances/sdk/eve_program.h"

using namespace sluice;

namespace {

Result<> list_flows(const dpi::DpiCommand& command) {
  SLUICE_TRY(const auto out, inspect::FileSink::open(command.eve));
  out->wait_for_reader(inspect::kHoweverLong);
  SLUICE_TRY(const dpi::FlowListCounters counters,
             dpi::list_flows(command.capture_file, command.dpi, *out));
  out->flush();
  if (counters.malformed + counters.fragments_refused != 0)
    std::fprintf(
        stderr, "%s: of %llu packets %llu are no valid IP packets, %llu refused fragments\n",
        command.capture_file.c_str(), (unsigned long long)counters.packets,
        (unsigned long long)counters.malformed, (unsigned long long)counters.fragments_refused);
  if (const uint64_t lost = out->lines_lost(); lost != 0)
    return fail(std::to_string(lost) + " lines could not be written", command.eve.path);
  return {};
}

Result<> run(dpi::DpiCommand command) {
  if (command.list_flows) return list_flows(command);
  prepare(command);
  const auto shared = std::make_shared<dpi::DpiShared>();
  return sdk::run_with_eve(
      command.eve, command.capture_file, command.runner,
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
