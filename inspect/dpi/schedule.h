// SPDX-License-Identifier: Apache-2.0
// Times of day and week, in UTC or in the system's zone, to the minute.
#pragma once

#include <cstdint>

namespace sluice::inspect {

inline constexpr int kMinutesPerDay = 24 * 60;

enum class TimeZone : uint8_t { kUtc, kLocal };

// A minute as a clock on the wall and a calendar beside it show it.
struct CivilMinute {
  int64_t day = 0;  // days since 1970-01-01
  int minute = 0;   // since midnight
  bool operator==(const CivilMinute&) const = default;

  int weekday() const;  // Monday is 0
};

// Zones change their offset at whole minutes only, so the answer is good for the whole minute.
CivilMinute civil_minute(int64_t time_us, TimeZone zone);

// From `from` (included) to `to` (not included) on the days of the mask. When `to` is not after
// `from` it means the next day: the hours after midnight belong to the day on which they began. By
// the clock on the wall: an hour that daylight saving skips is not there, one that it repeats is
// there twice.
struct Schedule {
  uint8_t days = 0x7f;  // bit 0: Monday
  int from = 0;
  int to = kMinutesPerDay;

  bool active(const CivilMinute& now) const;
};

// The number of the day that began at minute `reset`.
inline int64_t day_since(const CivilMinute& now, int reset) {
  return now.minute >= reset ? now.day : now.day - 1;
}

}  // namespace sluice::inspect
