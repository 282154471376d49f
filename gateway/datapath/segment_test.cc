// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/segment.h"

#include <gtest/gtest.h>

#include "gateway/datapath/path_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

Bytes payload(size_t length) {
  Bytes out(length);
  for (size_t i = 0; i < length; i++) out[i] = static_cast<uint8_t>(i * 7);
  return out;
}

// Whether its checksums are right.
bool fits(const Bytes& piece) {
  const uint16_t type = piece[0] >> 4 == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
  const Bytes frame = ethernet(type, {}, piece);
  return with_checksum(frame) == frame;
}

TEST(Segments, TcpIsCutAsHardwareWould) {
  const Bytes data = payload(2500);
  for (const bool six : {false, true}) {
    const Bytes segment = tcp(80, 4242, 0x80 | kTcpAck | 0x08 | kTcpFin, data);
    const Bytes packet = six ? ipv6(kProtocolTcp, segment) : ipv4(kProtocolTcp, segment);
    const size_t head = packet.size() - data.size();
    const auto pieces = cut_into_segments(packet, 1000);
    ASSERT_EQ(pieces.size(), 3u);
    Bytes whole;
    for (size_t i = 0; i < 3; i++) {
      const Bytes& piece = pieces[i];
      EXPECT_TRUE(fits(piece)) << i;
      const uint8_t* header = &piece[head - 20];
      EXPECT_EQ(load_be32(header + 4), 1 + 1000 * i);
      EXPECT_EQ(header[13], kTcpAck | (i == 0 ? 0x80 : 0) | (i == 2 ? 0x08 | kTcpFin : 0));
      if (!six) {
        EXPECT_EQ(load_be16(&piece[4]), 0x1234 + i);
      }
      whole.insert(whole.end(), piece.begin() + static_cast<ptrdiff_t>(head), piece.end());
    }
    EXPECT_EQ(whole, data);
  }
}

TEST(Segments, UdpGetsAHeaderForEach) {
  const Bytes packet = ipv6(kProtocolUdp, udp(1, 2, payload(700)));
  const auto pieces = cut_into_segments(packet, 512);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(load_be16(&pieces[0][44]), 520);
  EXPECT_EQ(load_be16(&pieces[1][44]), 196);
  EXPECT_TRUE(fits(pieces[0]) && fits(pieces[1]));
}

TEST(Segments, WhatCannotBeCutGivesNone) {
  const Bytes data = payload(3000);
  EXPECT_TRUE(cut_into_segments(ipv4(kProtocolTcp, tcp(1, 2, kTcpAck, data)), 0).empty());
  EXPECT_TRUE(cut_into_segments(ipv4(kProtocolTcp, tcp(1, 2, kTcpAck, data)), 1).empty())
      << "more than kSegmentsMax";
  EXPECT_TRUE(cut_into_segments(ipv4(kProtocolTcp, tcp(1, 2)), 100).empty()) << "no payload";
  EXPECT_TRUE(cut_into_segments(ipv4(47, data), 100).empty());
  EXPECT_TRUE(
      cut_into_segments(ipv4(kProtocolUdp, udp(1, 2, data), {.fragment = 0x2000}), 100).empty());
  Bytes lying = tcp(1, 2, kTcpAck, data);
  lying[12] = 0x10;
  EXPECT_TRUE(cut_into_segments(ipv4(kProtocolTcp, lying), 100).empty());
  lying = tcp(1, 2, kTcpAck, {});
  lying[12] = 0xf0;
  EXPECT_TRUE(cut_into_segments(ipv4(kProtocolTcp, lying), 100).empty());
}

TEST(Segments, EveryCutOfAPacketIsSafe) {
  for (const Bytes& packet : {ipv4(kProtocolTcp, tcp(1, 2, kTcpAck, payload(90))),
                              ipv6(kProtocolUdp, udp(1, 2, payload(90)))})
    for (size_t length = 0; length < packet.size(); length++)
      EXPECT_TRUE(cut_into_segments(std::span(packet).first(length), 16).empty()) << length;
}

}  // namespace
}  // namespace sluice::gateway
