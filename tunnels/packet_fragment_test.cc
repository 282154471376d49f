// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tunnels/frames_for_test.h"
#include "tunnels/packet.h"

namespace sluice::tunnels {
namespace {

using namespace frames;

Bytes ether4(const Bytes& ip) { return ethernet(kEtherTypeIpv4, {}, ip); }
Bytes ether6(const Bytes& ip) { return ethernet(kEtherTypeIpv6, {}, ip); }

const Bytes kTcp = tcp(1000, 80);
const Bytes kUdp = udp(4242, 53);

Bytes with_byte(Bytes bytes, size_t at, uint8_t value) {
  bytes[at] = value;
  return bytes;
}

// What parse_fragment makes of what parse_ip has found: of IPv6 with extension headers behind the
// header of the fragment.
TEST(PacketFragment, IsReadToTheEndOfItsHeaders) {
  const auto six = [](uint8_t next, uint16_t field, const Bytes& payload) {
    return ether6(ipv6(44, fragment6(next, field, payload)));
  };
  const auto nested = [](int count) {
    Bytes out = extension(6, kTcp);
    for (int i = 1; i < count; i++) out = extension(60, out);
    return out;
  };
  const struct {
    const char* name;
    Bytes frame;
    DropReason reason;
    uint32_t payload = 0, l4_offset = 0;
    uint8_t protocol = 0;
    uint16_t source_port = 0;
  } cases[] = {
      {"4", ether4(ipv4(17, kUdp, {.fragment = 0x2000})), kDropNone, 34, 34, 17, 4242},
      {"4, later", ether4(ipv4(17, kUdp, {.fragment = 0x2003})), kDropNone, 34, 34, 17, 0},
      {"4, tiny", ether4(ipv4(6, first(kTcp, 16), {.fragment = 0x2000})), kDropFragmentTiny},
      {"6", six(17, 1, kUdp), kDropNone, 62, 62, 17, 4242},
      {"6, later", six(17, 25, kUdp), kDropNone, 62, 62, 17, 0},
      {"6, tiny", six(6, 1, first(kTcp, 16)), kDropFragmentTiny},
      {"extension", six(60, 1, extension(17, kUdp)), kDropNone, 62, 70, 17, 4242},
      {"extension, later", six(60, 25, Bytes(16, 7)), kDropNone, 62, 62, 60, 0},
      {"authentication", six(51, 1, authentication(6, kTcp)), kDropNone, 62, 86, 6, 1000},
      {"no transport", six(60, 1, extension(58, icmp(128, 0, Bytes(8, 1)))), kDropNone, 62, 70, 58},
      {"header in front", ether6(ipv6(0, extension(44, fragment6(60, 1, extension(17, kUdp))))),
       kDropNone, 70, 78, 17, 4242},
      {"eight with its own", six(60, 1, nested(7)), kDropNone, 62, 118, 6, 1000},
      {"nine with its own", six(60, 1, nested(8)), kDropExtensionHeaders},
      {"too many bytes", six(60, 1, extension(17, kUdp, 64)), kDropExtensionHeaders},
      {"extension cut", six(60, 1, first(extension(17, kUdp), 7)), kDropFragmentTiny},
      {"transport missing", six(60, 1, extension(17, {}, 1)), kDropFragmentTiny},
      {"transport cut", six(60, 1, extension(17, first(kUdp, 7))), kDropFragmentTiny},
      {"extension runs past", six(60, 1, with_byte(extension(17, kUdp), 1, 9)), kDropFragmentTiny},
      {"of a fragment", six(44, 1, fragment6(17, 1, kUdp)), kDropFragmentInvalid},
      {"of an atomic one", six(44, 1, fragment6(17, 0, kUdp)), kDropFragmentInvalid},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    // In a heap block of exactly the frame's size, so that ASan sees any read past its end.
    const auto exact = std::make_unique<uint8_t[]>(c.frame.size());
    std::ranges::copy(c.frame, exact.get());
    const uint8_t* end = exact.get() + c.frame.size();
    packet p{};
    const uint8_t version = parse_ethernet(exact.get(), end, &p) == kEtherTypeIpv4 ? 4 : 6;
    ASSERT_EQ(parse_ip(exact.get(), end, version, &p), kDropNone);
    ASSERT_TRUE(p.flags & kPacketFragment);
    for (int again = 0; again < 2; again++) {  // a second look sees the same
      uint32_t payload = 0;
      const DropReason reason = parse_fragment(exact.get(), end, &p, &payload);
      EXPECT_EQ(drop_reason_name(reason), drop_reason_name(c.reason));
      if (c.reason != kDropNone) continue;
      EXPECT_EQ(payload, c.payload);
      EXPECT_EQ(p.l4_offset, c.l4_offset);
      EXPECT_EQ(p.tuple.protocol, c.protocol);
      EXPECT_EQ(p.tuple.source_port, swap_be16(c.source_port));
    }
  }
}

}  // namespace
}  // namespace sluice::tunnels
