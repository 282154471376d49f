// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/eve_program.h"

#include <csignal>
#include <nlohmann/json.hpp>

#include "appliances/sdk/capture.h"
#include "inspect/eve/sink.h"

namespace sluice::sdk {
namespace {

using nlohmann::ordered_json;

// What there is to ask of the file, whatever the appliance.
void add_file(Controls& controls, inspect::FileSink& eve) {
  controls.reopen = [&eve] { return eve.reopen(); };
  controls.stats = [&eve, own = std::move(controls.stats)](const Workers& workers,
                                                           ordered_json& stats) -> Result<> {
    stats["eve"] = {{"lines", eve.lines()}, {"lines_lost", eve.lines_lost()}};
    return own ? own(workers, stats) : Result<>{};
  };
  controls.metrics = [&eve, own = std::move(controls.metrics)](
                         const Workers& workers, tunnels::MetricsPage& page) -> Result<> {
    page.counter("sluice_eve_lines_total", "Events, those that were lost too.").sample(eve.lines());
    page.counter("sluice_eve_lines_lost_total", "Events that could not be written.")
        .sample(eve.lines_lost());
    return own ? own(workers, page) : Result<>{};
  };
}

Result<> run_appliances(const std::string& capture_file, const RunnerOptions& options,
                        const EveApplianceFactory& make, Controls controls, inspect::Sink& eve) {
  if (capture_file.empty())
    return run(
        options, [&](unsigned) { return make(eve); }, std::move(controls));
  SLUICE_TRY(const auto appliance, make(eve));
  return run_capture(capture_file, *appliance);
}

}  // namespace

Result<> run_with_eve(const std::string& eve_file, const std::string& capture_file,
                      const RunnerOptions& options, const EveApplianceFactory& make,
                      Controls controls) {
  // What cannot be written is counted; it is no reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  SLUICE_TRY(const std::unique_ptr<inspect::FileSink> eve, inspect::FileSink::open(eve_file));
  add_file(controls, *eve);
  SLUICE_TRY_VOID(run_appliances(capture_file, options, make, std::move(controls), *eve));
  eve->flush();
  if (const uint64_t lost = eve->lines_lost(); lost != 0)
    return fail(std::to_string(lost) + " lines could not be written", eve_file);
  return {};
}

}  // namespace sluice::sdk
