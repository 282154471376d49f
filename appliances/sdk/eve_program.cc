// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/eve_program.h"

#include "appliances/sdk/capture.h"
#include "inspect/eve/sink.h"

namespace sluice::sdk {
namespace {

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
  SLUICE_TRY(const std::unique_ptr<inspect::FileSink> eve, inspect::FileSink::open(eve_file));
  SLUICE_TRY_VOID(run_appliances(capture_file, options, make, std::move(controls), *eve));
  eve->flush();
  if (const uint64_t lost = eve->lines_lost(); lost != 0)
    return fail(std::to_string(lost) + " lines could not be written", eve_file);
  return {};
}

}  // namespace sluice::sdk
