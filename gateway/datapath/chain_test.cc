// SPDX-License-Identifier: Apache-2.0
// Chains: every packet visits every hop, in order and back, and no appliance can make one pass by
// another.
#include "gateway/datapath/chain.h"

#include <algorithm>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint8_t kRule = 5;

int appliance(const Bytes& datagram) { return datagram[33] - 11; }
int appliance(const Step& step) { return appliance(step.bytes); }

// What appliance `number` sends with the header of a datagram that another one may have got.
Bytes returned_by(int number, const Bytes& datagram) {
  Bytes out = returned(datagram);
  out[29] = static_cast<uint8_t>(11 + number);
  store_u16(&out[24], 0);
  store_u16(&out[24], checksum_fold(checksum_add(0, &out[14], 20)));
  return out;
}

Bytes with_cookie(Bytes datagram, uint32_t cookie) {
  store_be32(&datagram[kOuterFlowCookie], cookie);
  return datagram;
}

// Group i of the chain has appliance i alone.
class Chain : public Path {
 protected:
  void SetUp() override { chain(2); }

  void chain(uint16_t hops) {
    Path::SetUp();
    for (uint16_t group = 0; group < kAppliances; group++) {
      tables().groups[group] = {kFlowHash5Tuple, 1, 0, {}, 0};
      rows_to(group, group);
    }
    policy_rule& r = tables().policy_rules[kRule];
    r.in_use = 1;
    r.hops = hops;
    for (uint16_t i = 0; i < hops; i++) r.hop[i] = {{0xffffffff}, {i}, 1};
    use_for_all(tables(), kRule);
  }
  Tables& tables() { return host->tables(); }
  void rows_to(uint16_t group, uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[first_row(group) + i];
      r = {target, r.target, static_cast<uint32_t>(host->now_ms() / 1000)};
    }
  }
  flow_record& record() {
    for (uint32_t i = 0; i < tables().flow_buckets_count * kFlowWays; i++)
      if (tables().flow_buckets[i / kFlowWays].entry[i % kFlowWays] != 0)
        return *table_flow_records(&tables(), i);
    ADD_FAILURE() << "no flow";
    return *table_flow_records(&tables(), 0);
  }
  // Which appliances a packet visits, and where it ends.
  std::pair<std::vector<int>, Step> journey(const Bytes& in, uint32_t interface_index) {
    std::vector<int> visited;
    Step step = send(in, interface_index);
    while (step.outcome.verdict == kVerdictTarget && visited.size() < 9) {
      visited.push_back(appliance(step));
      step = from_tunnel(returned(step.bytes));
    }
    return {visited, step};
  }
  std::vector<int> visits(const Bytes& in, uint32_t interface_index) {
    return journey(in, interface_index).first;
  }
};

using Visits = std::vector<int>;

TEST_F(Chain, PacketsVisitAllHopsAndRepliesComeBackBackwards) {
  for (uint16_t hops = 2; hops <= kChainHopsMax; hops++) {
    chain(hops);
    Visits there, back;
    for (int i = 0; i < hops; i++) there.push_back(i);
    back.assign(there.rbegin(), there.rend());
    const auto [first, out] = journey(request(), kOutside);
    EXPECT_EQ(first, there);
    EXPECT_EQ(out.outcome.verdict, kVerdictInside);
    EXPECT_EQ(out.outcome.interface, kInside);
    EXPECT_EQ(out.bytes, request());
    const auto [second, answer] = journey(reply(), kInside);
    EXPECT_EQ(second, back);
    EXPECT_EQ(answer.outcome.verdict, kVerdictOutside);
    EXPECT_EQ(answer.bytes, reply());
    EXPECT_EQ(visits(request(kTcpAck, {1, 2, 3}), kOutside), there);
    EXPECT_EQ(events(kEventFlowCreated), 1u);
    EXPECT_EQ(record().delivered, 3u);
    for (int i = 0; i < hops; i++) {
      EXPECT_EQ(tables().target_counters[i].packets_sent, 3u) << i;
      EXPECT_EQ(tables().target_counters[i].packets_returned, 3u) << i;
      EXPECT_EQ(tables().target_counters[i].flows, 1u) << i;
    }
    EXPECT_EQ(tables().policy_counters[kRule].flows, 1u);
  }
}

TEST_F(Chain, AConnectionFromTheInsideBeginsAtTheFirstHop) {
  EXPECT_EQ(visits(reply(kTcpSyn), kInside), (Visits{0, 1}));
  EXPECT_EQ(visits(request(kTcpSyn | kTcpAck), kOutside), (Visits{1, 0}));
}

TEST_F(Chain, WhatAHopInjectsPassesTheOthersOnItsWay) {
  journey(request(), kOutside);
  journey(reply(), kInside);
  const Step at_ids = from_outside(request(kTcpAck));
  const Step at_dpi = from_tunnel(returned(at_ids.bytes));
  ASSERT_EQ(appliance(at_dpi), 1);
  // A reset for the client, by the hop behind: the hop before sees it.
  const Bytes frame = reply(kTcpRst);
  const Bytes reset(frame.begin() + 14, frame.end());
  const Step back = from_tunnel(returned(with_inner(at_dpi.bytes, reset)));
  EXPECT_EQ(back.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(appliance(back), 0);
  EXPECT_EQ(record().flags & kFlowReset, 0) << "not approved by all yet";
  EXPECT_EQ(from_tunnel(returned(back.bytes)).outcome.verdict, kVerdictOutside);
  EXPECT_NE(record().flags & kFlowReset, 0);
  // And one for the client by the first hop is on its way out.
  EXPECT_EQ(from_tunnel(returned(with_inner(at_ids.bytes, reset))).outcome.verdict,
            kVerdictOutside);
}

TEST_F(Chain, NoApplianceMakesAPacketPassByAnother) {
  chain(3);
  const Step first = from_outside(request());
  const Step second = from_tunnel(returned(first.bytes));
  const Step third = from_tunnel(returned(second.bytes));
  ASSERT_EQ(appliance(third), 2);
  const auto reason = [&](const Bytes& datagram) { return from_tunnel(datagram).outcome.reason; };
  // The first with the cookie of the last, the last with that of the first, an outsider with any.
  EXPECT_EQ(reason(returned_by(0, third.bytes)), kDropCookieMismatch);
  EXPECT_EQ(reason(returned_by(0, second.bytes)), kDropCookieMismatch);
  EXPECT_EQ(reason(returned_by(2, first.bytes)), kDropCookieMismatch);
  EXPECT_EQ(reason(returned_by(3, third.bytes)), kDropTargetMismatch);
  // Cookies that were put together: the digest of one hop under the target of another, and all
  // that can be read off the record.
  const uint32_t one = cookie_of(first.bytes), last = cookie_of(third.bytes);
  EXPECT_EQ(reason(with_cookie(returned(first.bytes), (one & 0xffff0000) | (last & 0xffff))),
            kDropCookieMismatch);
  EXPECT_EQ(reason(with_cookie(returned(first.bytes), record().cookie)), kDropCookieMismatch);
  EXPECT_EQ(reason(with_cookie(returned(first.bytes), one ^ 0x10000000)), kDropCookieMismatch);
  int taken = 0;
  for (uint32_t digest = 0; digest < 0x10000; digest++) {
    const Step step = from_tunnel(with_cookie(returned(first.bytes), (one & 0xffff0000) | digest));
    if (step.outcome.verdict == kVerdictDrop) continue;
    taken++;
    EXPECT_EQ(step.outcome.verdict, kVerdictTarget) << "never past the other hops";
  }
  EXPECT_EQ(taken, 1) << "only its own";
  // Its own, again and again, is never delivered by it alone.
  EXPECT_EQ(appliance(from_tunnel(returned(first.bytes))), 1);
  EXPECT_EQ(appliance(from_tunnel(returned(first.bytes))), 1);
  EXPECT_EQ(from_tunnel(returned(third.bytes)).outcome.verdict, kVerdictInside);
}

TEST_F(Chain, TheSameApplianceTwiceHasTwoCookies) {
  rows_to(1, 0);
  const Step first = from_outside(request());
  const Step second = from_tunnel(returned(first.bytes));
  EXPECT_EQ(appliance(second), 0);
  EXPECT_NE(cookie_of(first.bytes), cookie_of(second.bytes));
  EXPECT_EQ(from_tunnel(returned(second.bytes)).outcome.verdict, kVerdictInside);
}

TEST_F(Chain, AHintIsAboutItsOwnHopOnly) {
  const Step first = from_outside(request());
  const Step second = from_tunnel(hinted(first.bytes, kBypassHint));
  EXPECT_EQ(appliance(second), 1) << "the other still inspects it";
  EXPECT_EQ(visits(reply(), kInside), Visits{1});
  EXPECT_EQ(visits(request(kTcpAck), kOutside), Visits{1});
  EXPECT_EQ(events(kEventBypassed), 0u);
  // What the first one still has goes on, too.
  EXPECT_EQ(appliance(from_tunnel(returned(first.bytes))), 1);
  from_tunnel(hinted(from_outside(request(kTcpAck)).bytes, kBypassHint));
  EXPECT_EQ(visits(request(kTcpAck), kOutside), Visits{}) << "nobody wants more";
  EXPECT_EQ(events(kEventBypassed), 1u);
}

TEST_F(Chain, AHintMovesItsOwnHopOnly) {
  rows_to(kOtherGroup, 3);  // which is that of the second hop
  const Step first = from_outside(request());
  ASSERT_EQ(appliance(first), 0);
  from_tunnel(hinted(first.bytes, kSteerHint));
  EXPECT_EQ(visits(request(kTcpAck), kOutside), (Visits{3, 3}));
}

TEST_F(Chain, ALostHopIsReplacedAndTheOthersStay) {
  journey(request(), kOutside);
  journey(reply(), kInside);
  const Step at_ids = from_outside(request(kTcpAck));
  const Step at_dpi = from_tunnel(returned(at_ids.bytes));
  rows_to(1, 3);
  tables().targets[1].flags |= kTargetMoves;
  EXPECT_EQ(visits(request(kTcpAck), kOutside), (Visits{0, 3}));
  EXPECT_EQ(events(kEventFlowMoved), 1u);
  EXPECT_EQ(visits(reply(), kInside), (Visits{3, 0}));
  // What was on its way goes on under the former cookie, for a while.
  EXPECT_EQ(from_tunnel(returned(at_dpi.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(appliance(from_tunnel(returned(at_ids.bytes))), 3);
  EXPECT_EQ(events(kEventFormerCookie), 2u);
  host->set_now_ms(host->now_ms() + kFormerCookieMs + 1);
  EXPECT_EQ(from_tunnel(returned(at_dpi.bytes)).outcome.reason, kDropCookieExpired);
}

TEST_F(Chain, AHopThatFailsOpenIsPassedBy) {
  journey(request(), kOutside);
  rows_to(0, kNone16);
  tables().groups[0].flags = kGroupFailsOpen;
  tables().targets[0].flags |= kTargetMoves;
  EXPECT_EQ(visits(request(kTcpAck), kOutside), Visits{1}) << "a flow that is there";
  EXPECT_EQ(visits(reply(), kInside), Visits{1});
  EXPECT_EQ(events(kEventFailedOpen), 2u) << "uninspected by one of its hops";
  tables().targets[0].flags &= ~kTargetMoves;
  EXPECT_EQ(visits(request(kTcpAck), kOutside), (Visits{0, 1})) << "and goes back";
  EXPECT_EQ(events(kEventFailedOpen), 2u);
  const Bytes other = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4243, 80)));
  EXPECT_EQ(visits(other, kOutside), Visits{1}) << "one that begins";
  EXPECT_EQ(events(kEventFailedOpen), 3u);
  rows_to(1, kNone16);
  const Bytes third = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4244, 80)));
  EXPECT_EQ(from_outside(third).outcome.reason, kDropNoTarget) << "the other one does not";
  tables().groups[1].flags = kGroupFailsOpen;
  EXPECT_EQ(from_outside(third).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFailedOpen), 4u);
  EXPECT_EQ(events(kEventBypassed), 0u);
}

TEST_F(Chain, WhatDoesNotGoOnFailsOpenNowhere) {
  rows_to(0, kNone16);
  tables().groups[0].flags = kGroupFailsOpen;
  journey(request(), kOutside);
  ASSERT_EQ(events(kEventFailedOpen), 1u);
  const auto of_length = [](uint16_t fragment) {
    return ethernet(
        kEtherTypeIpv4, {},
        ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(1600, 1)), {.fragment = fragment}));
  };
  EXPECT_EQ(from_outside(of_length(0x4000)).outcome.verdict, kVerdictAnswered) << "too big";
  EXPECT_EQ(from_outside(of_length(0)).outcome.verdict, kVerdictSlowPath) << "to be cut";
  tables().targets[1].flags &= ~kTargetResolved;
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.reason, kDropNeighbourUnresolved);
  EXPECT_EQ(events(kEventFailedOpen), 1u);
  tables().targets[1].flags |= kTargetResolved;
  EXPECT_EQ(visits(request(kTcpAck), kOutside), Visits{1});
  EXPECT_EQ(events(kEventFailedOpen), 2u);
}

// The packets of a flow pass by its first hop for want of a target, and by its second because that
// has seen enough.
TEST_F(Chain, AHopThatWantsNoMoreDoesNotCountAsOneThatCannot) {
  chain(3);
  rows_to(0, kNone16);
  tables().groups[0].flags = kGroupFailsOpen;
  const Step at_second = from_outside(request());
  ASSERT_EQ(appliance(at_second), 1);
  EXPECT_EQ(events(kEventFailedOpen), 1u);
  const Step at_third = from_tunnel(hinted(at_second.bytes, kBypassHint));
  EXPECT_EQ(from_tunnel(returned(at_third.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(visits(request(kTcpAck), kOutside), Visits{2});
  EXPECT_EQ(events(kEventFailedOpen), 2u) << "the first hop, not the second";
  EXPECT_EQ(visits(reply(), kInside), Visits{2});
  EXPECT_EQ(events(kEventFailedOpen), 3u);
}

TEST_F(Chain, AGroupThatResetsEndsTheConnection) {
  journey(request(), kOutside);
  journey(reply(), kInside);
  rows_to(1, 3);
  tables().targets[1].flags |= kTargetResets;
  const Step out = from_outside(request(kTcpAck));
  EXPECT_EQ(out.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(out.outcome.reason, kDropTargetLost);
  EXPECT_EQ(visits(request(), kOutside), (Visits{0, 3})) << "the next connection";
}

TEST_F(Chain, TheSmallestMtuOfAllHopsCounts) {
  journey(request(), kOutside);
  tables().targets[1].mtu = 1300;
  const Bytes big =
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(1300, 1)), {.fragment = 0x4000}));
  const Step told = from_outside(big);
  EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(told.outcome.reason, kDropTooBig);
  // What has grown at a hop does not fit the next one.
  const Step small = from_outside(request(kTcpAck));
  const Bytes grown = Bytes(big.begin() + 14, big.end());
  EXPECT_EQ(from_tunnel(returned(with_inner(small.bytes, grown))).outcome.reason, kDropTooBig);
}

TEST_F(Chain, NlbFlowsAreTranslatedBehindTheLastHop) {
  const Bytes in = with_checksum(
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(4242, 7000, kTcpSyn), {.destination = {10, 0, 0, 100}})));
  const auto [there, out] = journey(in, kOutside);
  EXPECT_EQ(there, (Visits{0, 1}));
  EXPECT_EQ(out.outcome.verdict, kVerdictInside);
  EXPECT_EQ(Bytes(out.bytes.begin() + 30, out.bytes.begin() + 34), (Bytes{10, 0, 0, 21}));
  const Bytes answer =
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(7001, 4242, kTcpSyn | kTcpAck),
                                  {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}})));
  const auto [back, delivered] = journey(answer, kInside);
  EXPECT_EQ(back, (Visits{1, 0}));
  EXPECT_EQ(delivered.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(Bytes(delivered.bytes.begin() + 26, delivered.bytes.begin() + 30),
            (Bytes{10, 0, 0, 100}));
}

TEST_F(Chain, Ipv6FlowsHaveChainsToo) {
  const Bytes in = ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1000, 53, Bytes(30, 1))));
  EXPECT_EQ(visits(in, kOutside), (Visits{0, 1}));
}

TEST_F(Chain, ATupleThatIsUsedAgainHasNewCookies) {
  const Step first = from_outside(request());
  from_tunnel(returned(from_tunnel(returned(first.bytes)).bytes));
  journey(reply(kTcpRst), kInside);
  const Step again = from_outside(request());
  EXPECT_EQ(events(kEventFlowCreated), 2u);
  EXPECT_NE(cookie_of(again.bytes), cookie_of(first.bytes));
  EXPECT_EQ(appliance(from_tunnel(returned(again.bytes))), 1);
}

}  // namespace
}  // namespace sluice::gateway
