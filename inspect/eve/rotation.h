// SPDX-License-Identifier: Apache-2.0
// When a log file ends and what the next one is called: Suricata's `rotate-interval`, and its
// `filename` with the time in it.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr time_t kRotationSecondsMax = time_t{366} * 86'400;

class Rotation {
 public:
  Rotation() = default;  // never
  // "minute", "hour", "day": when one ends, in local time. "90", "90s", "15m", "12h", "7d", "2w":
  // so long after the file was opened.
  static Result<Rotation> parse(std::string_view interval);

  bool is_wanted() const { return when_ != When::kNever; }
  // When the file ends that was opened at `opened`; after it.
  time_t end_of_file(time_t opened) const;

 private:
  enum class When { kNever, kAfter, kMinute, kHour, kDay };
  When when_ = When::kNever;
  time_t seconds_ = 0;  // of kAfter
};

// Where a log goes.
struct LogFile {
  // "-": standard output. Else conversions of strftime(3) stand for the local time at which the
  // file is opened ("eve-%Y-%m-%d.json"); directories whose names have some are made.
  std::string path = "-";
  Rotation rotation{};

  // The path at that time. An error: it is too long.
  Result<std::string> path_at(time_t now) const;
  // Makes the directories of `path`, which path_at() has given, if the time is in their names.
  Result<> make_directories(const std::string& path) const;
};

}  // namespace sluice::inspect
