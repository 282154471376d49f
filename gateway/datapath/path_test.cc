// SPDX-License-Identifier: Apache-2.0
// The packet path as tables: a frame in, a verdict and a frame out.
#include <functional>
#include <set>

#include "gateway/datapath/path_test_base.h"
#include "tunnels/geneve.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

TEST_F(Path, EncapsulatesWithTheExactHeader) {
  const Bytes in = request();
  const Step out = from_outside(in);
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(out.outcome.interface, kTunnel);
  ASSERT_EQ(out.bytes.size(), in.size() + kEncapsulationOverhead);
  // Outer IPv4: TTL 64, DF, a right checksum, the whole length; UDP to 6081 without checksum.
  EXPECT_EQ(load_be16(&out.bytes[16]), in.size() - 14 + kEncapsulationOverhead);
  EXPECT_EQ(out.bytes[20], 0x40);
  EXPECT_EQ(out.bytes[22], 64);
  EXPECT_EQ(checksum_fold(checksum_add(0, &out.bytes[14], 20)), 0);
  EXPECT_EQ(load_be16(&out.bytes[36]), 6081);
  EXPECT_EQ(load_be16(&out.bytes[38]), out.bytes.size() - 34);
  EXPECT_EQ(load_be16(&out.bytes[40]), 0);
  EXPECT_NE(load_be16(&out.bytes[34]), 6081);
  // GENEVE: 08 00 08 00 00 00 00 00, then the three options of class 0x0108.
  const Bytes geneve_head = {8,    0,    8,    0,    0,    0,    0,    0,    1, 8, 1, 2,
                             0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4, 1, 8, 2, 2,
                             0,    0,    0,    0,    0,    0,    0,    0,    1, 8, 3, 1};
  EXPECT_EQ(Bytes(out.bytes.begin() + 42, out.bytes.begin() + 78), geneve_head);
  EXPECT_EQ(inner_of(out.bytes), Bytes(in.begin() + 14, in.end()));
}

TEST_F(Path, BothDirectionsGoToTheSameTargetUnderTheSameCookie) {
  std::set<uint32_t> targets;
  for (uint16_t port_number = 1000; port_number < 1200; port_number++) {
    const Bytes forward = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port_number, 53)));
    const Bytes backward = ethernet(kEtherTypeIpv4, {},
                                    ipv4(kProtocolUdp, udp(53, port_number),
                                         {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
    const Step there = from_outside(forward);
    const Step back = from_inside(backward);
    ASSERT_EQ(there.outcome.verdict, kVerdictTarget);
    ASSERT_EQ(back.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(load_u32(&there.bytes[30]), load_u32(&back.bytes[30]));
    EXPECT_EQ(load_u16(&there.bytes[34]), load_u16(&back.bytes[34]));
    EXPECT_EQ(cookie_of(there.bytes), cookie_of(back.bytes));
    targets.insert(load_u32(&there.bytes[30]));
  }
  EXPECT_EQ(targets.size(), size_t{kAppliances});
  EXPECT_EQ(events(kEventFlowCreated), 200u);
}

TEST_F(Path, DeliversWhatWasReturnedAsItCame) {
  struct Case {
    const char* name;
    Bytes in;
  };
  Bytes odd_options = request();
  const Case cases[] = {
      {"tcp", request()},
      {"tcp with data", request(kTcpAck, Bytes(1000, 'x'))},
      {"vlan", ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(1, 2)))},
      {"qinq",
       ethernet(kEtherTypeIpv4, {kEtherTypeQinQ, kEtherTypeVlan}, ipv4(kProtocolUdp, udp(3, 4)))},
      {"ipv6", ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, tcp(1, 2)))},
      {"ipv6 vlan", ethernet(kEtherTypeIpv6, {kEtherTypeVlan}, ipv6(kProtocolUdp, udp(1, 2)))},
      {"ipv6 extension", ethernet(kEtherTypeIpv6, {}, ipv6(0, extension(kProtocolUdp, udp(5, 6))))},
      {"gre", ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 7)))},
      {"options",
       ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(7, 8), {.options = {7, 4, 0, 0}}))},
      {"echo", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, Bytes(48, 1))))},
      {"first fragment",
       ethernet(kEtherTypeIpv4, {},
                ipv4(kProtocolUdp, udp(9, 9, Bytes(16, 2)), {.fragment = 0x2000}))},
      {"later fragment",
       ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(24, 3), {.fragment = 3}))},
      {"no payload", ethernet(kEtherTypeIpv4, {}, ipv4(99, {}))},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Step delivered = round_trip(c.in, kOutside);
    EXPECT_EQ(delivered.outcome.verdict, kVerdictInside)
        << drop_reason_name(delivered.outcome.reason);
    EXPECT_EQ(delivered.outcome.interface, kInside);
    EXPECT_EQ(delivered.bytes, c.in);
  }
}

TEST_F(Path, RepliesAreDeliveredOutside) {
  round_trip(request(), kOutside);
  const Step delivered = round_trip(reply(), kInside);
  EXPECT_EQ(delivered.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(delivered.outcome.interface, kOutside);
  EXPECT_EQ(delivered.bytes, reply());
}

TEST_F(Path, PaddingIsNotEncapsulated) {
  Bytes padded = request();
  const size_t length = padded.size();
  padded.resize(60, 0xee);
  const Step out = from_outside(padded);
  EXPECT_EQ(out.bytes.size(), length + kEncapsulationOverhead);
  Bytes datagram = returned(out.bytes);
  datagram.resize(datagram.size() + 10, 0xdd);
  EXPECT_EQ(from_tunnel(datagram).bytes.size(), length);
}

TEST_F(Path, CrossesWhatIsNotIp) {
  const Bytes arp = ethernet(0x0806, {}, Bytes(28, 1));
  const Bytes solicitation = ethernet(
      kEtherTypeIpv6, {}, ipv6(kProtocolIcmpv6, icmp(135, 0, Bytes(16, 1)), {.hop_limit = 255}));
  for (const Bytes& in : {arp, solicitation, ethernet(0x88cc, {}, Bytes(50, 2))}) {
    const Step out = from_outside(in);
    EXPECT_EQ(out.outcome.verdict, kVerdictCross);
    EXPECT_EQ(out.outcome.interface, kInside);
    EXPECT_EQ(out.bytes, in);
    EXPECT_EQ(from_inside(in).outcome.interface, kOutside);
  }
  // Not from this link: inspected like any packet.
  const Bytes forged = ethernet(
      kEtherTypeIpv6, {}, ipv6(kProtocolIcmpv6, icmp(135, 0, Bytes(16, 1)), {.hop_limit = 64}));
  EXPECT_EQ(from_outside(forged).outcome.verdict, kVerdictTarget);
}

// A host strips tags of priority, however many: what is behind them may not cross uninspected.
TEST_F(Path, MoreThanTwoTagsAreRefused) {
  const Bytes packet = ipv4(kProtocolUdp, udp(7, 53, Bytes(9, 1)));
  for (const uint16_t type : {kEtherTypeVlan, kEtherTypeQinQ}) {
    for (const Bytes& in : {ethernet(kEtherTypeIpv4, {type, type, type}, packet),
                            ethernet(kEtherTypeIpv4, {type, type, type, type, type}, packet),
                            ethernet(0x0806, {type, type, type}, Bytes(28, 1))}) {
      const uint64_t before = drops(kDropVlanTags);
      EXPECT_EQ(from_outside(in).outcome.reason, kDropVlanTags);
      EXPECT_EQ(from_inside(in).outcome.verdict, kVerdictDrop);
      EXPECT_EQ(drops(kDropVlanTags), before + 2);
    }
    EXPECT_EQ(from_outside(ethernet(0x0806, {type, type}, Bytes(28, 1))).outcome.verdict,
              kVerdictCross);
  }
}

TEST_F(Path, InjectedResetGoesBackToTheClient) {
  const Step out = from_outside(request());
  const Bytes reset = ipv4(kProtocolTcp, tcp(80, 4242, kTcpRst | kTcpAck),
                           {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}});
  const Step delivered = from_tunnel(with_inner(returned(out.bytes), reset));
  ASSERT_EQ(delivered.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(Bytes(delivered.bytes.begin() + 14, delivered.bytes.end()), reset);
  // The request's addresses turned round: nothing has come from inside yet.
  const Bytes in = request();
  EXPECT_EQ(Bytes(delivered.bytes.begin(), delivered.bytes.begin() + 6),
            Bytes(in.begin() + 6, in.begin() + 12));
}

TEST_F(Path, IcmpErrorsBelongToTheFlowTheyQuote) {
  const Step out = from_outside(request());
  const Bytes quoted = request();
  const Bytes quote(quoted.begin() + 14, quoted.begin() + 14 + 28);
  const Bytes error = ethernet(kEtherTypeIpv4, {},
                               ipv4(kProtocolIcmp, icmp(3, 1, quote),
                                    {.source = {10, 0, 9, 9}, .destination = {10, 0, 0, 1}}));
  const Step there = from_inside(error);
  ASSERT_EQ(there.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(cookie_of(there.bytes), cookie_of(out.bytes));
  const Step delivered = from_tunnel(returned(there.bytes));
  EXPECT_EQ(delivered.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(delivered.bytes, error);
}

TEST_F(Path, ChangedInnerPacketsAreDelivered) {
  const Step out = from_outside(request(kTcpAck, {'a', 'b', 'c'}));
  Bytes changed = inner_of(out.bytes);
  changed[8]--;  // TTL
  changed.back() = 'X';
  const Step delivered = from_tunnel(with_inner(returned(out.bytes), changed));
  ASSERT_EQ(delivered.outcome.verdict, kVerdictInside);
  EXPECT_EQ(Bytes(delivered.bytes.begin() + 14, delivered.bytes.end()), changed);
}

TEST_F(Path, DropsBadFramesByName) {
  Bytes short_ip = request();
  short_ip.resize(30);
  Bytes lying = request();
  lying[17] = 200;
  Bytes version = request();
  version[14] = 0x65;
  Bytes half_vlan = ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, {});
  half_vlan.resize(16);
  Bytes bomb = udp(1, 2);
  for (int i = 0; i < 9; i++) bomb = extension(i == 0 ? kProtocolUdp : 60, bomb);
  const struct {
    const char* name;
    Bytes in;
    DropReason reason;
  } cases[] = {
      {"short", short_ip, kDropFrameTruncated},
      {"length", lying, kDropFrameTruncated},
      {"version", version, kDropIpInvalid},
      {"vlan", half_vlan, kDropFrameTruncated},
      {"transport", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, Bytes(10, 1))),
       kDropTransportTruncated},
      {"bomb", ethernet(kEtherTypeIpv6, {}, ipv6(60, bomb)), kDropExtensionHeaders},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const uint64_t before = drops(c.reason);
    const Step out = from_outside(c.in);
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(drop_reason_name(out.outcome.reason), drop_reason_name(c.reason));
    EXPECT_EQ(drops(c.reason), before + 1);
  }
  EXPECT_EQ(from_outside(request(kTcpAck, Bytes(kMtu - 40 - 68, 1))).outcome.verdict,
            kVerdictTarget);
}

TEST_F(Path, RefusesReturnsThatAreNotTheFlowsOwn) {
  const Bytes good = returned(from_outside(request()).bytes);
  const int owner = good[29] - 11;
  struct Case {
    const char* name;
    std::function<void(Bytes&)> spoil;
    DropReason reason;
  };
  const Case cases[] = {
      {"cookie", [](Bytes& b) { b[81] ^= 1; }, kDropCookieMismatch},
      {"endpoint", [](Bytes& b) { b[54] ^= 1; }, kDropEndpointMismatch},
      {"attachment id", [](Bytes& b) { b[73] = 1; }, kDropEndpointMismatch},
      {"stranger", [](Bytes& b) { b[29] = 99; }, kDropSourceUnregistered},
      {"other target",
       [&](Bytes& b) { b[29] = static_cast<uint8_t>(11 + (owner + 1) % kAppliances); },
       kDropTargetMismatch},
      {"other flow", [](Bytes& b) { b[82 + 21] ^= 1; }, kDropFlowUnknown},
      {"version", [](Bytes& b) { b[42] |= 0x40; }, kDropGeneveVersion},
      {"oam", [](Bytes& b) { b[43] |= 0x80; }, kDropGeneveControl},
      {"protocol", [](Bytes& b) { b[44] = 0x65; }, kDropGeneveProtocol},
      {"option gone", [](Bytes& b) { b[52] = 9; }, kDropGeneveOptionMissing},
      {"critical", [](Bytes& b) { b[52] = 0x89; }, kDropGeneveCriticalOption},
      {"options too long", [](Bytes& b) { b[42] = 63; }, kDropGeneveTruncated},
      {"inner version", [](Bytes& b) { b[82] = 0x65; }, kDropInnerInvalid},
      {"inner length", [](Bytes& b) { b[85] = 0xff; }, kDropInnerInvalid},
      {"udp length", [](Bytes& b) { b[38] = 0xff; }, kDropOuterInvalid},
      {"outer length", [](Bytes& b) { b[16] = 0xff; }, kDropOuterInvalid},
      {"outer fragment", [](Bytes& b) { b[20] = 0x20; }, kDropOuterInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Bytes bad = good;
    c.spoil(bad);
    const Step out = from_tunnel(bad);
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(drop_reason_name(out.outcome.reason), drop_reason_name(c.reason));
  }
  EXPECT_EQ(from_tunnel(good).outcome.verdict, kVerdictInside);
}

TEST_F(Path, LeavesOtherTunnelTrafficToTheStack) {
  Bytes other_port = returned(from_outside(request()).bytes);
  other_port[37] ^= 1;
  Bytes other_host = returned(from_outside(request()).bytes);
  other_host[33] ^= 1;
  for (const Bytes& in : {other_port, other_host, ethernet(0x0806, {}, Bytes(28, 1)), request()})
    EXPECT_EQ(from_tunnel(in).outcome.verdict, kVerdictStack);
  EXPECT_EQ(send(request(), 77).outcome.verdict, kVerdictStack);
  EXPECT_EQ(send(request(), kPortsMax).outcome.verdict, kVerdictStack);
}

TEST_F(Path, NoTargetIsNamed) {
  host->tables().rows[0].target = kNone16;
  for (uint32_t i = 0; i < kApplianceRows; i++) host->tables().rows[i].target = kNone16;
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNoTarget);
  host->tables().attachments[0].group = kNone16;
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNoTargetGroup);
  configure(host->tables());
  for (int i = 0; i < kAppliances; i++) host->tables().targets[i].flags &= ~kTargetResolved;
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNeighbourUnresolved);
}

TEST_F(Path, CompletesPartialChecksums) {
  for (const Bytes& whole :
       {with_checksum(request(kTcpAck, Bytes(301, 'q'))),
        with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6, Bytes(33, 'r'))))),
        with_checksum(ethernet(kEtherTypeIpv6, {},
                               ipv6(kProtocolTcp, tcp(5, 6, kTcpAck, Bytes(64, 's')))))}) {
    Bytes partial = whole;
    packet p{};
    const uint16_t type = parse_ethernet(partial.data(), partial.data() + partial.size(), &p);
    ASSERT_EQ(parse_ip(partial.data(), partial.data() + partial.size(),
                       type == kEtherTypeIpv4 ? 4 : 6, &p),
              kDropNone);
    const uint32_t length = p.l3_offset + p.l3_length - p.l4_offset;
    uint64_t sum = checksum_add(checksum_add(0, p.tuple.source, 16), p.tuple.destination, 16);
    sum += swap_be16(static_cast<uint16_t>(length)) + swap_be16(p.tuple.protocol);
    store_u16(&partial[p.l4_offset + (p.tuple.protocol == kProtocolTcp ? 16 : 6)],
              checksum_reduce(sum));
    const Step out = from_outside(partial);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(inner_of(out.bytes), Bytes(whole.begin() + 14, whole.end()));
    EXPECT_EQ(inner_of(from_outside(whole).bytes), Bytes(whole.begin() + 14, whole.end()));
  }
  EXPECT_EQ(events(kEventChecksumCompleted), 3u);
}

TEST_F(Path, TenantsWithEqualTuplesAreToldApart) {
  host->tables().attachments[1] = {kEndpoint + 1, 0, {20, 21}, 0, 1, 0};
  host->tables().ports[20] = {kPortOutside, 1, 0};
  host->tables().ports[21] = {kPortInside, 1, 0};
  const Step a = from_outside(request());
  const Step b = send(request(), 20);
  EXPECT_EQ(from_tunnel(returned(a.bytes)).outcome.interface, kInside);
  EXPECT_EQ(from_tunnel(returned(b.bytes)).outcome.interface, 21u);
  EXPECT_EQ(events(kEventFlowCreated), 2u);
}

TEST_F(Path, EveryPacketEndsInOneVerdict) {
  uint64_t sent = 0;
  for (const Bytes& in : {request(), reply(), Bytes{}, Bytes(13, 0),
                          ethernet(0x0806, {}, Bytes(28, 1)), Bytes(2000, 0xff)}) {
    for (uint32_t interface_index : {kOutside, kInside, kTunnel}) {
      send(in, interface_index);
      sent++;
    }
  }
  const counters& c = host->tables().counters[0];
  uint64_t verdicts = 0;
  for (uint64_t n : c.verdict) verdicts += n;
  uint64_t dropped = 0;
  for (uint64_t n : c.drop) dropped += n;
  EXPECT_EQ(verdicts, sent);
  EXPECT_EQ(dropped, c.verdict[kVerdictDrop]);
  EXPECT_EQ(c.drop[kDropNone], 0u);
}

TEST(Host, CpusWithoutCountersAreRefused) {
  for (const char* fits : {"0", "0-1", "0-126", "0-3,8", "0,126", "", "none"})
    EXPECT_TRUE(cpus_fit(fits)) << fits;
  for (const char* too_many : {"0-127", "0,128", "0-3,64-191"})
    EXPECT_FALSE(cpus_fit(too_many)) << too_many;
  EXPECT_EQ(cpus_fit("0-255").error().text(),
            "the packet path counts for CPUs 0 to 126, and this machine has one numbered 255");
}

}  // namespace
}  // namespace sluice::gateway
