// SPDX-License-Identifier: Apache-2.0
// What becomes of flows whose target is unhealthy or gone, and of TCP packets without a flow: they
// move, pass by, are dropped, or are answered by RST.
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kSequence = 0x11223344;
constexpr uint32_t kAcknowledged = 0x55667788;

Bytes segment(uint16_t from, uint16_t to, uint8_t flags, const Bytes& payload = {}) {
  Bytes out = tcp(from, to, flags, payload);
  store_be32(&out[4], kSequence);
  store_be32(&out[8], kAcknowledged);
  return out;
}

class Failover : public Path {
 protected:
  Tables& tables() { return host->tables(); }
  void rows_to(uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[i];
      r = {target, r.target, static_cast<uint32_t>(host->now_ms() / 1000)};
    }
  }
  // An answered flow, and the target that it has; all rows then belong to the next one.
  uint16_t flow_of_a_lost_target(uint16_t mark) {
    const Step out = from_outside(request());
    round_trip(reply(), kInside);
    const auto lost = static_cast<uint16_t>(out.bytes[33] - 11);
    rows_to(next(lost));
    tables().targets[lost].flags |= mark;
    return lost;
  }
  static uint16_t next(uint16_t target) {
    return static_cast<uint16_t>((target + 1) % kAppliances);
  }
  static int appliance(const Step& step) { return step.bytes[33] - 11; }
};

TEST_F(Failover, AnUnknownConnectionIsTakenOrRefused) {
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventMidFlow), 1u);
  tables().attachments[0].flags = kAttachmentDropsUnknown;
  const auto other = [](uint8_t flags) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(4243, 80, flags)));
  };
  EXPECT_EQ(from_outside(other(kTcpAck)).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(from_outside(other(kTcpSyn | kTcpAck)).outcome.reason, kDropFlowNotBegun);
  // An ICMP error about one leaves nothing by which the rest would pass.
  const Bytes quoted = ipv4(kProtocolTcp, segment(80, 4243, kTcpAck),
                            {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}});
  const Bytes error = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(3, 4, quoted)));
  EXPECT_EQ(from_outside(error).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(from_outside(other(kTcpAck)).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(from_outside(other(kTcpSyn)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(from_outside(other(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(from_outside(error).outcome.verdict, kVerdictTarget);
  // Fragments, the first by its flags and the others with it.
  const auto fragment = [](const Bytes& payload, uint16_t field) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, payload, {.fragment = field}));
  };
  const Bytes head = segment(4244, 80, kTcpAck, Bytes(4, 1));
  EXPECT_EQ(from_outside(fragment(head, 0x2000)).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(from_outside(fragment(Bytes(24, 1), 3)).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(events(kEventMidFlow), 1u);
  EXPECT_EQ(drops(kDropFlowNotBegun), 6u);
  EXPECT_EQ(events(kEventResetSent), 0u);
}

// Another gateway's connection, or one from before a restart, from before its row changed hands.
TEST_F(Failover, AnUnknownConnectionGoesToItsRowsFormerOwnerForAWhile) {
  const int now_owner = 3;
  const int owner = appliance(from_outside(request(kTcpAck)));
  const auto packet = [](uint16_t port, uint8_t flags) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(port, 80, flags)));
  };
  for (uint32_t i = 0; i < kApplianceRows; i++)
    tables().rows[i] = {now_owner, 1, static_cast<uint32_t>(host->now_ms() / 1000)};
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), owner) << "this one is known";
  EXPECT_EQ(appliance(from_outside(packet(1000, kTcpAck))), 1);
  EXPECT_EQ(appliance(from_outside(packet(1001, kTcpSyn))), now_owner);
  tables().targets[1].flags |= kTargetMoves;
  EXPECT_EQ(appliance(from_outside(packet(1002, kTcpAck))), now_owner) << "flows are leaving it";
  tables().targets[1].flags &= ~kTargetMoves;
  host->set_now_ms(host->now_ms() + 350'000);
  EXPECT_EQ(appliance(from_outside(packet(1003, kTcpAck))), 1);
  host->set_now_ms(host->now_ms() + 1000);
  EXPECT_EQ(appliance(from_outside(packet(1004, kTcpAck))), now_owner);
}

// ---- resets ----

struct ResetCase {
  const char* name;
  Bytes in;
  uint32_t sequence, acknowledgment;
  uint8_t flags;
};

TEST_F(Failover, AResetAnswersWhatItsSenderExpectsNext) {
  tables().attachments[0].flags = kAttachmentDropsUnknown | kAttachmentResets;
  const Bytes data(100, 'x');
  const ResetCase cases[] = {
      {"ack", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, kTcpAck))),
       kAcknowledged, 0, kTcpRst},
      {"data", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, kTcpAck, data))),
       kAcknowledged, 0, kTcpRst},
      {"vlan, options",
       ethernet(kEtherTypeIpv4, {kEtherTypeQinQ, kEtherTypeVlan},
                ipv4(kProtocolTcp, segment(1, 2, kTcpAck, data), {.options = Bytes(40, 1)})),
       kAcknowledged, 0, kTcpRst},
      {"no ack", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, 0, data))), 0,
       kSequence + 100, kTcpRst | kTcpAck},
      {"fin", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, kTcpFin, data))), 0,
       kSequence + 101, kTcpRst | kTcpAck},
      {"lying header",
       ethernet(kEtherTypeIpv4, {},
                ipv4(kProtocolTcp,
                     [] {
                       Bytes out = segment(1, 2, 0);
                       out[12] = 0xf0;
                       return out;
                     }())),
       0, kSequence, kTcpRst | kTcpAck},
      {"ipv6", ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, segment(1, 2, kTcpAck, data))),
       kAcknowledged, 0, kTcpRst},
      {"ipv6 extension",
       ethernet(kEtherTypeIpv6, {kEtherTypeVlan},
                ipv6(0, extension(kProtocolTcp, segment(1, 2, kTcpFin)))),
       0, kSequence + 1, kTcpRst | kTcpAck},
  };
  for (const ResetCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Step out = from_inside(c.in);
    ASSERT_EQ(out.outcome.verdict, kVerdictAnswered);
    EXPECT_EQ(out.outcome.reason, kDropFlowNotBegun);
    EXPECT_EQ(out.outcome.interface, kInside) << "back to its sender";
    packet in{}, back{};
    const Bytes& b = out.bytes;
    const uint16_t type = parse_ethernet(b.data(), b.data() + b.size(), &back);
    parse_ethernet(c.in.data(), c.in.data() + c.in.size(), &in);
    const uint8_t version = type == kEtherTypeIpv4 ? 4 : 6;
    ASSERT_EQ(parse_ip(b.data(), b.data() + b.size(), version, &back), kDropNone);
    ASSERT_EQ(parse_ip(c.in.data(), c.in.data() + c.in.size(), version, &in), kDropNone);
    EXPECT_EQ(b.size(), back.l3_offset + (version == 4 ? 40 : 60));
    EXPECT_EQ(Bytes(b.begin(), b.begin() + 6), Bytes(c.in.begin() + 6, c.in.begin() + 12));
    EXPECT_EQ(Bytes(b.begin() + 6, b.begin() + 12), Bytes(c.in.begin(), c.in.begin() + 6));
    EXPECT_EQ(Bytes(b.begin() + 12, b.begin() + back.l3_offset),
              Bytes(c.in.begin() + 12, c.in.begin() + back.l3_offset))
        << "tags and type";
    for (int i = 0; i < 4; i++) {
      EXPECT_EQ(back.tuple.source[i], in.tuple.destination[i]);
      EXPECT_EQ(back.tuple.destination[i], in.tuple.source[i]);
    }
    EXPECT_EQ(back.tuple.source_port, in.tuple.destination_port);
    EXPECT_EQ(back.tuple.destination_port, in.tuple.source_port);
    const uint8_t* t = &b[back.l4_offset];
    EXPECT_EQ(load_be32(t + 4), c.sequence);
    EXPECT_EQ(load_be32(t + 8), c.acknowledgment);
    EXPECT_EQ(load_be16(t + 12), 0x5000 | c.flags);
    EXPECT_EQ(with_checksum(b), b) << "the checksums are right";
  }
  EXPECT_EQ(events(kEventResetSent), std::size(cases));
  EXPECT_EQ(drops(kDropFlowNotBegun), std::size(cases));
}

TEST_F(Failover, SomeSegmentsGetNoReset) {
  tables().attachments[0].flags = kAttachmentDropsUnknown | kAttachmentResets;
  const Bytes frames[] = {
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, kTcpRst))),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(1, 2, kTcpRst | kTcpAck))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, segment(1, 2, kTcpAck), {.source = {224, 0, 0, 1}})),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, segment(1, 2, kTcpAck), {.source = {0, 0, 0, 0}})),
      ethernet(kEtherTypeIpv6, {},
               ipv6(kProtocolTcp, segment(1, 2, kTcpAck), {.source = Bytes(16, 0xff)})),
  };
  for (const Bytes& in : frames) {
    const Step out = from_outside(in);
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(out.outcome.reason, kDropFlowNotBegun);
  }
  EXPECT_EQ(events(kEventResetSent), 0u);
}

TEST_F(Failover, AnExpiredConnectionIsResetWhereThatIsWanted) {
  from_outside(request());
  tables().attachments[0].flags = kAttachmentResets;
  host->set_now_ms(host->now_ms() + 350'001);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(from_inside(reply(kTcpAck)).outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(drops(kDropFlowExpired), 2u);
  EXPECT_EQ(events(kEventResetSent), 2u);
}

// ---- targets that are lost ----

TEST_F(Failover, WithoutAMarkFlowsStay) {
  const uint16_t lost = flow_of_a_lost_target(0);
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), lost);
  EXPECT_EQ(appliance(from_inside(reply(kTcpAck))), lost);
}

TEST_F(Failover, FlowsMoveTogetherAndStayWhereTheyWent) {
  const Step before = from_outside(request());
  const uint16_t lost = flow_of_a_lost_target(kTargetMoves);
  const Step moved = from_inside(reply(kTcpAck));
  EXPECT_EQ(appliance(moved), next(lost));
  EXPECT_EQ(cookie_of(moved.bytes), cookie_of(from_outside(request(kTcpAck)).bytes));
  EXPECT_NE(cookie_of(moved.bytes), cookie_of(before.bytes));
  EXPECT_EQ(events(kEventFlowMoved), 1u);
  EXPECT_EQ(events(kEventFlowCreated), 1u) << "it is the same flow";
  // What the former target still had is delivered.
  EXPECT_EQ(from_tunnel(returned(before.bytes)).outcome.verdict, kVerdictInside);
  // It recovers: its rows are its own again, and the flow stays.
  tables().targets[lost].flags &= ~kTargetMoves;
  rows_to(lost);
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), next(lost));
  EXPECT_EQ(events(kEventFlowMoved), 1u);
}

TEST_F(Failover, AFlowWhoseRowIsStillItsTargetsStays) {
  const Step before = from_outside(request());
  for (int i = 0; i < kAppliances; i++) tables().targets[i].flags |= kTargetMoves | kTargetResets;
  EXPECT_EQ(cookie_of(from_outside(request(kTcpAck)).bytes), cookie_of(before.bytes));
}

TEST_F(Failover, FlowsOfATargetThatIsGoneMove) {
  const uint16_t lost = flow_of_a_lost_target(0);
  tables().targets[lost].flags = 0;
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), next(lost));
  EXPECT_EQ(events(kEventFlowMoved), 1u);
  // Or find nobody.
  tables().targets[next(lost)].flags = 0;
  rows_to(kNone16);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.reason, kDropNoTarget);
  // A place that an NLB target has now is no appliance.
  tables().targets[next(lost)].flags = kTargetInUse | kTargetResolved | kTargetNlb;
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.reason, kDropNoTarget);
}

TEST_F(Failover, BothEndsAreResetAndMayBeginAgain) {
  const uint16_t lost = flow_of_a_lost_target(kTargetResets);
  const Step to_client = from_outside(request(kTcpAck, Bytes(10, 'x')));
  EXPECT_EQ(to_client.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(to_client.outcome.reason, kDropTargetLost);
  EXPECT_EQ(to_client.outcome.interface, kOutside);
  const Step to_server = from_inside(reply(kTcpAck));
  EXPECT_EQ(to_server.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(to_server.outcome.interface, kInside);
  EXPECT_EQ(from_inside(reply(kTcpRst)).outcome.verdict, kVerdictDrop);
  EXPECT_EQ(events(kEventResetSent), 2u);
  EXPECT_EQ(drops(kDropTargetLost), 3u);
  const Step again = from_outside(request());
  EXPECT_EQ(appliance(again), next(lost));
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
}

TEST_F(Failover, OnlyTcpIsReset) {
  const Bytes in = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6)));
  const int lost = appliance(from_outside(in));
  rows_to(next(static_cast<uint16_t>(lost)));
  tables().targets[lost].flags |= kTargetResets;
  EXPECT_EQ(appliance(from_outside(in)), lost);
}

TEST_F(Failover, AnNlbTargetIsResetByItsOwnAddresses) {
  const Ipv4 to_listener{.destination = {10, 0, 0, 100}};
  const Bytes syn =
      with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), to_listener)));
  const int lost = appliance(from_outside(syn));
  round_trip(syn, kOutside);
  const Ipv4 back{.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}};
  round_trip(with_checksum(ethernet(kEtherTypeIpv4, {},
                                    ipv4(kProtocolTcp, tcp(7001, 4242, kTcpSyn | kTcpAck), back))),
             kInside);
  rows_to(next(static_cast<uint16_t>(lost)));
  tables().targets[lost].flags |= kTargetResets;
  const Step out = from_inside(with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolTcp, segment(7001, 4242, kTcpAck, Bytes(9, 1)), back))));
  ASSERT_EQ(out.outcome.verdict, kVerdictAnswered);
  const Bytes wanted = with_checksum(
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(4242, 7001, kTcpRst),
                    {.source = {10, 0, 0, 1}, .destination = {10, 0, 0, 21}, .fragment = 0x4000})));
  EXPECT_EQ(Bytes(out.bytes.begin() + 26, out.bytes.begin() + 38),
            Bytes(wanted.begin() + 26, wanted.begin() + 38));
  EXPECT_EQ(load_be32(&out.bytes[38]), kAcknowledged);
  EXPECT_EQ(with_checksum(out.bytes), out.bytes);
}

// ---- no target is healthy ----

TEST_F(Failover, AGroupThatFailsOpenPassesPacketsByName) {
  const uint16_t lost = flow_of_a_lost_target(kTargetMoves);
  const uint64_t created = events(kEventFlowCreated);
  rows_to(kNone16);
  tables().groups[0].flags = kGroupFailsOpen;
  // A flow from before, both ways.
  const Bytes there = with_checksum(request(kTcpAck));
  const Step passed = from_outside(there);
  EXPECT_EQ(passed.outcome.verdict, kVerdictInside);
  EXPECT_EQ(passed.outcome.interface, kInside);
  EXPECT_EQ(passed.bytes, there);
  EXPECT_EQ(from_inside(with_checksum(reply(kTcpAck))).outcome.verdict, kVerdictOutside);
  // A new one.
  const Bytes fresh = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6)));
  EXPECT_EQ(from_outside(fresh).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFailedOpen), 3u);
  EXPECT_EQ(events(kEventBypassed), 0u);
  EXPECT_EQ(events(kEventFlowCreated), created + 1);
  // The target recovers: nobody moves.
  tables().groups[0].flags = 0;
  tables().targets[lost].flags &= ~kTargetMoves;
  rows_to(next(lost));
  EXPECT_EQ(appliance(from_outside(there)), lost);
  EXPECT_EQ(from_outside(fresh).outcome.verdict, kVerdictInside) << "it began uninspected";
  EXPECT_EQ(events(kEventFailedOpen), 4u);
  EXPECT_EQ(
      from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 7)))).outcome.verdict,
      kVerdictTarget);
}

TEST_F(Failover, AGroupThatFailsClosedDropsNewFlowsOnly) {
  const uint16_t lost = flow_of_a_lost_target(0);
  rows_to(kNone16);
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), lost);
  EXPECT_EQ(
      from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6)))).outcome.reason,
      kDropNoTarget);
  EXPECT_EQ(events(kEventFailedOpen), 0u);
}

}  // namespace
}  // namespace sluice::gateway
