// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/urgent.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::fragment;
using testing::tcp;
using testing::transport_checksum;
using testing::udp;

constexpr uint8_t kUrgentAck = 0x20 | tunnels::kTcpAck;

Bytes urgent(const Ends& ends, std::string_view payload, uint16_t pointer) {
  Bytes ip = tcp(ends, kUrgentAck, 100, 200, payload);
  const size_t segment = ip.size() - payload.size() - 20;
  tunnels::store_be16(&ip[segment + 18], pointer);
  tunnels::store_u16(&ip[segment + 16], 0);
  tunnels::store_u16(&ip[segment + 16], transport_checksum(ip, segment, 6));
  return ip;
}

TEST(Urgent, BecomesDataLikeAnyOther) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2"}}) {
    for (const uint16_t pointer : {0, 1, 4, 0xffff}) {
      Bytes ip = urgent(ends, "attXack", pointer);
      EXPECT_TRUE(clear_urgent(ip));
      EXPECT_EQ(ip, tcp(ends, tunnels::kTcpAck, 100, 200, "attXack")) << pointer;
      EXPECT_FALSE(clear_urgent(ip));
    }
  }
}

TEST(Urgent, LeavesOthersAlone) {
  const Bytes whole = urgent({}, "attXack and more of it", 4);
  for (const Bytes& other : {tcp({}, tunnels::kTcpAck, 1, 2, "x"),
                             udp({}, "    \x20\x20\x20\x20    "), fragment(whole, 0, 24, 7)}) {
    Bytes ip = other;
    EXPECT_FALSE(clear_urgent(ip));
    EXPECT_EQ(ip, other);
  }
}

TEST(Urgent, EveryCutIsHarmless) {
  const Bytes whole = urgent({}, "attXack", 4);
  for (size_t length = 0; length < whole.size(); length++) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    (void)clear_urgent(cut);
  }
}

}  // namespace
}  // namespace sluice::inspect
