// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/defrag.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;

// One fragment of `whole`: `length` payload bytes from `offset` on; more follow unless it reaches
// the end.
Bytes fragment_of(const Bytes& whole, size_t offset, size_t length, uint16_t id = 7) {
  return testing::fragment(whole, offset, length, id);
}

constexpr int64_t kTimeoutUs = DefragLimits().timeout_us;

struct Fixture {
  Defragmenter defragmenter;
  int64_t now = 1;
  explicit Fixture(const DefragLimits& limits = {}) : defragmenter(limits) {}
  FragmentState add(const Bytes& ip, uint64_t space = 0) {
    added = defragmenter.add(ip, testing::parsed(ip), now, space);
    return added.state;
  }
  const FragmentCounters& counters() const { return defragmenter.counters(); }
  Defragmenter::Added added;
};

// The fragment says the other about whether more follow.
Bytes with_more_turned(Bytes fragment) {
  fragment[fragment[0] >> 4 == 4 ? 6 : 43] ^= fragment[0] >> 4 == 4 ? 0x20 : 1;
  return fragment;
}

std::string text(size_t length) {
  std::string out;
  for (size_t i = 0; i < length; i++) out += static_cast<char>('a' + i % 26);
  return out;
}

TEST(Defragmenter, PutsAnyOrderTogether) {
  std::mt19937 random(5);
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 5, 6}}) {
    const Bytes whole = testing::udp(ends, text(1000));
    const size_t header = ends.source[0] == 'f' ? 40 : 20;
    for (int round = 0; round < 50; round++) {
      std::vector<Bytes> fragments;
      for (size_t at = 0; at < 1008;) {
        const size_t length = 8 * (1 + random() % 30);
        fragments.push_back(fragment_of(whole, at, length));
        at += length;
      }
      std::shuffle(fragments.begin(), fragments.end(), random);
      Fixture f;
      for (size_t i = 0; i + 1 < fragments.size(); i++) {
        EXPECT_EQ(f.add(fragments[i]), FragmentState::kHeld);
        EXPECT_EQ(f.add(fragments[i]), FragmentState::kHeld) << "the same again";
      }
      ASSERT_EQ(f.add(fragments.back()), FragmentState::kComplete);
      const Bytes& datagram = f.added.datagram;
      EXPECT_TRUE(std::equal(datagram.begin() + static_cast<std::ptrdiff_t>(header), datagram.end(),
                             whole.begin() + static_cast<std::ptrdiff_t>(header), whole.end()));
      if (header == 20) {
        EXPECT_EQ(tunnels::load_be16(&datagram[4]), 7);
      }
      EXPECT_EQ(testing::parsed(datagram).flags & tunnels::kPacketFragment, 0);
      EXPECT_EQ(testing::parsed(datagram).tuple.destination_port,
                testing::parsed(whole).tuple.destination_port);
      EXPECT_EQ(f.counters().fragments[header == 40], 2 * fragments.size() - 1);
      EXPECT_EQ(f.counters().datagrams[header == 40], 1u);
      f.defragmenter.expire(f.now + kTimeoutUs);
      EXPECT_EQ(f.defragmenter.memory_used(), 0u);
      EXPECT_EQ(f.counters().timed_out, 0u) << "it was whole";
    }
  }
}

TEST(Defragmenter, OtherBytesForAPlaceRefuseTheDatagram) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes other = testing::udp({}, std::string(100, 'X'));
  for (const auto& [offset, length] :
       {std::pair<size_t, size_t>{16, 16}, {8, 16}, {24, 16}, {0, 64}}) {
    Fixture f;
    EXPECT_EQ(f.add(fragment_of(whole, 16, 16)), FragmentState::kHeld);
    EXPECT_EQ(f.add(fragment_of(other, offset, length)), FragmentState::kOverlap);
    EXPECT_EQ(f.add(fragment_of(whole, 0, 16)), FragmentState::kOverlap) << "refused for good";
    f.now += kTimeoutUs;
    EXPECT_EQ(f.add(fragment_of(whole, 0, 16)), FragmentState::kHeld);
  }
}

TEST(Defragmenter, TheEndMayNotMove) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes longer = testing::udp({}, text(140));
  Fixture f;
  EXPECT_EQ(f.add(fragment_of(whole, 96, 100)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(longer, 112, 8)), FragmentState::kOverlap);
  Fixture g;
  EXPECT_EQ(g.add(fragment_of(longer, 112, 8)), FragmentState::kHeld);
  EXPECT_EQ(g.add(fragment_of(whole, 96, 100)), FragmentState::kOverlap);
}

// A receiver that got only one of the two ends the datagram there, or waits for more.
TEST(Defragmenter, ARepeatedFragmentMayNotMoveTheEnd) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 5, 6}}) {
    const Bytes whole = testing::udp(ends, text(104));
    const Bytes middle = fragment_of(whole, 64, 32);
    const Bytes last = fragment_of(whole, 96, 100);
    for (const Bytes& one : {middle, last}) {
      Fixture f;
      EXPECT_EQ(f.add(one), FragmentState::kHeld);
      EXPECT_EQ(f.add(with_more_turned(one)), FragmentState::kOverlap);
      Fixture complete;
      EXPECT_EQ(complete.add(fragment_of(whole, 0, 64)), FragmentState::kHeld);
      EXPECT_EQ(complete.add(middle), FragmentState::kHeld);
      EXPECT_EQ(complete.add(last), FragmentState::kComplete);
      EXPECT_EQ(complete.add(with_more_turned(one)), FragmentState::kOverlap);
    }
  }
}

// IPv6: a receiver takes what the first fragment says that it carries from whichever copy it got.
TEST(Defragmenter, ARepeatedFragmentMayNotChangeTheProtocol) {
  constexpr size_t kNextHeader = 40;
  const Bytes whole = testing::udp({"fd00::1", "fd00::2", 5, 6}, text(100));
  const Bytes first = fragment_of(whole, 0, 64);
  Bytes other = first;
  other[kNextHeader] = 59;
  Fixture f;
  EXPECT_EQ(f.add(first), FragmentState::kHeld);
  EXPECT_EQ(f.add(other), FragmentState::kOverlap);
  Fixture complete;
  EXPECT_EQ(complete.add(first), FragmentState::kHeld);
  EXPECT_EQ(complete.add(fragment_of(whole, 64, 100)), FragmentState::kComplete);
  EXPECT_EQ(complete.add(other), FragmentState::kOverlap);
  EXPECT_EQ(complete.add(first), FragmentState::kHeld);
}

// The receiver may have lost any of the fragments, and wait for another one in its place.
TEST(Defragmenter, WhatACompleteDatagramSaidStays) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes other = testing::udp({}, std::string(100, 'X'));
  Fixture f;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kComplete);
  for (const auto& [offset, length] :
       {std::pair<size_t, size_t>{0, 64}, {0, 32}, {32, 64}, {64, 64}, {72, 64}})
    EXPECT_EQ(f.add(fragment_of(other, offset, length)), FragmentState::kOverlap) << offset;
  EXPECT_EQ(f.add(fragment_of(testing::udp({}, text(200)), 112, 16)), FragmentState::kOverlap)
      << "behind its end";
  EXPECT_EQ(f.counters().overlaps, 6u);

  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kHeld) << "the same does no harm";
  EXPECT_EQ(f.counters().repeats, 1u);
  EXPECT_EQ(f.counters().datagrams[0], 1u);
  EXPECT_EQ(f.add(fragment_of(other, 0, 64, 8)), FragmentState::kHeld) << "another datagram";
}

// The copy that comes late may be the first that the receiver gets.
TEST(Defragmenter, TimeCountsFromTheLastFragmentThatPassed) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes other = testing::udp({}, std::string(100, 'X'));
  for (const bool complete : {false, true}) {
    Fixture f;
    EXPECT_EQ(f.add(fragment_of(whole, 0, 64)), FragmentState::kHeld);
    if (complete) {
      EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kComplete);
    }
    f.now += kTimeoutUs - 1;
    EXPECT_EQ(f.add(fragment_of(whole, 0, 64)), FragmentState::kHeld);
    f.now += kTimeoutUs - 1;
    EXPECT_EQ(f.add(fragment_of(other, 0, 64)), FragmentState::kOverlap);
    f.now += 1;
    EXPECT_EQ(f.add(fragment_of(other, 0, 64)), FragmentState::kHeld);
  }
}

TEST(Defragmenter, EqualAddressesInOtherSpacesAreOtherHosts) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes other = testing::udp({}, std::string(100, 'X'));
  Fixture f;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64), 1), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(other, 0, 64), 2), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64), 3), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64), 1), FragmentState::kComplete);
}

TEST(Defragmenter, ARefusedDatagramIsNeverWhole) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f;
  f.add(fragment_of(whole, 0, 64));
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kComplete);
  f.defragmenter.refuse(f.added);
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kOverlap);
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64, 8)), FragmentState::kHeld) << "another datagram";
}

TEST(Defragmenter, InvalidFragments) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 20)), FragmentState::kInvalid) << "not a multiple of 8";
  Bytes far = fragment_of(whole, 96, 100);
  tunnels::store_be16(&far[6], 0x1fff);
  EXPECT_EQ(f.add(far), FragmentState::kInvalid) << "past 65535";
  EXPECT_EQ(f.counters().invalid, 2u);
}

TEST(Defragmenter, TheLongestDatagramIsPutTogether) {
  const Bytes whole = testing::udp({}, text(65507));
  ASSERT_EQ(whole.size(), 65535u);
  Fixture f;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 32768)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 32768, 65535)), FragmentState::kComplete);
  EXPECT_EQ(testing::parsed(f.added.datagram).l3_length, 65535u);
}

TEST(Defragmenter, DatagramsAreLimitedAndWaitingOnesNeverForgotten) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f({.datagrams_max = 8});
  for (uint16_t id = 0; id < 8; id++)
    EXPECT_EQ(f.add(fragment_of(whole, 0, 64, id)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64, 8)), FragmentState::kNoRoom);
  EXPECT_EQ(f.counters().datagrams_full, 1u);
  EXPECT_EQ(f.counters().forgotten, 0u);
  f.now += kTimeoutUs;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64, 8)), FragmentState::kHeld);
  EXPECT_EQ(f.counters().timed_out, 8u);
}

TEST(Defragmenter, TheOldestCompleteDatagramMakesRoom) {
  const Bytes whole = testing::udp({}, text(100));
  const Bytes other = testing::udp({}, std::string(100, 'X'));
  Fixture f({.datagrams_max = 8});
  for (uint16_t id = 0; id < 8; id++) {
    f.add(fragment_of(whole, 0, 64, id));
    EXPECT_EQ(f.add(fragment_of(whole, 64, 64, id)), FragmentState::kComplete);
  }
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64, 0)), FragmentState::kHeld) << "makes it the newest";
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64, 8)), FragmentState::kHeld);
  EXPECT_EQ(f.counters().forgotten, 1u);
  EXPECT_EQ(f.defragmenter.datagrams_known(), 8u);
  EXPECT_EQ(f.add(fragment_of(other, 0, 64, 0)), FragmentState::kOverlap);
  EXPECT_EQ(f.add(fragment_of(other, 0, 64, 1)), FragmentState::kHeld) << "the oldest";
  EXPECT_EQ(f.counters().timed_out, 0u);
}

// A sender of many fragments uses each identification again before its time is over.
TEST(Defragmenter, ManyCompleteDatagramsLaterTheSameIdentificationIsAnother) {
  const Bytes whole = testing::udp({}, text(40));
  const Bytes other = testing::udp({}, std::string(40, 'X'));
  Fixture f;
  for (uint16_t id = 0; id <= kCompleteDatagramsMax; id++) {
    ASSERT_EQ(f.add(fragment_of(whole, 0, 32, id)), FragmentState::kHeld);
    ASSERT_EQ(f.add(fragment_of(whole, 32, 64, id)), FragmentState::kComplete);
  }
  EXPECT_EQ(f.defragmenter.datagrams_known(), kCompleteDatagramsMax);
  EXPECT_EQ(f.counters().forgotten, 1u);
  EXPECT_EQ(f.add(fragment_of(other, 0, 32, 1)), FragmentState::kOverlap);
  EXPECT_EQ(f.add(fragment_of(other, 0, 32, 0)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(other, 32, 64, 0)), FragmentState::kComplete);
}

// Else nobody could be sure any more that what was refused is never whole.
TEST(Defragmenter, ARefusedDatagramMakesNoRoom) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f({.datagrams_max = 1});
  f.add(fragment_of(whole, 0, 64));
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kComplete);
  f.defragmenter.refuse(f.added);
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64, 8)), FragmentState::kNoRoom);
  EXPECT_EQ(f.add(fragment_of(whole, 0, 64)), FragmentState::kOverlap);
}

TEST(Defragmenter, FragmentsThatWaitAreLimited) {
  const Bytes large = testing::udp({}, text(60000));
  Fixture one;
  for (size_t i = 0; i < kFragmentsPerDatagramMax; i++)
    EXPECT_EQ(one.add(fragment_of(large, 8 * i, 8)), FragmentState::kHeld);
  EXPECT_EQ(one.add(fragment_of(large, 8 * kFragmentsPerDatagramMax, 8)), FragmentState::kInvalid);
  EXPECT_EQ(one.counters().invalid, 1u);
  EXPECT_EQ(one.counters().fragments_full, 0u) << "there is room";
  EXPECT_EQ(one.add(fragment_of(large, 0, 8)), FragmentState::kOverlap) << "refused for good";

  const Bytes whole = testing::udp({}, text(100));
  Fixture all({.fragments_max = 4});
  for (uint16_t id = 0; id < 4; id++)
    EXPECT_EQ(all.add(fragment_of(whole, 0, 64, id)), FragmentState::kHeld);
  EXPECT_EQ(all.add(fragment_of(whole, 0, 64, 4)), FragmentState::kNoRoom);
  EXPECT_EQ(all.counters().fragments_full, 1u);
  EXPECT_EQ(all.defragmenter.datagrams_known(), 4u);
}

TEST(Defragmenter, MemoryIsLimitedAndCountsWhatKeepsIt) {
  const Bytes large = testing::udp({}, text(60000));
  Fixture f;
  uint16_t id = 0;
  while (f.add(fragment_of(large, 0, 56000, id)) == FragmentState::kHeld) id++;
  EXPECT_EQ(f.added.state, FragmentState::kNoRoom);
  EXPECT_EQ(f.counters().no_memory, 1u);
  constexpr size_t kEach = 56000 + kFragmentOverhead + kDatagramOverhead;
  EXPECT_EQ(id, DefragLimits().memory_max / kEach);
  EXPECT_EQ(f.defragmenter.memory_used(), id * kEach);

  Fixture small({.memory_max = 10 * (8 + kFragmentOverhead + kDatagramOverhead)});
  for (uint16_t i = 0; i < 10; i++)
    EXPECT_EQ(small.add(fragment_of(large, 0, 8, i)), FragmentState::kHeld);
  EXPECT_EQ(small.add(fragment_of(large, 0, 8, 10)), FragmentState::kNoRoom);
}

}  // namespace
}  // namespace sluice::inspect
