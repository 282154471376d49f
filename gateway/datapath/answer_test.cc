// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/answer.h"

#include <gtest/gtest.h>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;  // NOLINT

constexpr uint16_t kFits = kMtu - kEncapsulationOverhead;
constexpr uint16_t kDontFragment = 0x4000;

class Answer : public Path {};

// A UDP packet of `length` bytes in all.
Bytes datagram4(uint16_t length, Ipv4 header = {.fragment = kDontFragment}) {
  return ipv4(kProtocolUdp, udp(4242, 9, Bytes(size_t{length} - 28, 7)), header);
}
Bytes datagram6(uint16_t length) {
  return ipv6(kProtocolUdp, udp(4242, 9, Bytes(size_t{length} - 48, 7)));
}
Bytes part(const Bytes& bytes, size_t from, size_t length) {
  return {bytes.begin() + static_cast<ptrdiff_t>(from),
          bytes.begin() + static_cast<ptrdiff_t>(from + length)};
}
uint16_t sum_of(const Bytes& bytes) {
  return checksum_fold(checksum_add(0, bytes.data(), static_cast<uint32_t>(bytes.size())));
}

TEST_F(Answer, TellsAnIpv4SenderWhatFits) {
  const Bytes in = ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, datagram4(kFits + 1));
  const Step out = from_outside(in);
  EXPECT_EQ(out.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(out.outcome.reason, kDropTooBig);
  EXPECT_EQ(out.outcome.interface, kOutside) << "back to where it came from";
  EXPECT_EQ(drops(kDropTooBig), 1u);

  ASSERT_EQ(out.bytes.size(), 18u + 20 + kIcmpLength + kQuote4);
  EXPECT_EQ(part(out.bytes, 0, 6), part(in, 6, 6));
  EXPECT_EQ(part(out.bytes, 6, 6), part(in, 0, 6));
  EXPECT_EQ(part(out.bytes, 12, 6), part(in, 12, 6)) << "its VLAN tag";
  EXPECT_EQ(sum_of(part(out.bytes, 18, 20)), 0);
  EXPECT_EQ(load_be16(&out.bytes[20]), 20 + kIcmpLength + kQuote4);
  EXPECT_EQ(part(out.bytes, 30, 4), part(in, 34, 4)) << "from whom it was for";
  EXPECT_EQ(part(out.bytes, 34, 4), part(in, 30, 4));
  const Bytes icmp = part(out.bytes, 38, kIcmpLength + kQuote4);
  EXPECT_EQ(load_be16(icmp.data()), 0x0304);
  EXPECT_EQ(load_be32(&icmp[4]), kFits);
  EXPECT_EQ(sum_of(icmp), 0);
  EXPECT_EQ(part(icmp, kIcmpLength, kQuote4), part(in, 18, kQuote4));
}

TEST_F(Answer, TellsAnIpv6SenderWhatFits) {
  const Bytes in = ethernet(kEtherTypeIpv6, {}, datagram6(kFits + 1));
  const Step out = from_inside(in);
  EXPECT_EQ(out.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(out.outcome.interface, kInside);
  ASSERT_EQ(out.bytes.size(), 14u + 40 + kIcmpLength + kQuote6);
  EXPECT_EQ(part(out.bytes, 14 + 8, 16), part(in, 14 + 24, 16));
  EXPECT_EQ(part(out.bytes, 14 + 24, 16), part(in, 14 + 8, 16));
  const Bytes icmp = part(out.bytes, 54, kIcmpLength + kQuote6);
  EXPECT_EQ(load_be16(icmp.data()), 0x0200);
  EXPECT_EQ(load_be32(&icmp[4]), kFits);
  EXPECT_EQ(part(icmp, kIcmpLength, kQuote6), part(in, 14, kQuote6));
  Bytes pseudo = part(out.bytes, 14 + 8, 32);
  append(pseudo, {0, 0, 0, uint8_t{kIcmpLength + kQuote6}, 0, 0, 0, kProtocolIcmpv6});
  append(pseudo, icmp);
  EXPECT_EQ(sum_of(pseudo), 0);
}

// The sender can relate the error to its packet: read back, it belongs to the same flow.
TEST_F(Answer, BelongsToTheFlowThatItIsAbout) {
  const Bytes in = ethernet(kEtherTypeIpv4, {}, datagram4(kFits + 1));
  const Step out = from_outside(in);
  packet refused{}, error{};
  parse_ethernet(in.data(), in.data() + in.size(), &refused);
  parse_ip(in.data(), in.data() + in.size(), 4, &refused);
  parse_ethernet(out.bytes.data(), out.bytes.data() + out.bytes.size(), &error);
  ASSERT_EQ(parse_ip(out.bytes.data(), out.bytes.data() + out.bytes.size(), 4, &error), kDropNone);
  EXPECT_TRUE(error.flags & kPacketIcmpError);
  EXPECT_EQ(error.tuple.source_port, refused.tuple.destination_port);
  EXPECT_EQ(error.tuple.destination[0], refused.tuple.source[0]);
}

TEST_F(Answer, AnNlbTargetFindsItsOwnAddressInTheQuote) {
  const Ipv4 to_listener{.destination = {10, 0, 0, 100}};
  round_trip(
      with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 7000), to_listener))),
      kOutside);
  const Ipv4 back{
      .source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}, .fragment = kDontFragment};
  const Bytes in = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(7001, 4242, Bytes(kFits - 27, 7)), back)));
  const Step out = from_inside(in);
  ASSERT_EQ(out.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(part(out.bytes, 14 + 28, kQuote4), part(in, 14, kQuote4));
}

TEST_F(Answer, SomePacketsAreDroppedWithoutAWord) {
  const Bytes quote = first(ipv4(kProtocolTcp, tcp(80, 4242)), 28);
  Bytes long_quote = quote;
  long_quote.resize(kFits);
  const struct {
    const char* name;
    Bytes ip;
  } cases[] = {
      {"a later fragment",
       ipv4(kProtocolUdp, Bytes(kFits, 1), {.fragment = kDontFragment | 0x0003})},
      {"an error itself", ipv4(kProtocolIcmp, icmp(3, 4, long_quote), {.fragment = kDontFragment})},
      {"from nobody", datagram4(kFits + 1, {.source = {0, 0, 0, 0}, .fragment = kDontFragment})},
      {"from a group", datagram4(kFits + 1, {.source = {224, 0, 0, 1}, .fragment = kDontFragment})},
      {"to a group",
       datagram4(kFits + 1, {.destination = {224, 0, 0, 1}, .fragment = kDontFragment})},
  };
  from_outside(ethernet(kEtherTypeIpv4, {},
                        ipv4(kProtocolUdp, udp(1, 2, Bytes(16, 1)), {.fragment = 0x6000})));
  for (const auto& c : cases) {
    const Step out = from_outside(ethernet(kEtherTypeIpv4, {}, c.ip));
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop) << c.name;
    EXPECT_EQ(out.outcome.reason, kDropTooBig) << c.name;
  }
}

// ---- the MSS clamp ----

Bytes syn(const Bytes& options, uint8_t flags = kTcpSyn) {
  Bytes segment = tcp(4242, 80, flags);
  append(segment, options);
  segment[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  return with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment)));
}

TEST_F(Answer, ClampsTheMssAtAnyPlaceAndKeepsTheChecksum) {
  host->tables().settings[0].mss_clamp = 1;
  const Bytes large = {2, 4, 0x23, 0x00};
  for (size_t before = 0; before <= 4; before++) {
    Bytes options(before, 1);
    append(options, large);
    options.resize((options.size() + 3) / 4 * 4, 0);
    const Step out = from_outside(syn(options));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    const Bytes inner = inner_of(out.bytes);
    EXPECT_EQ(load_be16(&inner[40 + before + 2]), kFits - 40);
    const Bytes frame_bytes = ethernet(kEtherTypeIpv4, {}, inner);
    EXPECT_EQ(with_checksum(frame_bytes), frame_bytes) << before;
    EXPECT_EQ(events(kEventMssClamped), before + 1);
  }
}

TEST_F(Answer, LeavesWhatFitsAndWhatIsNoMss) {
  host->tables().settings[0].mss_clamp = 1;
  const Bytes kinds[] = {
      {2, 4, 0x05, 0x94},               // 1428
      {},                               // none
      {3, 3, 7, 0},                     // another option
      {0, 2, 4, 0x23, 0x00, 0, 0, 0},   // behind the end
      {8, 0, 2, 4, 0x23, 0x00, 0, 0},   // an option of length 0
      {8, 40, 2, 4, 0x23, 0x00, 0, 0},  // one that runs past the header
      {2, 3, 0x23, 0x00},               // a wrong length
      {1, 1, 1, 2},                     // cut off
  };
  for (const Bytes& options : kinds) {
    const Bytes in = syn(options);
    const Step out = from_outside(in);
    EXPECT_EQ(inner_of(out.bytes), part(in, 14, in.size() - 14));
  }
  const Bytes established = syn({2, 4, 0x23, 0x00}, kTcpAck);
  EXPECT_EQ(inner_of(from_outside(established).bytes), part(established, 14, 44));
  EXPECT_EQ(events(kEventMssClamped), 0u);
  host->tables().settings[0].mss_clamp = 0;
  from_outside(syn({2, 4, 0x23, 0x00}));
  EXPECT_EQ(events(kEventMssClamped), 0u);
}

}  // namespace
}  // namespace sluice::gateway
