// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/threshold.h"

#include <string>
#include <utility>

namespace sluice::inspect {

Result<Track> find_track(std::string_view word) {
  static constexpr std::pair<std::string_view, Track> kWords[] = {
      {"by_src", Track::kBySource}, {"by_dst", Track::kByDestination}, {"by_both", Track::kByBoth},
      {"by_rule", Track::kByRule},  {"by_flow", Track::kByFlow},
  };
  for (const auto& [name, track] : kWords) {
    if (name == word) return track;
  }
  return fail("track '" + std::string(word) + "' is not supported");
}

Result<Threshold::Type> find_threshold_type(std::string_view word) {
  if (word == "limit") return Threshold::Type::kLimit;
  if (word == "threshold") return Threshold::Type::kThreshold;
  if (word == "both") return Threshold::Type::kBoth;
  return fail("type '" + std::string(word) + "' is not supported");
}

}  // namespace sluice::inspect
