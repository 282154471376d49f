// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/latency.h"

#include <chrono>
#include <thread>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

// A clock that the test moves.
int64_t clock_ns;
int64_t step_ns;
int64_t idle_ns;  // of that time the thread did not run
int64_t read_clock() { return clock_ns += step_ns; }

LatencyOptions limit(uint32_t max_us) {
  clock_ns = 1'000'000'000;
  step_ns = 0;
  idle_ns = 0;
  LatencyOptions options;
  options.max_us = max_us;
  options.now_ns = read_clock;
  options.worked_ns = [] { return clock_ns - idle_ns; };
  return options;
}

void try_rule(LatencyGuard& guard, uint64_t rule, int64_t takes_us) {
  guard.begin_rule();
  clock_ns += takes_us * 1000;
  guard.end_rule(rule);
}

TEST(LatencyGuard, APacketOverTheLimitMeetsNoMoreRules) {
  LatencyGuard guard(limit(500));
  guard.begin_packet();
  for (int i = 0; i < 5; i++) {
    EXPECT_TRUE(guard.may_try(1));
    try_rule(guard, 1, 100);
  }
  EXPECT_TRUE(guard.may_try(2));
  try_rule(guard, 2, 1);
  EXPECT_FALSE(guard.may_try(3));
  EXPECT_EQ(guard.counters().fast_pathed, 1u);
  EXPECT_EQ(guard.counters().rule_timeouts, 0u);
  guard.begin_packet();
  EXPECT_TRUE(guard.may_try(3));
}

TEST(LatencyGuard, ARuleThatIsSlowAgainAndAgainIsSuspendedForATime) {
  LatencyGuard guard(limit(500));
  for (uint32_t i = 0; i < LatencyOptions().timeouts_max; i++) {
    guard.begin_packet();
    ASSERT_TRUE(guard.may_try(7)) << i;
    EXPECT_TRUE(guard.suspended().empty());
    try_rule(guard, 7, 501);
  }
  guard.begin_packet();
  EXPECT_FALSE(guard.may_try(7));
  EXPECT_TRUE(guard.may_try(8));
  ASSERT_EQ(guard.suspended().size(), 1u);
  EXPECT_EQ(guard.suspended()[0].rule, 7u);
  EXPECT_EQ(guard.suspended()[0].seconds_left, 30u);
  EXPECT_EQ(guard.counters().suspensions, 1u);
  EXPECT_EQ(guard.counters().rule_timeouts, 5u);
  clock_ns += 31'000'000'000;
  guard.begin_packet();
  EXPECT_TRUE(guard.may_try(7));
  EXPECT_TRUE(guard.suspended().empty());
  try_rule(guard, 7, 501);
  guard.begin_packet();
  EXPECT_TRUE(guard.may_try(7)) << "it begins anew";
}

// The processor was another's.
TEST(LatencyGuard, WhileTheThreadWaitsNothingCounts) {
  LatencyOptions options = limit(500);
  options.timeouts_max = 1;
  LatencyGuard guard(options);
  guard.begin_packet();
  idle_ns = 10'000'000;
  try_rule(guard, 1, 10'000 + 400);
  EXPECT_TRUE(guard.may_try(1));
  EXPECT_EQ(guard.counters().fast_pathed, 0u);
  try_rule(guard, 2, 101);
  EXPECT_FALSE(guard.may_try(3)) << "it has worked too long together";
  EXPECT_EQ(guard.counters().fast_pathed, 1u);
  EXPECT_EQ(guard.counters().rule_timeouts, 0u) << "but neither rule alone";
}

TEST(LatencyGuard, ClocksOfTheThread) {
  const int64_t began_ns = monotonic_ns(), worked_ns = thread_cpu_ns();
  while (thread_cpu_ns() - worked_ns < 1'000'000) continue;
  EXPECT_GE(monotonic_ns() - began_ns, 900'000);
  const int64_t slept_ns = thread_cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(thread_cpu_ns() - slept_ns, 10'000'000) << "who sleeps does not work";
}

TEST(LatencyGuard, IsBounded) {
  LatencyOptions options = limit(500);
  options.timeouts_max = 1;
  LatencyGuard guard(options);
  for (uint64_t rule = 0; rule <= kSlowRulesMax; rule++) {
    guard.begin_packet();
    try_rule(guard, rule, 501);
  }
  EXPECT_EQ(guard.suspended().size(), kSlowRulesMax);
  EXPECT_EQ(guard.counters().rule_timeouts, kSlowRulesMax + 1);
}

// Each rule takes as long as the clock moves between two readings.
TEST(LatencyGuard, InAnInspection) {
  InspectorOptions options;
  options.latency = limit(500);
  Harness h(
      "drop udp any any -> any any (content:\"x\"; content:\"one\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:3;)\n",
      options);
  const Ends ends{"10.0.0.1", "10.0.0.9", 5000, 9};
  EXPECT_TRUE(h.send(udp(ends, "x")));
  EXPECT_EQ(h.alerts(), (Sids{2, 3}));
  h.forget_events();
  step_ns = 300'000;
  EXPECT_FALSE(h.send(udp({"10.0.0.1", "10.0.0.9", 5001, 9}, "one x")));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  EXPECT_EQ(h.inspector().latency()->counters().fast_pathed, 1u);
  step_ns = 0;
  h.forget_events();
  EXPECT_TRUE(h.send(udp(ends, "x")));
  EXPECT_EQ(h.alerts(), (Sids{2, 3}));
}

TEST(LatencyGuard, RulesAboutAddressesWaitForTheNextPacket) {
  InspectorOptions options;
  options.latency = limit(500);
  Harness h(
      "alert udp any any -> any any (content:\"x\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:2;)\n"
      "alert udp 10.0.0.1 any -> any any (sid:3;)\n",
      options);
  const Ends ends{"10.0.0.1", "10.0.0.9", 5000, 9};
  step_ns = 300'000;
  h.send(udp(ends, "x"));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  h.forget_events();
  step_ns = 0;
  h.send(udp(ends, "y"));
  h.send(udp(ends, "y"));
  EXPECT_EQ(h.alerts(), (Sids{3}));
}

}  // namespace
}  // namespace sluice::inspect
