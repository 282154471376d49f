// SPDX-License-Identifier: Apache-2.0
#include "tunnels/packet.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tunnels/frames_for_test.h"

namespace sluice::tunnels {
namespace {

using namespace frames;

struct Parsed {
  uint16_t ether_type = 0;  // 0: the frame ends inside its Ethernet header
  DropReason reason = kDropNone;
  packet p{};
};

// Parses a copy in a heap block of exactly the frame's size, so that ASan sees any read past its
// end.
Parsed parse(const Bytes& frame) {
  const auto exact = std::make_unique<uint8_t[]>(frame.size());
  std::copy(frame.begin(), frame.end(), exact.get());
  const uint8_t* end = exact.get() + frame.size();
  Parsed result;
  result.ether_type = parse_ethernet(exact.get(), end, &result.p);
  if (result.ether_type == kEtherTypeIpv4) result.reason = parse_ip(exact.get(), end, 4, &result.p);
  if (result.ether_type == kEtherTypeIpv6) result.reason = parse_ip(exact.get(), end, 6, &result.p);
  return result;
}

Bytes ether4(const Bytes& ip) { return ethernet(kEtherTypeIpv4, {}, ip); }
Bytes ether6(const Bytes& ip) { return ethernet(kEtherTypeIpv6, {}, ip); }

// `count` destination options headers in front of `last`.
Bytes extensions(int count, uint8_t last_protocol, const Bytes& last) {
  Bytes out = last;
  uint8_t next = last_protocol;
  for (int i = 0; i < count; i++) {
    out = extension(next, out);
    next = 60;
  }
  return ether6(ipv6(count == 0 ? last_protocol : 60, out));
}

struct Case {
  std::string name;
  Bytes frame;
  DropReason reason = kDropNone;
  uint32_t l3_offset = 14;
  uint32_t l4_offset = 34;
  uint8_t protocol = kProtocolTcp;
  uint8_t flags = kPacketHasPorts;
  uint16_t source_port = 0;  // host order
  uint16_t destination_port = 0;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.name; }

const Bytes kTcp = tcp(1000, 80, kTcpSyn | kTcpAck);
const Bytes kUdp = udp(4242, 53, {1, 2, 3});

std::vector<Case> good_cases() {
  std::vector<Case> cases = {
      {"tcp4", ether4(ipv4(6, kTcp)), kDropNone, 14, 34, 6, kPacketHasPorts, 1000, 80},
      {"udp4", ether4(ipv4(17, kUdp)), kDropNone, 14, 34, 17, kPacketHasPorts, 4242, 53},
      {"one_vlan", ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(6, kTcp)), kDropNone, 18, 38, 6,
       kPacketHasPorts, 1000, 80},
      {"two_vlans", ethernet(kEtherTypeIpv4, {kEtherTypeQinQ, kEtherTypeVlan}, ipv4(6, kTcp)),
       kDropNone, 22, 42, 6, kPacketHasPorts, 1000, 80},
      {"ipv4_options", ether4(ipv4(6, kTcp, {.options = Bytes(8, 1)})), kDropNone, 14, 42, 6,
       kPacketHasPorts, 1000, 80},
      {"ipv4_most_options", ether4(ipv4(17, kUdp, {.options = Bytes(40, 1)})), kDropNone, 14, 74,
       17, kPacketHasPorts, 4242, 53},
      {"dont_fragment", ether4(ipv4(6, kTcp, {.fragment = 0x4000})), kDropNone, 14, 34, 6,
       kPacketHasPorts, 1000, 80},
      {"icmp_echo", ether4(ipv4(1, icmp(8, 0, Bytes(56, 1)))), kDropNone, 14, 34, 1, 0},
      {"gre4", ether4(ipv4(47, Bytes(20, 1))), kDropNone, 14, 34, 47, 0},
      {"esp4", ether4(ipv4(50, Bytes(20, 1))), kDropNone, 14, 34, 50, 0},
      {"sctp4", ether4(ipv4(132, Bytes(20, 1))), kDropNone, 14, 34, 132, 0},
      {"protocol_without_payload", ether4(ipv4(47, {})), kDropNone, 14, 34, 47, 0},
      {"first_fragment4", ether4(ipv4(6, kTcp, {.fragment = 0x2000})), kDropNone, 14, 34, 6,
       kPacketFragment | kPacketFirstFragment},
      {"middle_fragment4", ether4(ipv4(17, Bytes(8, 1), {.fragment = 0x2010})), kDropNone, 14, 34,
       17, kPacketFragment},
      {"last_fragment4", ether4(ipv4(17, Bytes(3, 1), {.fragment = 0x0010})), kDropNone, 14, 34, 17,
       kPacketFragment},
      {"tcp6", ether6(ipv6(6, kTcp)), kDropNone, 14, 54, 6, kPacketHasPorts, 1000, 80},
      {"udp6_two_vlans", ethernet(kEtherTypeIpv6, {kEtherTypeVlan, kEtherTypeVlan}, ipv6(17, kUdp)),
       kDropNone, 22, 62, 17, kPacketHasPorts, 4242, 53},
      {"hop_by_hop", ether6(ipv6(0, extension(6, kTcp))), kDropNone, 14, 62, 6, kPacketHasPorts,
       1000, 80},
      {"hop_by_hop_routing_destination",
       ether6(ipv6(0, extension(43, extension(60, extension(17, kUdp), 2)))), kDropNone, 14, 94, 17,
       kPacketHasPorts, 4242, 53},
      {"authentication", ether6(ipv6(51, authentication(6, kTcp))), kDropNone, 14, 78, 6,
       kPacketHasPorts, 1000, 80},
      {"esp6_ends_the_walk", ether6(ipv6(50, Bytes(20, 0))), kDropNone, 14, 54, 50, 0},
      {"no_next_header", ether6(ipv6(59, {})), kDropNone, 14, 54, 59, 0},
      {"sctp6", ether6(ipv6(132, Bytes(20, 1))), kDropNone, 14, 54, 132, 0},
      {"first_fragment6", ether6(ipv6(44, fragment6(6, 0x0001, kTcp))), kDropNone, 14, 62, 6,
       kPacketFragment | kPacketFirstFragment},
      {"last_fragment6", ether6(ipv6(44, fragment6(6, 0x0010, Bytes(5, 1)))), kDropNone, 14, 62, 6,
       kPacketFragment},
      {"atomic_fragment6", ether6(ipv6(44, fragment6(6, 0x0000, kTcp))), kDropNone, 14, 62, 6,
       kPacketHasPorts, 1000, 80},
      {"atomic_fragment6_reserved_bits", ether6(ipv6(44, fragment6(17, 0x0006, kUdp))), kDropNone,
       14, 62, 17, kPacketHasPorts, 4242, 53},
      {"icmpv6_echo", ether6(ipv6(58, icmp(128, 0, Bytes(60, 1)))), kDropNone, 14, 54, 58, 0},
      {"neighbour_solicitation", ether6(ipv6(58, icmp(135, 0, Bytes(16, 1)), {.hop_limit = 255})),
       kDropNone, 14, 54, 58, kPacketNeighbourDiscovery},
      {"neighbour_solicitation_from_afar",
       ether6(ipv6(58, icmp(135, 0, Bytes(16, 1)), {.hop_limit = 254})), kDropNone, 14, 54, 58, 0},
      {"eight_extensions", extensions(8, 6, kTcp), kDropNone, 14, 118, 6, kPacketHasPorts, 1000,
       80},
      {"extensions_of_512_bytes", ether6(ipv6(60, extension(6, kTcp, 63))), kDropNone, 14, 566, 6,
       kPacketHasPorts, 1000, 80},
  };
  return cases;
}

class GoodFrame : public testing::TestWithParam<Case> {};

TEST_P(GoodFrame, IsReadWhole) {
  const Case& c = GetParam();
  const Parsed r = parse(c.frame);
  EXPECT_EQ(r.reason, kDropNone);
  EXPECT_EQ(r.p.l3_offset, c.l3_offset);
  EXPECT_EQ(r.p.l3_offset + r.p.l3_length, c.frame.size());
  EXPECT_EQ(r.p.l4_offset, c.l4_offset);
  EXPECT_EQ(r.p.vlan_tags, (c.l3_offset - 14) / 4);
  EXPECT_EQ(r.p.tuple.protocol, c.protocol);
  EXPECT_EQ(r.p.tuple.version, r.ether_type == kEtherTypeIpv4 ? 4 : 6);
  EXPECT_EQ(r.p.flags, c.flags);
  EXPECT_EQ(swap_be16(r.p.tuple.source_port), c.source_port);
  EXPECT_EQ(swap_be16(r.p.tuple.destination_port), c.destination_port);
  EXPECT_EQ(r.p.tcp_flags,
            c.protocol == kProtocolTcp && (c.flags & kPacketHasPorts) ? kTcpSyn | kTcpAck : 0);
}

// Cut anywhere, a frame is refused: its IP length says more than is there.
TEST_P(GoodFrame, CutAtEveryByteIsRefused) {
  const Bytes& frame = GetParam().frame;
  for (size_t length = 0; length < frame.size(); length++) {
    const Parsed r = parse(first(frame, length));
    EXPECT_TRUE(r.ether_type == 0 || r.reason == kDropFrameTruncated) << length;
  }
}

// With the IP length made to agree with the cut, what is left is a valid packet or refused, and
// every offset stays inside it.
TEST_P(GoodFrame, CutWithAnAgreeingLengthStaysInside) {
  const Case& c = GetParam();
  const bool v4 = c.frame[c.l3_offset] >> 4 == 4;
  const size_t header = c.l3_offset + (v4 ? (c.frame[c.l3_offset] & 15u) * 4 : 40);
  for (size_t length = header; length < c.frame.size(); length++) {
    Bytes frame = first(c.frame, length);
    store_be16(&frame[c.l3_offset + (v4 ? 2 : 4)],
               static_cast<uint16_t>(length - (v4 ? c.l3_offset : header)));
    const Parsed r = parse(frame);
    if (r.reason != kDropNone) {
      EXPECT_TRUE(r.reason == kDropTransportTruncated || r.reason == kDropExtensionHeaders)
          << length;
      continue;
    }
    EXPECT_LE(r.p.l4_offset, length);
    if (r.p.flags & kPacketHasPorts) {
      EXPECT_LE(r.p.l4_offset + 8, length);
    }
  }
}

TEST_P(GoodFrame, PaddingIsIgnored) {
  Bytes frame = GetParam().frame;
  const Parsed bare = parse(frame);
  frame.resize(frame.size() + 46, 0xee);
  const Parsed padded = parse(frame);
  EXPECT_EQ(padded.reason, kDropNone);
  EXPECT_EQ(padded.p.l3_length, bare.p.l3_length);
  EXPECT_EQ(padded.p.flags, bare.p.flags);
  EXPECT_EQ(0, memcmp(&padded.p.tuple, &bare.p.tuple, sizeof(tuple)));
}

INSTANTIATE_TEST_SUITE_P(Packet, GoodFrame, testing::ValuesIn(good_cases()),
                         [](const auto& c) { return c.param.name; });

Bytes with_byte(Bytes frame, size_t at, uint8_t value) {
  frame[at] = value;
  return frame;
}

std::vector<Case> bad_cases() {
  const Bytes tcp4 = ether4(ipv4(6, kTcp));
  const Bytes tcp6 = ether6(ipv6(6, kTcp));
  std::vector<Case> cases = {
      {"ipv4_version", with_byte(tcp4, 14, 0x65), kDropIpInvalid},
      {"ipv4_short_header_length", with_byte(tcp4, 14, 0x44), kDropIpInvalid},
      {"ipv4_header_longer_than_total", with_byte(with_byte(tcp4, 14, 0x4f), 17, 40),
       kDropIpInvalid},
      {"ipv4_total_below_header", with_byte(tcp4, 17, 19), kDropIpInvalid},
      {"ipv4_total_past_frame", with_byte(tcp4, 17, 41), kDropFrameTruncated},
      {"ipv6_version", with_byte(tcp6, 14, 0x40), kDropIpInvalid},
      {"ipv6_payload_past_frame", with_byte(tcp6, 19, 21), kDropFrameTruncated},
      {"tcp_header_cut", ether4(ipv4(6, first(kTcp, 19))), kDropTransportTruncated},
      {"udp_header_cut", ether4(ipv4(17, first(kUdp, 7))), kDropTransportTruncated},
      {"tcp6_header_cut", ether6(ipv6(6, first(kTcp, 19))), kDropTransportTruncated},
      {"nine_extensions", extensions(9, 6, kTcp), kDropExtensionHeaders},
      {"extensions_of_520_bytes", ether6(ipv6(60, extension(6, kTcp, 64))), kDropExtensionHeaders},
      {"extension_cut", ether6(ipv6(0, first(extension(6, {}), 7))), kDropExtensionHeaders},
      {"extension_runs_past", ether6(ipv6(0, with_byte(extension(6, kTcp), 1, 9))),
       kDropExtensionHeaders},
      {"extension_missing", ether6(ipv6(60, {})), kDropExtensionHeaders},
      {"fragment_header_cut", ether6(ipv6(44, {6, 0, 0, 1})), kDropExtensionHeaders},
  };
  // A header that ends past kHeaderOffsetMax is refused even when the frame is that long.
  cases.push_back({"extensions_too_long",
                   ether6(ipv6(0, extension(60, extension(47, Bytes(64, 0), 255), 255))),
                   kDropExtensionHeaders});
  // Ports that only the padding holds are not the packet's.
  Bytes padded = ether4(ipv4(17, {}));
  padded.resize(60, 0x11);
  cases.push_back({"udp_header_in_the_padding", padded, kDropTransportTruncated});
  return cases;
}

class BadFrame : public testing::TestWithParam<Case> {};
TEST_P(BadFrame, HasItsReason) {
  EXPECT_EQ(drop_reason_name(parse(GetParam().frame).reason), drop_reason_name(GetParam().reason));
}
INSTANTIATE_TEST_SUITE_P(Packet, BadFrame, testing::ValuesIn(bad_cases()),
                         [](const auto& c) { return c.param.name; });

struct QuoteCase {
  std::string name;
  Bytes frame;     // the error, from a router or the far end
  Bytes original;  // the packet that it quotes
  bool mapped = true;
};

// Original packets go 10.0.0.1 -> 10.0.0.2 (fd01::1 -> fd01::2); errors come back from 192.0.2.9.
Bytes error4(uint8_t type, const Bytes& quote) {
  return ether4(
      ipv4(1, icmp(type, 1, quote), {.source = {192, 0, 2, 9}, .destination = {10, 0, 0, 1}}));
}
Bytes error6(uint8_t type, const Bytes& quote) {
  Ipv6 header;
  header.destination = header.source;
  header.source[15] = 9;
  return ether6(ipv6(58, icmp(type, 0, quote), header));
}

std::vector<QuoteCase> quote_cases() {
  const Bytes tcp4 = ipv4(6, kTcp);
  const Bytes udp4 = ipv4(17, kUdp);
  const Bytes echo4 = ipv4(1, icmp(8, 0));
  const Bytes gre4 = ipv4(47, Bytes(8, 1));
  const Bytes tcp6 = ipv6(6, kTcp);
  const Bytes udp6 = ipv6(17, kUdp);
  const Bytes echo6 = ipv6(58, icmp(128, 0));
  const Bytes esp6 = ipv6(50, Bytes(8, 1));
  std::vector<QuoteCase> cases;
  for (int type : {3, 4, 5, 11, 12})
    cases.push_back(
        {"v4_type_" + std::to_string(type), error4(static_cast<uint8_t>(type), tcp4), tcp4});
  for (int type : {1, 2, 3, 4})
    cases.push_back(
        {"v6_type_" + std::to_string(type), error6(static_cast<uint8_t>(type), tcp6), tcp6});
  cases.insert(
      cases.end(),
      {{"v4_udp", error4(3, udp4), udp4},
       {"v4_eight_bytes", error4(3, first(tcp4, 28)), tcp4},
       {"v4_echo", error4(3, echo4), echo4},
       {"v4_gre", error4(3, gre4), gre4},
       {"v6_udp", error6(1, udp6), udp6},
       {"v6_echo", error6(1, echo6), echo6},
       {"v6_esp", error6(1, esp6), esp6},
       {"v4_echo_reply_is_no_error", error4(0, tcp4), tcp4, false},
       {"v4_quote_too_short", error4(3, first(tcp4, 27)), tcp4, false},
       {"v4_quote_with_options", error4(3, ipv4(6, kTcp, {.options = Bytes(4, 1)})), tcp4, false},
       {"v4_quote_of_a_later_fragment", error4(3, ipv4(6, kTcp, {.fragment = 0x0010})), tcp4,
        false},
       {"v4_quote_of_ipv6", error4(3, tcp6), tcp4, false},
       {"v6_quote_too_short", error6(1, first(tcp6, 47)), tcp6, false},
       {"v6_quote_with_extension", error6(1, ipv6(0, extension(6, kTcp))), tcp6, false},
       {"v6_quote_of_ipv4", error6(1, ipv4(6, Bytes(60, 0))), tcp6, false},
       {"v6_type_5", error6(5, tcp6), tcp6, false}});
  return cases;
}

class IcmpQuote : public testing::TestWithParam<QuoteCase> {};

// The error's tuple is the quoted packet's, turned round: it travels against it.
TEST_P(IcmpQuote, BelongsToTheQuotedFlow) {
  const QuoteCase& c = GetParam();
  const Parsed error = parse(c.frame);
  ASSERT_EQ(error.reason, kDropNone);
  ASSERT_EQ((error.p.flags & kPacketIcmpError) != 0, c.mapped);
  if (!c.mapped) {
    EXPECT_TRUE(error.p.tuple.protocol == kProtocolIcmp ||
                error.p.tuple.protocol == kProtocolIcmpv6);
    EXPECT_EQ(error.p.tuple.source_port, 0);
    return;
  }
  packet original;
  ASSERT_EQ(parse_ip_packet(c.original, original), kDropNone);
  EXPECT_EQ(0, memcmp(error.p.tuple.source, original.tuple.destination, 16));
  EXPECT_EQ(0, memcmp(error.p.tuple.destination, original.tuple.source, 16));
  EXPECT_EQ(error.p.tuple.source_port, original.tuple.destination_port);
  EXPECT_EQ(error.p.tuple.destination_port, original.tuple.source_port);
  EXPECT_EQ(error.p.tuple.protocol, original.tuple.protocol);
}

// A quote that the outer packet's length cuts is not read, whatever follows in the frame.
TEST_P(IcmpQuote, ACutQuoteLeavesTheErrorAPacketOfItsOwn) {
  const QuoteCase& c = GetParam();
  const bool v4 = c.frame[14] >> 4 == 4;
  const size_t header = v4 ? 34 : 54;
  const size_t quote_needs = v4 ? 36 : 56;
  for (size_t length = header; length < header + quote_needs && length < c.frame.size(); length++) {
    Bytes frame = c.frame;
    store_be16(&frame[v4 ? 16 : 18], static_cast<uint16_t>(length - (v4 ? 14 : 54)));
    EXPECT_EQ(parse(frame).p.flags & kPacketIcmpError, 0) << length;
    EXPECT_EQ(parse(first(frame, length)).p.flags & kPacketIcmpError, 0) << length;
  }
}

INSTANTIATE_TEST_SUITE_P(Packet, IcmpQuote, testing::ValuesIn(quote_cases()),
                         [](const auto& c) { return c.param.name; });

TEST(Packet, OtherEtherTypesAreNamedAndLeftAlone) {
  EXPECT_EQ(parse(ethernet(0x0806, {}, Bytes(28, 0))).ether_type, 0x0806);
  EXPECT_EQ(parse(ethernet(0x0806, {kEtherTypeVlan}, Bytes(28, 0))).ether_type, 0x0806);
  // A third tag is not looked behind.
  EXPECT_EQ(parse(ethernet(kEtherTypeIpv4, {kEtherTypeVlan, kEtherTypeVlan, kEtherTypeVlan},
                           Bytes(28, 0)))
                .ether_type,
            kEtherTypeVlan);
}

TEST(Packet, BareIpPacketIsReadByItsFirstByte) {
  packet p;
  EXPECT_EQ(parse_ip_packet(ipv4(6, kTcp), p), kDropNone);
  EXPECT_EQ(p.l3_offset, 0u);
  EXPECT_EQ(p.l4_offset, 20u);
  EXPECT_EQ(parse_ip_packet(ipv6(17, kUdp), p), kDropNone);
  EXPECT_EQ(p.l4_offset, 40u);
  EXPECT_EQ(parse_ip_packet({}, p), kDropFrameTruncated);
  EXPECT_EQ(parse_ip_packet(Bytes{0x50, 0}, p), kDropIpInvalid);
}

}  // namespace
}  // namespace sluice::tunnels
