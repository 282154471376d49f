// SPDX-License-Identifier: Apache-2.0
// What a stream keeps, and gives up.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inspect/stream/reassembly_for_test.h"

namespace sluice::inspect {
namespace {

using Harness = testing::StreamHarness;

TEST(TcpStream, EveryLimitHolds) {
  Harness h({.window = 4, .held_max = 16, .depth = 40});
  h.send(UINT32_MAX, "", true);
  h.send(0, "abcdef");
  EXPECT_EQ(h.send(7, std::string(17, 'x')), StreamAccept::kHeldFull);
  EXPECT_EQ(h.send(100, "x"), StreamAccept::kHeldFull);
  EXPECT_EQ(h.send(8, "ij"), StreamAccept::kOk);
  h.budget.max = h.budget.used;
  EXPECT_EQ(h.send(6, "g"), StreamAccept::kNoMemory);
  EXPECT_EQ(h.send(12, "m"), StreamAccept::kNoMemory);
  h.budget.max = 1000;
  EXPECT_EQ(h.send(6, "gh"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "abcdefghij");
  EXPECT_EQ(h.window(), "abcdefghij") << "what may straddle the piece stays";
  h.send(10, std::string(50, 'z'));
  EXPECT_EQ(h.got.size(), 40u);
  EXPECT_TRUE(h.stream.finished());
  h.stream.acknowledge(60);
  EXPECT_EQ(h.budget.used, 0u);
  EXPECT_EQ(h.counters.held_full, 2u);
  EXPECT_EQ(h.counters.no_memory, 2u);
}

TEST(TcpStream, ManyTinyEarlySegmentsAreBounded) {
  Harness h;
  h.send(UINT32_MAX, "", true);
  h.send(0, "a");
  uint32_t refused = 0;
  for (uint32_t i = 0; i < kSegmentsHeldMax + 5; i++)
    refused += h.send(2 + 2 * i, "x") == StreamAccept::kHeldFull;
  EXPECT_EQ(refused, 5u);
}

TEST(TcpStream, TheBufferStaysSmall) {
  Harness h({.window = 100, .held_max = 1000, .depth = 1u << 30});
  for (uint32_t i = 0; i < 1000; i++) {
    h.send(i * 50, std::string(50, 'x'));
    h.stream.acknowledge(i * 50);
    EXPECT_LE(h.budget.used, 400u);
  }
}

TEST(TcpStream, AtRestItKeepsTheWindowAndWhatMayComeAgain) {
  Harness h({.window = 100, .held_max = 1000, .depth = 1u << 30});
  h.send(0, std::string(150, 'a'));
  h.stream.acknowledge(150);
  const std::string window = h.window();
  EXPECT_EQ(h.budget.used, 150u) << "moving bytes was not worth it";
  h.stream.rest();
  EXPECT_EQ(h.budget.used, 100u);
  EXPECT_EQ(h.window(), window);
  EXPECT_EQ(h.stream.window_start(), 50u);
  h.send(150, std::string(130, 'b'));
  h.stream.rest();
  EXPECT_EQ(h.budget.used, 130u) << "not acknowledged";
  EXPECT_EQ(h.send(150, std::string(130, 'c')), StreamAccept::kConflict);
  EXPECT_EQ(h.send(150, std::string(130, 'b')), StreamAccept::kOk);
  h.send(281, "late");  // waits for the byte before it
  h.stream.rest();
  EXPECT_EQ(h.send(281, "LATE"), StreamAccept::kConflict);
  h.send(280, "-");
  EXPECT_TRUE(h.got.ends_with("b-late"));
}

TEST(TcpStream, CutItKeepsLessOfWhatTheReceiverHas) {
  Harness h;
  h.send(99, "", true);
  h.send(100, std::string(9000, 'a') + std::string(3000, 'b'));
  h.stream.cut();
  EXPECT_EQ(h.budget.used, 12'000u) << "none of it acknowledged";
  h.stream.acknowledge(9100);
  h.stream.cut();
  EXPECT_EQ(h.window(), std::string(3000, 'b'));
  EXPECT_EQ(h.send(9100, std::string(3000, 'c')), StreamAccept::kConflict);
  EXPECT_EQ(h.send(9100, std::string(3000, 'b')), StreamAccept::kOk);
  h.stream.acknowledge(12'100);
  h.stream.cut();
  h.stream.cut();
  EXPECT_EQ(h.budget.used, kCutWindow);
  EXPECT_EQ(h.stream.window_start(), 12'000 - kCutWindow);
  EXPECT_EQ(h.counters.windows_cut, 2u);
  h.send(12'100, "more");
  EXPECT_TRUE(h.window().ends_with("bbmore"));
}

TEST(TcpStream, WhatIsForgottenDoesNotComeAgainWithOtherBytes) {
  for (const bool one_sided : {false, true}) {
    Harness h({.window = 1000, .one_sided = one_sided});
    h.send(99, "", true);
    h.send(100, std::string(5000, 'a'));
    h.send(5110, "early");
    h.stream.forget();
    EXPECT_EQ(h.window(), std::string(kStraddleMax, 'a'));
    EXPECT_EQ(h.send(100, "evil"), StreamAccept::kNoMemory);
    EXPECT_EQ(h.send(5060, std::string(50, 'a')), StreamAccept::kNoMemory);
    EXPECT_EQ(h.send(5090, std::string(10, 'b')), StreamAccept::kConflict);
    EXPECT_EQ(h.send(5090, std::string(15, 'a')), StreamAccept::kOk);
    EXPECT_EQ(h.send(5110, "EARLY"), StreamAccept::kConflict) << "the receiver has it";
    h.stream.acknowledge(5100);
    EXPECT_EQ(h.send(100, "evil"), StreamAccept::kOk) << "nobody takes it";
    EXPECT_EQ(h.send(5105, std::string(5, '-')), StreamAccept::kOk);
    EXPECT_TRUE(h.got.ends_with("-----early"));
    EXPECT_EQ(h.counters.windows_forgotten, 1u);
    EXPECT_EQ(h.counters.no_memory, 2u);
  }
}

TEST(TcpStream, WhatIsForgottenBehindTheDepthDoesNotComeAgainWithOtherBytes) {
  Harness h({.depth = 4000});
  h.send(99, "", true);
  h.send(100, std::string(5000, 'a'));
  EXPECT_TRUE(h.stream.finished());
  h.stream.forget();
  EXPECT_EQ(h.budget.used, kStraddleMax);
  EXPECT_EQ(h.send(100, "evil"), StreamAccept::kNoMemory);
  h.stream.acknowledge(4100);
  EXPECT_EQ(h.budget.used, 0u);
  EXPECT_EQ(h.send(100, "evil"), StreamAccept::kOk);
}

TEST(TcpStream, WhoHoardsEarlySegmentsStopsNobodyElse) {
  Harness h;
  h.budget.max = 128 * 1024;
  h.send(99, "", true);
  const auto hoard = [](TcpStream& stream) {
    (void)stream.accept(99, true, {});
    uint32_t at = 200;
    const std::vector<uint8_t> bytes(100);
    while (stream.accept(at, false, bytes) == StreamAccept::kOk) at += 100;
    return at - 200;
  };
  EXPECT_GT(hoard(h.stream), 6500u);
  EXPECT_LE(h.budget.held, 17u * 1024) << "half of the quarter";
  TcpStream second(h.pool), third(h.pool), other(h.pool);
  EXPECT_GT(hoard(second), 3200u) << "as much as is left then";
  EXPECT_GT(hoard(third), 1600u);
  EXPECT_EQ(other.accept(99, true, std::vector<uint8_t>(90'000)), StreamAccept::kOk);
  EXPECT_EQ(other.accept(90'200, false, std::vector<uint8_t>(20'000)), StreamAccept::kNoMemory);
  EXPECT_EQ(h.send(100, std::string(100, 'x')), StreamAccept::kOk) << "the hole is closed";
}

TEST(TcpStream, ShortHeldSegmentsCostTheBudgetMoreThanTheirBytes) {
  Harness h;
  h.budget.max = 64 * 1024;
  h.send(99, "", true);
  uint32_t held = 0;
  while (held < 2000 && h.send(102 + 2 * held, "x") == StreamAccept::kOk) held++;
  EXPECT_LT(held, 70u);
  EXPECT_EQ(h.counters.no_memory, 1u);
}

}  // namespace
}  // namespace sluice::inspect
