// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/queue_clock.h"

#include <gtest/gtest.h>

namespace sluice::sdk {
namespace {

constexpr int64_t kMillisecond = 1000, kSecond = 1'000'000, kHour = 3600 * kSecond;

// Both clocks; the wall clock can be set.
class QueueClockTest : public ::testing::Test {
 protected:
  QueueClockTest() { look(); }
  void pass(int64_t us) { steady_us_ += us; }
  void set_by(int64_t us) { offset_ += us; }
  int64_t wall() const { return steady_us_ + offset_; }
  void look() { clock_.look(wall(), steady_us_); }

  int64_t steady_us_ = 5 * kSecond;
  int64_t offset_ = 1'700'000'000 * kSecond;
  QueueClock clock_;
};

TEST_F(QueueClockTest, SaysHowLongADatagramHasWaited) {
  const int64_t stamp = wall();
  pass(30 * kMillisecond);
  look();
  EXPECT_EQ(clock_.waited_us(stamp), 30 * kMillisecond);
  EXPECT_EQ(clock_.waited_us(wall()), 0);
  EXPECT_EQ(clock_.waited_us(0), 0) << "no stamp";
}

TEST_F(QueueClockTest, AStepIsNoWait) {
  for (const int64_t step : {kHour, -kHour, 200 * kMillisecond, -200 * kMillisecond}) {
    const int64_t before = wall();
    pass(20 * kMillisecond);
    set_by(step);
    pass(5 * kMillisecond);
    const int64_t after = wall();
    pass(10 * kMillisecond);
    look();
    EXPECT_EQ(clock_.waited_us(before), 35 * kMillisecond) << step;
    EXPECT_EQ(clock_.waited_us(after), 10 * kMillisecond) << step;
    // What lay behind it in the queue is looked at in later rounds.
    pass(40 * kMillisecond);
    look();
    EXPECT_EQ(clock_.waited_us(before), 75 * kMillisecond) << step;
    EXPECT_EQ(clock_.waited_us(after), 50 * kMillisecond) << step;
    pass(kClockStepRememberedUs);
    look();
  }
}

TEST_F(QueueClockTest, LongAfterAStepItIsForgotten) {
  set_by(kSecond);
  look();
  pass(kClockStepRememberedUs);
  look();
  const int64_t stamp = wall();
  pass(2 * kSecond);
  look();
  EXPECT_EQ(clock_.waited_us(stamp), 2 * kSecond);
}

TEST_F(QueueClockTest, AClockThatRunsFasterDoesNotStep) {
  for (int i = 0; i < 100; i++) {
    pass(100 * kMillisecond);
    set_by(50);
    look();
  }
  const int64_t stamp = wall();
  pass(7 * kMillisecond);
  look();
  EXPECT_EQ(clock_.waited_us(stamp), 7 * kMillisecond);
}

// Who was interrupted between reading the clocks sees a step that is none, and then one back.
TEST_F(QueueClockTest, AnInterruptionHidesNoWait) {
  const int64_t stamp = wall();
  pass(30 * kMillisecond);
  clock_.look(wall() + 20 * kMillisecond, steady_us_);
  EXPECT_GE(clock_.waited_us(stamp), 30 * kMillisecond);
  look();
  EXPECT_EQ(clock_.waited_us(stamp), 30 * kMillisecond);
}

// A stamp that lies in the future by all that is known.
TEST_F(QueueClockTest, NoWaitIsNegative) {
  set_by(-kHour);
  look();
  set_by(-kHour);
  look();
  EXPECT_EQ(clock_.waited_us(wall() + 3 * kHour), 0);
}

}  // namespace
}  // namespace sluice::sdk
