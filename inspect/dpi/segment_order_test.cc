// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/segment_order.h"

#include <gtest/gtest.h>

namespace sluice::inspect {
namespace {

using Place = SegmentOrder::Place;

Segment segment(bool way, uint32_t sequence, uint32_t length, uint32_t acknowledged = 0) {
  Segment s;
  s.way = way;
  s.sequence = sequence;
  s.length = length;
  s.acknowledged = acknowledged;
  s.flags = acknowledged != 0 ? tunnels::kTcpAck : 0;
  return s;
}

TEST(SegmentOrder, FollowsBothEndsAcrossTheEndOfTheNumbers) {
  EarlyBudget budget;
  SegmentOrder order(budget);
  order.begin(false, 0xfffffff0);
  EXPECT_EQ(order.place(segment(false, 0xfffffff0, 16)), Place::kNext);
  EXPECT_EQ(order.place(segment(false, 0, 10)), Place::kNext);
  EXPECT_EQ(order.place(segment(false, 0xfffffff0, 16)), Place::kOld);
  EXPECT_EQ(order.place(segment(false, 5, 10)), Place::kPart);
  EXPECT_EQ(order.repeated(), 5u);
  EXPECT_EQ(order.place(segment(false, 20, 1)), Place::kEarly);
  EXPECT_EQ(order.place(segment(true, 777, 5)), Place::kNext) << "begins where it is met";
  EXPECT_EQ(order.place(segment(false, 15, 0)), Place::kNext) << "without payload";
  EXPECT_EQ(order.place(segment(false, 16 + kSegmentAheadMax, 1)), Place::kOld);
}

TEST(SegmentOrder, WhatTheOtherEndHasIsNotWaitedFor) {
  EarlyBudget budget;
  SegmentOrder order(budget);
  order.begin(false, 100);
  const std::vector<uint8_t> ip(40);
  ASSERT_EQ(order.place(segment(false, 200, 50)), Place::kEarly);
  ASSERT_TRUE(order.hold(segment(false, 200, 50), ip));
  Segment taken;
  std::vector<uint8_t> bytes;
  EXPECT_FALSE(order.take(taken, bytes));
  order.place(segment(true, 1, 0, 200));
  ASSERT_TRUE(order.take(taken, bytes));
  EXPECT_EQ(taken.sequence, 200u);
  EXPECT_EQ(order.place(taken), Place::kNext);
  EXPECT_EQ(budget.used, 0u);
}

TEST(SegmentOrder, HoldsALimitedNumberAndSize) {
  EarlyBudget budget;
  budget.max = 40 * kEarlySegmentsMax;
  const std::vector<uint8_t> ip(40);
  Segment taken;
  std::vector<uint8_t> bytes;
  {
    SegmentOrder order(budget);
    order.begin(false, 0);
    for (uint32_t i = 0; i < kEarlySegmentsMax; i++)
      ASSERT_TRUE(order.hold(segment(false, 1000 - 10 * i, 10), ip));
    EXPECT_FALSE(order.take(taken, bytes));
    EXPECT_FALSE(order.hold(segment(false, 2000, 10), ip)) << "over the budget";
    budget.max += 40;
    ASSERT_TRUE(order.hold(segment(false, 2000, 10), ip)) << "one more than may wait";
    uint32_t last = 0;
    for (uint32_t i = 0; i <= kEarlySegmentsMax; i++) {
      ASSERT_TRUE(order.take(taken, bytes));
      EXPECT_GT(taken.sequence, last) << "in their order";
      EXPECT_EQ(order.place(taken), Place::kNext);
      last = taken.sequence;
    }
    EXPECT_FALSE(order.take(taken, bytes));
    ASSERT_TRUE(order.hold(segment(false, 5000, 10), ip));
    EXPECT_EQ(budget.used, 40u);
  }
  EXPECT_EQ(budget.used, 0u) << "given back at the end";
}

}  // namespace
}  // namespace sluice::inspect
