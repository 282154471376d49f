// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/schedule.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>

namespace sluice::inspect {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 20'000;  // 2024-10-04, a Friday

CivilMinute at(int64_t day, int hour, int minute) { return {day, hour * 60 + minute}; }

// Sets the system's zone for one test.
class Zone {
 public:
  explicit Zone(const char* zone) {
    if (const char* old = std::getenv("TZ")) before_ = old;
    set(zone);
  }
  ~Zone() { set(before_.empty() ? nullptr : before_.c_str()); }

 private:
  static void set(const char* zone) {
    zone != nullptr ? setenv("TZ", zone, 1) : unsetenv("TZ");
    tzset();
  }
  std::string before_;
};

TEST(Schedule, CivilTimeInUtc) {
  EXPECT_EQ(civil_minute(0, TimeZone::kUtc), at(0, 0, 0));
  EXPECT_EQ(civil_minute(59'999'999, TimeZone::kUtc), at(0, 0, 0));
  EXPECT_EQ(civil_minute(60'000'000, TimeZone::kUtc), at(0, 0, 1));
  EXPECT_EQ(civil_minute(-1, TimeZone::kUtc), at(-1, 23, 59));
  EXPECT_EQ(civil_minute((kDay * 86400 + 86399) * kSecond, TimeZone::kUtc), at(kDay, 23, 59));
  EXPECT_EQ(at(kDay, 0, 0).weekday(), 4);
  EXPECT_EQ(at(0, 0, 0).weekday(), 3);
  EXPECT_EQ(at(-4, 0, 0).weekday(), 6);
}

TEST(Schedule, Boundaries) {
  const uint8_t friday = 1 << 4, saturday = 1 << 5, all = 0x7f;
  const struct {
    Schedule schedule;
    int64_t day;
    int hour, minute;
    bool active;
  } cases[] = {
      {{}, kDay, 0, 0, true},
      {{}, kDay, 23, 59, true},
      {{friday, 480, 1020}, kDay, 7, 59, false},
      {{friday, 480, 1020}, kDay, 8, 0, true},
      {{friday, 480, 1020}, kDay, 16, 59, true},
      {{friday, 480, 1020}, kDay, 17, 0, false},
      {{friday, 480, 1020}, kDay + 1, 12, 0, false},
      // Past midnight: the night from Friday to Saturday.
      {{friday, 1320, 360}, kDay, 21, 59, false},
      {{friday, 1320, 360}, kDay, 22, 0, true},
      {{friday, 1320, 360}, kDay, 23, 59, true},
      {{friday, 1320, 360}, kDay + 1, 0, 0, true},
      {{friday, 1320, 360}, kDay + 1, 5, 59, true},
      {{friday, 1320, 360}, kDay + 1, 6, 0, false},
      {{friday, 1320, 360}, kDay + 1, 22, 0, false},
      {{friday, 1320, 360}, kDay, 5, 59, false},  // that is Thursday's night
      {{saturday, 1320, 360}, kDay, 23, 0, false},
      {{all, 1320, 360}, kDay, 5, 59, true},
      // To midnight, and from it.
      {{friday, 1320, kMinutesPerDay}, kDay, 23, 59, true},
      {{friday, 1320, kMinutesPerDay}, kDay + 1, 0, 0, false},
      {{friday, 1320, 0}, kDay, 23, 59, true},
      {{friday, 1320, 0}, kDay + 1, 0, 0, false},
      {{saturday, 0, 1}, kDay + 1, 0, 0, true},
      {{saturday, 0, 1}, kDay + 1, 0, 1, false},
      {{0, 0, kMinutesPerDay}, kDay, 12, 0, false},
  };
  for (size_t i = 0; i < std::size(cases); i++) {
    SCOPED_TRACE(i);
    const auto& c = cases[i];
    EXPECT_EQ(c.schedule.active(at(c.day, c.hour, c.minute)), c.active);
  }
}

TEST(Schedule, QuotaDays) {
  EXPECT_EQ(day_since(at(kDay, 3, 59), 240), kDay - 1);
  EXPECT_EQ(day_since(at(kDay, 4, 0), 240), kDay);
  EXPECT_EQ(day_since(at(kDay, 0, 0), 0), kDay);
}

// Berlin: 2025-03-30 02:00 is 03:00; 2025-10-26 03:00 is 02:00 again.
TEST(Schedule, LocalTimeFollowsDaylightSaving) {
  const Zone berlin("CET-1CEST,M3.5.0,M10.5.0/3");
  const auto local = [](int64_t utc_seconds) {
    return civil_minute(utc_seconds * kSecond, TimeZone::kLocal);
  };
  const int64_t spring = 1743296400;  // 2025-03-30 01:00 UTC
  const int64_t autumn = 1761440400;  // 2025-10-26 01:00 UTC
  const int64_t spring_day = 20177, autumn_day = 20387;
  EXPECT_EQ(local(spring - 60), at(spring_day, 1, 59));
  EXPECT_EQ(local(spring), at(spring_day, 3, 0));
  EXPECT_EQ(local(autumn - 60), at(autumn_day, 2, 59));
  EXPECT_EQ(local(autumn), at(autumn_day, 2, 0));
  EXPECT_EQ(local(spring - 7200 + 3540), at(spring_day, 0, 59));
  EXPECT_EQ(local(spring - 7200 - 60), at(spring_day - 1, 23, 59));

  // The hour that is not there, and the one that is there twice.
  const Schedule two_to_three{0x7f, 120, 180};
  int minutes_in_spring = 0, minutes_in_autumn = 0;
  for (int minute = -600; minute < 600; minute++) {
    minutes_in_spring += two_to_three.active(local(spring + minute * 60)) ? 1 : 0;
    minutes_in_autumn += two_to_three.active(local(autumn + minute * 60)) ? 1 : 0;
  }
  EXPECT_EQ(minutes_in_spring, 0);
  EXPECT_EQ(minutes_in_autumn, 120);
}

}  // namespace
}  // namespace sluice::inspect
