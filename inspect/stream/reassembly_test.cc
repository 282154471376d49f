// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "inspect/stream/reassembly_for_test.h"

namespace sluice::inspect {
namespace {

using Harness = testing::StreamHarness;

TEST(TcpStream, InOrder) {
  Harness h;
  h.send(99, "", true);
  EXPECT_EQ(h.send(100, "hello "), StreamAccept::kOk);
  EXPECT_EQ(h.send(106, "world"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "hello world");
  EXPECT_EQ(h.window(), "hello world");
  EXPECT_EQ(h.stream.next(), 11u);
}

TEST(TcpStream, DataOnTheSyn) {
  Harness h;
  h.send(99, "abc", true);
  h.send(103, "def");
  EXPECT_EQ(h.got, "abcdef");
}

TEST(TcpStream, OutOfOrderAndAcrossTheWrap) {
  Harness h;
  const uint32_t base = 0xfffffffe;
  h.send(base - 1, "", true);
  h.send(base + 6, "ghi");
  h.send(base + 3, "def");
  EXPECT_EQ(h.got, "");
  h.send(base, "abc");
  EXPECT_EQ(h.got, "abcdefghi");
  EXPECT_EQ(h.budget.used, 9u);
}

TEST(TcpStream, TheFirstCopyWinsAndAnotherIsAConflict) {
  Harness h;
  h.send(UINT32_MAX, "", true);
  h.send(0, "abcdef");
  EXPECT_EQ(h.send(3, "def"), StreamAccept::kOk);
  EXPECT_EQ(h.send(3, "dXf"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(3, "dXfghi"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(3, "defghi"), StreamAccept::kOk);
  EXPECT_EQ(h.send(12, "mno"), StreamAccept::kOk);
  EXPECT_EQ(h.send(9, "jklX"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(11, "lmnop"), StreamAccept::kOk);
  EXPECT_EQ(h.send(14, "X"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(9, "jk"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "abcdefghijklmnop");
  EXPECT_EQ(h.counters.conflicts, 4u);
}

TEST(TcpStream, AcknowledgedBytesNeedNoComparison) {
  Harness h;
  h.send(0, "abc");
  h.stream.acknowledge(3);
  EXPECT_EQ(h.send(2, "\0"), StreamAccept::kOk) << "a keep-alive probe";
}

TEST(TcpStream, AGapThatTheReceiverHasIsSkipped) {
  Harness h;
  h.send(UINT32_MAX, "", true);
  h.send(0, "abc");
  h.send(10, "xyz");
  h.stream.acknowledge(3);
  EXPECT_EQ(h.counters.gaps, 0u);
  h.stream.acknowledge(13);
  h.send(13, "!");
  EXPECT_EQ(h.got, "abcxyz!");
  EXPECT_EQ(h.counters.gaps, 1u);
  EXPECT_EQ(h.window(), "xyz!");
  EXPECT_EQ(h.stream.window_start(), 10u);
}

// A decoy that never arrives neither ends the inspection nor makes room for other bytes.
TEST(TcpStream, BehindTheDepthWhatIsNotAcknowledgedIsStillCompared) {
  Harness h({.window = 4, .held_max = 16, .depth = 40});
  h.send(99, "", true);
  h.send(100, std::string(38, 'x'));
  h.send(138, "yyyy");
  EXPECT_TRUE(h.stream.finished());
  EXPECT_EQ(h.counters.depth_reached, 1u);
  EXPECT_EQ(h.send(100, "evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(139, "YYYY"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(95, "12345evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(139, "yZZZ"), StreamAccept::kOk) << "of this one byte was inspected";
  EXPECT_EQ(h.send(1u << 30, "far"), StreamAccept::kOk);
  h.stream.acknowledge(120);
  EXPECT_EQ(h.send(100, "evil"), StreamAccept::kOk) << "nobody takes it";
  EXPECT_EQ(h.send(119, "xevil"), StreamAccept::kConflict);
  EXPECT_EQ(h.budget.used, 40u);
  h.stream.acknowledge(142);
  EXPECT_EQ(h.budget.used, 0u);
  EXPECT_EQ(h.send(119, "xevil"), StreamAccept::kOk);
  EXPECT_EQ(h.got.size(), 40u);
  EXPECT_EQ(h.counters.depth_reached, 1u);
}

TEST(TcpStream, OfAReceiverThatIsNotHeardNothingIsWaitedFor) {
  Harness h({.window = 4, .held_max = 16, .depth = 1000, .one_sided = true});
  h.send(99, "", true);
  for (uint32_t i = 0; i < 99; i++) h.send(100 + 10 * i, "0123456789");
  EXPECT_LE(h.budget.used, 100u);
  h.send(1090, "0123456789");
  EXPECT_TRUE(h.stream.finished());
  EXPECT_EQ(h.budget.used, 0u);
}

TEST(TcpStream, WhatIsNotAcknowledgedIsComparedHoweverMuchItIs) {
  Harness h({.window = 4, .held_max = 16, .depth = 1000});
  h.send(99, "", true);
  for (uint32_t i = 0; i < 90; i++) h.send(100 + 10 * i, "0123456789");
  EXPECT_EQ(h.send(100, "0123456789"), StreamAccept::kOk);
  EXPECT_EQ(h.send(100, "012345678X"), StreamAccept::kConflict);
  h.stream.acknowledge(990);
  h.send(1000, "0123456789");
  EXPECT_LE(h.budget.used, 120u);
}

TEST(TcpStream, TheWindowIsNoLongerThanItMayBe) {
  Harness h({.window = 100});
  h.send(0, std::string(99, 'a'));
  EXPECT_EQ(h.window().size(), 99u);
  h.send(99, "bb");
  EXPECT_EQ(h.window(), std::string(98, 'a') + "bb");
  const std::vector<uint8_t> piece(90, 'c');
  EXPECT_EQ(h.stream.accept(101, false, piece), StreamAccept::kOk);
  EXPECT_EQ(h.stream.take().size(), 90u);
  EXPECT_EQ(h.window(), std::string(29, 'a') + "bb" + std::string(90, 'c'));
  EXPECT_TRUE(h.stream.take().empty());
  EXPECT_EQ(h.window(), std::string(8, 'a') + "bb" + std::string(90, 'c'));
}

// Any cutting, order, repetition and overlap of the same bytes gives the same bytes.
TEST(TcpStream, RandomSegmentsOfOneTextGiveTheText) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; round++) {
    std::string text(200 + random() % 800, '\0');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    const auto base = static_cast<uint32_t>(random());
    Harness h;
    h.send(base - 1, "", true);
    std::vector<std::pair<size_t, size_t>> segments;
    for (size_t at = 0; at < text.size(); at += 1 + random() % 40)
      segments.emplace_back(at, 40 + random() % 60);
    for (int i = 0; i < 10; i++) segments.emplace_back(random() % text.size(), random() % 100);
    std::shuffle(segments.begin(), segments.end(), random);
    for (const auto& [at, length] : segments)
      EXPECT_EQ(h.send(base + static_cast<uint32_t>(at), std::string_view(text).substr(at, length)),
                StreamAccept::kOk);
    EXPECT_EQ(h.got, text);
    EXPECT_EQ(h.counters.bytes_delivered, text.size());
  }
}

TEST(TcpStream, ACopyThatBeginsBeforeTheFirstByteIsComparedToo) {
  Harness h;
  h.send(99, "", true);
  h.send(100, "good");
  EXPECT_EQ(h.send(95, "12345evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(99, "?evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(99, "?"), StreamAccept::kOk) << "a keep-alive probe";
}

// A decoy came first, or the network has put them in this order: what was searched before the first
// byte came is searched again behind it.
TEST(TcpStream, MetInItsMiddleItMayBeginEarlier) {
  Harness h;
  h.send(100, "good");
  EXPECT_EQ(h.send(95, "12345evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(95, "123"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "good123");
  EXPECT_EQ(h.send(101, "OOD"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(98, "45"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "good12345good");
  EXPECT_EQ(h.window(), "12345good");
  EXPECT_EQ(h.send(90, "00000"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "good12345good0000012345good");
  EXPECT_EQ(h.send(104, " more"), StreamAccept::kOk);
  EXPECT_EQ(h.window(), "0000012345good more");
  EXPECT_EQ(h.budget.used, 19u);
}

TEST(TcpStream, MetInItsMiddleItBeginsNoEarlierThanTheReceiverIs) {
  for (const bool before : {true, false}) {
    Harness h;
    if (before) h.stream.acknowledge(100);
    h.send(100, "good");
    if (!before) h.stream.acknowledge(102);
    EXPECT_EQ(h.send(95, "12345"), StreamAccept::kOk) << "the receiver has them";
    EXPECT_EQ(h.got, "good");
    EXPECT_EQ(h.send(95, "12345goOD"), StreamAccept::kConflict);
  }
}

TEST(TcpStream, MetInItsMiddleADecoyFarAheadIsForgotten) {
  Harness h;
  h.send(100 + (1u << 29), "x");
  EXPECT_EQ(h.send(100, "att"), StreamAccept::kOk);
  EXPECT_EQ(h.send(103, "ack"), StreamAccept::kOk);
  EXPECT_EQ(h.window(), "attack");
  EXPECT_EQ(h.budget.used, 6u);
}

TEST(TcpStream, MetInItsMiddleADecoyAsLongAsTheDepthDoesNotEndIt) {
  Harness h({.depth = 50});
  h.send(101, std::string(60, 'x'));
  EXPECT_TRUE(h.stream.finished());
  EXPECT_EQ(h.send(100, "!evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(98, "ev"), StreamAccept::kOk);
  EXPECT_FALSE(h.stream.finished());
  EXPECT_EQ(h.send(100, "!evil"), StreamAccept::kConflict);
  EXPECT_EQ(h.send(100, "!"), StreamAccept::kOk);
  EXPECT_TRUE(h.got.ends_with("ev!" + std::string(47, 'x')));
  EXPECT_TRUE(h.stream.finished());
}

// The first byte that was seen is far ahead of one that was lost.
TEST(TcpStream, MetInItsMiddleItFindsWhereTheReceiverIs) {
  Harness h({.window = 16, .held_max = 64});
  h.send(1100, "new");
  h.stream.acknowledge(1000);
  EXPECT_EQ(h.send(1000, "lost"), StreamAccept::kOk);
  EXPECT_EQ(h.send(1103, "new"), StreamAccept::kHeldFull);
  h.stream.acknowledge(1103);
  EXPECT_EQ(h.send(1103, "new"), StreamAccept::kOk);
  EXPECT_EQ(h.send(1106, "er"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "newlostnewer");
}

// Nothing passes that would wait for bytes that nobody sends.
TEST(TcpStream, MetInItsMiddleADecoyBeforeHoldsNothingUp) {
  Harness h;
  h.send(90, "x");
  EXPECT_EQ(h.send(100, "att"), StreamAccept::kConflict) << "the receiver was not heard";
  EXPECT_EQ(h.counters.out_of_place, 1u);
  h.stream.acknowledge(100);
  EXPECT_EQ(h.send(100, "att"), StreamAccept::kOk);
  EXPECT_EQ(h.send(106, "-"), StreamAccept::kOk);
  EXPECT_EQ(h.send(103, "ack"), StreamAccept::kOk);
  EXPECT_EQ(h.got, "xattack-");
  EXPECT_EQ(h.window(), "attack-");
}

TEST(TcpStream, MetInItsMiddleItBeginsEarlierSoManyTimes) {
  Harness h({.depth = 50});
  for (uint32_t i = 0; i < kEarlierBeginningsMax + 5u; i++) {
    EXPECT_EQ(h.send(1000 - i, "x") == StreamAccept::kOk, i <= kEarlierBeginningsMax) << i;
  }
  EXPECT_EQ(h.counters.out_of_place, 4u);
  EXPECT_FALSE(h.stream.finished()) << "what is searched again counts once";
  h.send(1001, std::string(40, 'y'));
  EXPECT_TRUE(h.stream.finished());
}

TEST(TcpStream, BytesBeforeTheSynAreRefused) {
  Harness h;
  h.send(99, "", true);
  EXPECT_EQ(h.send(50, "hidden"), StreamAccept::kConflict);
}

TEST(TcpStream, AnotherSynAfterTheFirstBytesIsRefused) {
  Harness h;
  h.send(99, "a", true);
  EXPECT_EQ(h.send(99, "a", true), StreamAccept::kOk);
  EXPECT_EQ(h.send(5000, "", true), StreamAccept::kConflict);
}

TEST(TcpStream, HeldSegmentsComeAsOnePiece) {
  Harness h;
  h.send(99, "", true);
  for (uint32_t i = 1; i < 100; i++) h.send(100 + i, "x");
  h.stream.accept(100, false, std::vector<uint8_t>{'x'});
  EXPECT_EQ(h.stream.take().size(), 100u) << "one search, however it was cut";
}

}  // namespace
}  // namespace sluice::inspect
