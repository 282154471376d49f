// SPDX-License-Identifier: Apache-2.0
// How often a rule speaks (Suricata userguide, "Thresholding Keywords" and "Global-Thresholds").
#pragma once

#include <cstdint>
#include <string_view>

#include "inspect/rules/action.h"
#include "inspect/rules/header.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// What is counted together.
enum class Track : uint8_t { kBySource, kByDestination, kByBoth, kByRule, kByFlow };

// Counts different values of a field instead of matches.
enum class UniqueOn : uint8_t { kNone, kSourcePort, kDestinationPort };

// Different values in one count: ports. Rules that count more are refused.
inline constexpr uint32_t kUniqueMax = 1 << 16;

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

// After more than `count` matches within `seconds` the rule acts otherwise for `timeout_seconds`.
struct RateFilter {
  Track track = Track::kBySource;
  uint32_t count = 1;
  uint32_t seconds = 1;
  Action new_action = Action::kAlert;
  uint32_t timeout_seconds = 0;
};

// No alert about these addresses.
struct Suppression {
  enum class Who : uint8_t { kSource, kDestination, kEither };
  Who who = Who::kSource;
  AddressList addresses;

  bool holds(const Address& source, const Address& destination) const {
    return (who != Who::kDestination && addresses.contains(source)) ||
           (who != Who::kSource && addresses.contains(destination));
  }
};

// "by_src", "by_dst", "by_both", "by_rule", "by_flow".
Result<Track> find_track(std::string_view name);
// "limit", "threshold", "both".
Result<Threshold::Type> find_threshold_type(std::string_view name);

}  // namespace sluice::inspect
