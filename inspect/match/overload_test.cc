// SPDX-License-Identifier: Apache-2.0
// What passes without a look says how far its connection has come.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

Harness passing(ExceptionCause cause, InspectorOptions options = {}) {
  EXPECT_TRUE(options.exceptions.choose(cause, ExceptionPolicy::kPassPacket));
  return Harness("alert tcp any any -> any any (content:\"evil\"; sid:1;)", options);
}

Frame late() {
  Frame frame;
  frame.waited_us = kWaitMaxUs + 1;
  return frame;
}

// The receiver does not say it again: what it has and nobody saw is a gap from then on.
TEST(Overload, AnAcknowledgementCounts) {
  Harness h = passing(ExceptionCause::kOverload);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, "fine"));
  EXPECT_TRUE(h.send(tcp(c, kAck, 1005, 5001, "lost"), late()));
  EXPECT_TRUE(h.data(c, 8, "ev"));
  EXPECT_TRUE(h.data(c, 10, "il"));
  EXPECT_EQ(h.alerts(), Sids{});
  EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1013), late()));
  EXPECT_TRUE(h.data(c, 12, "x"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Overload, AResetThatDoesNotFitEndsNothing) {
  for (const bool fits : {false, true}) {
    Harness h = passing(ExceptionCause::kOverload);
    const Ends c;
    EXPECT_TRUE(h.send(tcp(c, kSyn, 1000, 0), late()));
    EXPECT_TRUE(h.send(tcp(c.turned(), kSyn | kAck, 5000, 1001), late()));
    EXPECT_TRUE(h.send(tcp(c, kRst, fits ? 1001 : 7777, 0)));
    EXPECT_TRUE(h.send(tcp(c, kSyn, 90000, 0)));
    EXPECT_EQ(h.inspector().flow_counters().replaced, fits ? 1u : 0u);
  }
}

TEST(SessionMemory, AResetBehindWhatPassedEndsTheConnection) {
  InspectorOptions options;
  options.session_memory_max = 0;
  Harness h = passing(ExceptionCause::kSessionMemory, options);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, "abc"));
  EXPECT_TRUE(h.send(tcp(c, kRst, 1004, 0)));
  EXPECT_TRUE(h.send(tcp(c, kSyn, 90000, 0)));
  EXPECT_EQ(h.inspector().flow_counters().replaced, 1u);
}

}  // namespace
}  // namespace sluice::inspect
