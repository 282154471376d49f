// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/eve_program.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "appliances/sdk/capture.h"
#include "inspect/eve/sink.h"

namespace sluice::sdk {
namespace {

using nlohmann::ordered_json;

// Flows that end with the program are told all at once.
constexpr int kLastEventsWaitMs = 2000;

// What there is to ask of the file, whatever the appliance.
void add_file(Controls& controls, inspect::FileSink& eve) {
  controls.reopen = [&eve] { return eve.reopen(); };
  controls.ending = [&eve] { eve.wait_for_reader(kLastEventsWaitMs); };
  controls.stats = [&eve, own = std::move(controls.stats)](const Workers& workers,
                                                           ordered_json& stats) -> Result<> {
    const inspect::FileSink::Counters counted = eve.counters();
    stats["eve"] = {{"lines", counted.lines},
                    {"lines_lost", counted.lines_lost},
                    {"rotations", counted.rotations},
                    {"rotations_failed", counted.rotations_failed}};
    return own ? own(workers, stats) : Result<>{};
  };
  controls.metrics = [&eve, own = std::move(controls.metrics)](
                         const Workers& workers, tunnels::MetricsPage& page) -> Result<> {
    const inspect::FileSink::Counters counted = eve.counters();
    page.counter("sluice_eve_lines_total", "Events, those that were lost too.")
        .sample(counted.lines);
    page.counter("sluice_eve_lines_lost_total", "Events that could not be written.")
        .sample(counted.lines_lost);
    auto rotations = page.counter("sluice_eve_rotations_total",
                                  "Times that the next file was due, by whether it was opened.");
    rotations.sample(counted.rotations, {{"result", "ok"}});
    rotations.sample(counted.rotations_failed, {{"result", "failed"}});
    return own ? own(workers, page) : Result<>{};
  };
}

Result<> run_appliances(const std::string& capture_file, const RunnerOptions& options,
                        const EveApplianceFactory& make, Controls controls,
                        inspect::FileSink& eve) {
  if (capture_file.empty())
    return run(
        options, [&](unsigned) { return make(eve); }, std::move(controls));
  // Over a capture nothing is in a hurry, and all that it says is wanted.
  eve.wait_for_reader(inspect::kHoweverLong);
  SLUICE_TRY(const auto appliance, make(eve));
  return run_capture(capture_file, *appliance);
}

}  // namespace

void add_eve_options(CLI::App& app, std::string& path, inspect::Rotation& rotation,
                     std::string& sensor_name) {
  app.add_option(
         "--eve", path,
         "file to append EVE JSON events to, with the time in its name if it has conversions "
         "of strftime (eve-%Y-%m-%d.json); - is standard output")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--rotate-interval",
         [&rotation](const std::string& interval) {
           auto read = inspect::Rotation::parse(interval);
           if (!read) throw CLI::ValidationError("--rotate-interval", read.error().text());
           rotation = *read;
         },
         "open the next file of events at the end of each minute, hour or day, or so long after "
         "this one (30s, 15m, 12h, 7d, 2w)")
      ->type_name("INTERVAL");
  app.add_option("--sensor-name", sensor_name, "\"host\" of every event; none unless given");
}

Result<> run_with_eve(const inspect::LogFile& eve_file, const std::string& capture_file,
                      const RunnerOptions& options, const EveApplianceFactory& make,
                      Controls controls) {
  // What cannot be written is counted; it is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (capture_file.empty()) hold_signals();
  SLUICE_TRY(const std::unique_ptr<inspect::FileSink> eve, inspect::FileSink::open(eve_file));
  add_file(controls, *eve);
  SLUICE_TRY_VOID(run_appliances(capture_file, options, make, std::move(controls), *eve));
  eve->flush();
  if (const uint64_t lost = eve->lines_lost(); lost != 0)
    return fail(std::to_string(lost) + " lines could not be written", eve_file.path);
  return {};
}

}  // namespace sluice::sdk
