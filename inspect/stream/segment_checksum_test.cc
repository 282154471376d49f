// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/segment_checksum.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::icmp;
using testing::tcp;
using testing::udp;

bool holds(const Bytes& ip) { return has_right_checksum(*view_packet(ip)); }

TEST(SegmentChecksum, OfWholeSegmentsIsRight) {
  for (const Ends& ends : {Ends{}, Ends{"fd01::2", "fd01::11", 1, 65535}}) {
    for (const size_t length : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 1399u, 1400u}) {
      for (const char c : {'x', '\xff', '\0'})
        EXPECT_TRUE(holds(tcp(ends, 0x10, 7, 8, std::string(length, c)))) << length;
    }
  }
}

// Addresses, header and payload: one changed bit anywhere is found. What makes it another kind of
// packet or cuts it is no segment to look at.
TEST(SegmentChecksum, OfAChangedOneIsWrong) {
  for (const Ends& ends : {Ends{}, Ends{"fd01::2", "fd01::11", 1, 2}}) {
    const Bytes right = tcp(ends, 0x10, 7, 8, "odd");
    const bool v4 = right[0] == 0x45;
    size_t seen = 0;
    for (size_t at = v4 ? 12 : 8; at < right.size(); at++) {
      Bytes wrong = right;
      wrong[at] ^= 0x04;
      const auto view = view_packet(wrong);
      if (!view || !view->is_tcp()) continue;
      seen++;
      EXPECT_FALSE(has_right_checksum(*view)) << at;
    }
    EXPECT_GE(seen, right.size() - (v4 ? 12 : 8) - 3) << "all but the header's length";
  }
}

TEST(PacketChecksum, OfDatagramsAndMessages) {
  for (const bool v4 : {true, false}) {
    const Ends ends = v4 ? Ends{} : Ends{"fd01::2", "fd01::11", 1, 2};
    const size_t header = v4 ? 20 : 40;
    const uint8_t echo = v4 ? 8 : 128;
    for (const std::string& text : {std::string(), std::string("odd"), std::string(1400, '\xff')}) {
      for (const Bytes& right : {udp(ends, text), icmp(ends, echo, 0, "1234" + text)}) {
        EXPECT_TRUE(holds(right)) << text.size();
        Bytes wrong = right;
        wrong[header + 1] ^= 1;  // a port, a code
        EXPECT_FALSE(holds(wrong)) << text.size();
      }
    }
    // What is behind the datagram is none of it.
    Bytes longer = udp(ends, "text");
    longer.push_back('x');
    tunnels::store_be16(&longer[v4 ? 2 : 4],
                        static_cast<uint16_t>(longer.size() - (v4 ? 0 : header)));
    EXPECT_TRUE(holds(longer));
    Bytes none = udp(ends, "text");
    none[header + 6] = none[header + 7] = 0;
    EXPECT_EQ(holds(none), v4);
  }
}

TEST(PacketChecksum, OfTheHeaderItself) {
  Bytes ip = udp({}, "text");
  EXPECT_TRUE(has_right_ip_checksum(*view_packet(ip)));
  ip[22] ^= 1;
  EXPECT_TRUE(has_right_ip_checksum(*view_packet(ip))) << "nothing behind the header counts";
  ip[8] ^= 1;
  EXPECT_FALSE(has_right_ip_checksum(*view_packet(ip)));
}

// As a sender leaves it to its hardware: the sum of the addresses alone.
TEST(SegmentChecksum, ThatIsUnfinishedIsWrong) {
  for (const size_t place : {36u, 37u}) {
    Bytes wrong = tcp({}, 0x10, 7, 8, "text");
    wrong[place] ^= 0xff;
    EXPECT_FALSE(holds(wrong));
  }
}

}  // namespace
}  // namespace sluice::inspect
