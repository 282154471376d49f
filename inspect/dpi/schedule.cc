// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/schedule.h"

#include <chrono>
#include <ctime>

namespace sluice::inspect {

int CivilMinute::weekday() const {
  constexpr int kThursday = 3;  // 1970-01-01
  return static_cast<int>(((day + kThursday) % 7 + 7) % 7);
}

CivilMinute civil_minute(int64_t time_us, TimeZone zone) {
  using namespace std::chrono;
  const sys_time<minutes> minute = floor<minutes>(sys_time<microseconds>(microseconds(time_us)));
  const time_t seconds = duration_cast<std::chrono::seconds>(minute.time_since_epoch()).count();
  tm local{};
  if (zone == TimeZone::kUtc || localtime_r(&seconds, &local) == nullptr) {
    const sys_days day = floor<days>(minute);
    return {day.time_since_epoch().count(), static_cast<int>((minute - day).count())};
  }
  const sys_days day = year(local.tm_year + 1900) / month(static_cast<unsigned>(local.tm_mon + 1)) /
                       std::chrono::day(static_cast<unsigned>(local.tm_mday));
  return {day.time_since_epoch().count(), local.tm_hour * 60 + local.tm_min};
}

bool Schedule::active(const CivilMinute& now) const {
  const int today = now.weekday();
  const bool begins_today = days >> today & 1;
  if (from < to) return begins_today && now.minute >= from && now.minute < to;
  const bool began_yesterday = days >> (today + 6) % 7 & 1;
  return (begins_today && now.minute >= from) || (began_yesterday && now.minute < to);
}

}  // namespace sluice::inspect
