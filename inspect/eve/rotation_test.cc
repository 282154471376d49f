// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/rotation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace sluice::inspect {
namespace {

// Everything in here happens in Berlin.
class RotationTest : public ::testing::Test {
 protected:
  RotationTest() { set_zone("CET-1CEST,M3.5.0,M10.5.0/3"); }
  ~RotationTest() override { set_zone("UTC0"); }

  static time_t at(const char* local, int summer = -1) {
    tm parts{};
    EXPECT_NE(strptime(local, "%Y-%m-%d %H:%M:%S", &parts), nullptr) << local;
    parts.tm_isdst = summer;
    return mktime(&parts);
  }
  static time_t end_of(const char* interval, time_t opened) {
    const auto rotation = Rotation::parse(interval);
    EXPECT_TRUE(rotation) << rotation.error().text();
    return rotation->end_of_file(opened);
  }

 private:
  static void set_zone(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }
};

TEST_F(RotationTest, AtTheEndOfAMinuteAnHourAndADayOfLocalTime) {
  const time_t opened = at("2026-05-31 22:58:59");
  EXPECT_EQ(end_of("minute", opened), at("2026-05-31 22:59:00"));
  EXPECT_EQ(end_of("hour", opened), at("2026-05-31 23:00:00"));
  EXPECT_EQ(end_of("day", opened), at("2026-06-01 00:00:00"));
  const time_t midnight = at("2026-06-01 00:00:00");
  EXPECT_EQ(end_of("minute", midnight), midnight + 60);
  EXPECT_EQ(end_of("hour", midnight), midnight + 3600);
  EXPECT_EQ(end_of("day", midnight), midnight + 86'400);
}

TEST_F(RotationTest, DaysAreAsLongAsTheyAre) {
  EXPECT_EQ(end_of("day", at("2026-03-29 00:00:00")) - at("2026-03-29 00:00:00"), 23 * 3600);
  EXPECT_EQ(end_of("day", at("2026-10-25 00:00:00")) - at("2026-10-25 00:00:00"), 25 * 3600);
  const time_t twice = at("2026-10-25 02:59:30", 1);  // it is 2 o'clock again half a minute later
  EXPECT_EQ(end_of("hour", twice), twice + 30);
}

TEST_F(RotationTest, SoLongAfterItWasOpened) {
  const time_t opened = at("2026-05-31 22:58:59");
  const std::pair<const char*, time_t> table[] = {
      {"1", 1},           {"90", 90},         {"90s", 90},         {"15m", 900},
      {"12h", 12 * 3600}, {"7d", 7 * 86'400}, {"2w", 14 * 86'400}, {"366d", kRotationSecondsMax}};
  for (const auto& [interval, seconds] : table)
    EXPECT_EQ(end_of(interval, opened), opened + seconds) << interval;
}

TEST_F(RotationTest, NeverUnlessItIsSaid) {
  EXPECT_FALSE(Rotation().is_wanted());
  EXPECT_EQ(Rotation().end_of_file(1), std::numeric_limits<time_t>::max());
}

TEST_F(RotationTest, RefusesWhatIsNoInterval) {
  for (const char* bad : {"", "0", "0d", "-1", "+1", "1.5h", "1 h", "h", "1M", "10mm", "weekly",
                          "Hour", "367d", "99999999999999999999", "9223372036854775807w"}) {
    const auto rotation = Rotation::parse(bad);
    ASSERT_FALSE(rotation) << bad;
    EXPECT_TRUE(rotation.error().text().starts_with("'" + std::string(bad) + "' is no interval"));
  }
}

TEST_F(RotationTest, TheTimeIsInTheName) {
  const time_t now = at("2026-06-01 07:08:09");
  const std::pair<const char*, const char*> table[] = {
      {"eve.json", "eve.json"},
      {"-", "-"},
      {"/var/log/eve-%Y-%m-%d-%H:%M:%S.json", "/var/log/eve-2026-06-01-07:08:09.json"},
      {"/var/log/%Y/%j/eve%%.json", "/var/log/2026/152/eve%.json"}};
  for (const auto& [pattern, path] : table) EXPECT_EQ(*LogFile{pattern}.path_at(now), path);
  std::string longest;
  for (int i = 0; i < 2000; i++) longest += "%Y";
  EXPECT_FALSE(LogFile{longest}.path_at(now));
}

TEST_F(RotationTest, OnlyDirectoriesWithTheTimeInTheirNamesAreMade) {
  const std::string root = ::testing::TempDir() + "rotation_" + std::to_string(getpid());
  const LogFile plain{root + "/plain/eve-%Y.json"};
  EXPECT_TRUE(plain.make_directories(*plain.path_at(0)));
  EXPECT_FALSE(std::filesystem::exists(root));
  const LogFile dated{root + "/%Y/%m/eve.json"};
  EXPECT_TRUE(dated.make_directories(*dated.path_at(0)));
  EXPECT_TRUE(dated.make_directories(*dated.path_at(0))) << "again";
  EXPECT_TRUE(std::filesystem::is_directory(root + "/1970/01"));
  std::filesystem::remove_all(root);
  const LogFile nowhere{"/dev/null/%Y/eve.json"};
  EXPECT_EQ(nowhere.make_directories("/dev/null/1970/eve.json").error().text(),
            "/dev/null/1970/eve.json: cannot make its directory: Not a directory");
}

}  // namespace
}  // namespace sluice::inspect
