// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/rotation.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <filesystem>
#include <limits>
#include <system_error>

namespace sluice::inspect {
namespace {

constexpr time_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;

// Of "m" and the like; 0: there is no such unit.
time_t seconds_of(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return kMinute;
  if (unit == "h") return kHour;
  if (unit == "d") return kDay;
  return unit == "w" ? 7 * kDay : 0;
}

// The clock knows when days are longer and shorter.
time_t next_midnight(tm local) {
  local.tm_mday++;
  local.tm_hour = local.tm_min = local.tm_sec = 0;
  local.tm_isdst = -1;
  return mktime(&local);
}

}  // namespace

Result<Rotation> Rotation::parse(std::string_view interval) {
  Rotation out;
  if (interval == "minute") out.when_ = When::kMinute;
  if (interval == "hour") out.when_ = When::kHour;
  if (interval == "day") out.when_ = When::kDay;
  if (out.is_wanted()) return out;
  const char* const end = interval.data() + interval.size();
  const auto [rest, error] = std::from_chars(interval.data(), end, out.seconds_);
  const time_t unit = seconds_of({rest, end});
  if (error != std::errc{} || unit == 0 || out.seconds_ < 1 ||
      out.seconds_ > kRotationSecondsMax / unit)
    return fail("'" + std::string(interval) +
                "' is no interval: it can be minute, hour, day, or a number of seconds or with s, "
                "m, h, d or w behind it, up to 366d");
  out.when_ = When::kAfter;
  out.seconds_ *= unit;
  return out;
}

time_t Rotation::end_of_file(time_t opened) const {
  tm local{};
  localtime_r(&opened, &local);
  time_t end = std::numeric_limits<time_t>::max();
  switch (when_) {
    case When::kNever:
      break;
    case When::kAfter:
      end = opened + seconds_;
      break;
    case When::kMinute:
      end = opened + kMinute - local.tm_sec;
      break;
    case When::kHour:
      end = opened + kHour - local.tm_min * kMinute - local.tm_sec;
      break;
    case When::kDay:
      end = next_midnight(local);
      break;
  }
  return std::max(end, opened + 1);  // leap seconds
}

Result<std::string> LogFile::path_at(time_t now) const {
  if (path.find('%') == std::string::npos) return path;
  tm local{};
  localtime_r(&now, &local);
  char text[PATH_MAX];
  const size_t length = strftime(text, sizeof(text), path.c_str(), &local);
  if (length == 0) return fail("is too long or empty with the time in it", path);
  return std::string(text, length);
}

Result<> LogFile::make_directories(const std::string& made) const {
  if (path.substr(0, path.rfind('/') + 1).find('%') == std::string::npos) return {};
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(made).parent_path(), error);
  if (error) return fail_errno("cannot make its directory", made, error.value());
  return {};
}

}  // namespace sluice::inspect
