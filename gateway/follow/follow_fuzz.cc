// SPDX-License-Identifier: Apache-2.0
// Whatever comes over the socket: a state is taken only whole and valid, a report only in bounds.
#include <algorithm>

#include "gateway/control/validate.h"
#include "gateway/follow/state_lines.h"

using namespace sluice::gateway;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  StateReader reader([](const Config& state, uint64_t) -> sluice::Result<> {
    SLUICE_CHECK(validate(state).empty());
    return {};
  });
  for (bool good = true; !text.empty();) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    good = good && reader.take_line(line).has_value();
    const auto report = parse_report(line);
    if (report) SLUICE_CHECK(report->targets.size() <= kReportTargetsMax);
  }
  return 0;
}
