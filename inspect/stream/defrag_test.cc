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

struct Fixture {
  Defragmenter defragmenter;
  int64_t now = 1;
  FragmentState add(const Bytes& ip) {
    const auto added = defragmenter.add(ip, testing::parsed(ip), now);
    datagram.assign(added.datagram.begin(), added.datagram.end());
    return added.state;
  }
  Bytes datagram;
};

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
      EXPECT_TRUE(std::equal(f.datagram.begin() + static_cast<std::ptrdiff_t>(header),
                             f.datagram.end(), whole.begin() + static_cast<std::ptrdiff_t>(header),
                             whole.end()));
      if (header == 20) {
        EXPECT_EQ(tunnels::load_be16(&f.datagram[4]), 7);
      }
      EXPECT_EQ(testing::parsed(f.datagram).flags & tunnels::kPacketFragment, 0);
      EXPECT_EQ(testing::parsed(f.datagram).tuple.destination_port,
                testing::parsed(whole).tuple.destination_port);
      EXPECT_EQ(f.defragmenter.bytes_held(), 0u);
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
    f.now += kFragmentTimeoutUs;
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

TEST(Defragmenter, ARefusedDatagramIsNeverWhole) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f;
  f.add(fragment_of(whole, 0, 64));
  EXPECT_EQ(f.add(fragment_of(whole, 64, 64)), FragmentState::kComplete);
  f.defragmenter.refuse_last();
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
  EXPECT_EQ(f.defragmenter.counters().invalid, 2u);
}

TEST(Defragmenter, EveryLimitHolds) {
  const Bytes whole = testing::udp({}, text(100));
  Fixture f;
  for (uint16_t id = 0; id < kDatagramsMax; id++)
    EXPECT_EQ(f.add(fragment_of(whole, 0, 8, id)), FragmentState::kHeld);
  EXPECT_EQ(f.add(fragment_of(whole, 0, 8, kDatagramsMax)), FragmentState::kNoRoom);
  f.now += kFragmentTimeoutUs;
  EXPECT_EQ(f.add(fragment_of(whole, 0, 8, kDatagramsMax)), FragmentState::kHeld);
  EXPECT_EQ(f.defragmenter.counters().timed_out, kDatagramsMax);

  const Bytes large = testing::udp({}, text(60000));
  Fixture many;
  for (size_t i = 0; i < kFragmentsPerDatagramMax; i++)
    EXPECT_EQ(many.add(fragment_of(large, 8 * i, 8)), FragmentState::kHeld);
  EXPECT_EQ(many.add(fragment_of(large, 8 * kFragmentsPerDatagramMax, 8)), FragmentState::kNoRoom);
  Fixture bytes;
  uint16_t id = 0;
  for (; bytes.defragmenter.bytes_held() + 56000 <= kFragmentBytesMax; id++)
    EXPECT_EQ(bytes.add(fragment_of(large, 0, 56000, id)), FragmentState::kHeld);
  EXPECT_EQ(bytes.add(fragment_of(large, 0, 56000, id)), FragmentState::kNoRoom);
}

}  // namespace
}  // namespace sluice::inspect
