// SPDX-License-Identifier: Apache-2.0
// How often a rule speaks (Suricata userguide, "Thresholding Keywords").
#pragma once

#include <cstdint>

namespace sluice::inspect {

// What is counted together.
enum class Track : uint8_t { kBySource, kByDestination, kByBoth, kByRule, kByFlow };

// Counts different values of a field instead of matches.
enum class UniqueOn : uint8_t { kNone, kSourcePort, kDestinationPort };

struct Threshold {
  enum class Type : uint8_t { kLimit, kThreshold, kBoth };
  Type type = Type::kLimit;
  Track track = Track::kBySource;
  uint32_t count = 1;
  uint32_t seconds = 1;
  UniqueOn unique_on = UniqueOn::kNone;
};

// The rule acts from the match after `count` within `seconds` on.
struct DetectionFilter {
  Track track = Track::kBySource;
  uint32_t count = 1;
  uint32_t seconds = 1;
  UniqueOn unique_on = UniqueOn::kNone;
};

}  // namespace sluice::inspect
