// SPDX-License-Identifier: Apache-2.0
// The guard of new flows, and flows that go without a record: both directions to one target, and
// nothing back that was not sent there.
#include "gateway/datapath/new_flow_guard.h"
#include "gateway/datapath/unrecorded_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

// ---- the guard ----

TEST_F(Unrecorded, TheGuardLetsAnEndpointOpenSoManyFlowsASecond) {
  guard(100);
  for (uint32_t n = 0; n < 150; n++)
    ASSERT_EQ(from_outside(syn_of(n)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventFlowCreated), 100u);
  EXPECT_EQ(events(kEventUnrecordedSent), 50u);
  EXPECT_EQ(events(kEventGuardClosed), 1u);
  // It opens when there is enough for 64 ms, not for each that comes in.
  host->set_now_ms(host->now_ms() + 63);
  from_outside(syn_of(1000));
  EXPECT_EQ(events(kEventFlowCreated), 100u);
  host->set_now_ms(host->now_ms() + 1);
  for (uint32_t n = 2000; n < 2010; n++) from_outside(syn_of(n));
  EXPECT_EQ(events(kEventFlowCreated), 106u);
  EXPECT_EQ(events(kEventGuardClosed), 2u);
  // What it does not use in a second is not kept.
  host->set_now_ms(host->now_ms() + 10'000);
  for (uint32_t n = 3000; n < 3200; n++) from_outside(syn_of(n));
  EXPECT_EQ(events(kEventFlowCreated), 206u);
  // Known flows are not asked.
  const uint64_t sent = events(kEventUnrecordedSent);
  for (uint32_t n = 0; n < 100; n++) from_outside(syn_of(n));
  EXPECT_EQ(events(kEventUnrecordedSent), sent);
}

TEST_F(Unrecorded, EachEndpointAndCpuHasAGuardOfItsOwn) {
  close_guard();
  tables().attachments[1] = endpoint();
  tables().attachments[1].endpoint_id++;
  EXPECT_FALSE(new_flow_is_allowed(&tables(), 0, 0, static_cast<uint32_t>(host->now_ms())));
  EXPECT_TRUE(new_flow_is_allowed(&tables(), 1, 0, static_cast<uint32_t>(host->now_ms())));
  EXPECT_TRUE(new_flow_is_allowed(&tables(), 0, 1, static_cast<uint32_t>(host->now_ms())));
  EXPECT_FALSE(new_flow_is_allowed(&tables(), 0, 1, static_cast<uint32_t>(host->now_ms())));
}

TEST_F(Unrecorded, TheHighestRateNeitherOverflowsNorStarves) {
  guard(kNewFlowsMost);
  const auto now = static_cast<uint32_t>(host->now_ms());
  uint32_t allowed = 0;
  while (new_flow_is_allowed(&tables(), 0, 0, now)) allowed++;
  EXPECT_EQ(allowed, uint32_t{kNewFlowsMost});
}

TEST_F(Unrecorded, ATupleUsedAgainTakesNoToken) {
  from_outside(request());
  round_trip(reply(kTcpRst), kInside);
  guard(1);
  from_outside(syn_of(1));
  EXPECT_EQ(events(kEventFlowCreated), 2u);
  from_outside(request());
  EXPECT_EQ(events(kEventFlowCreated), 3u) << "in the place that it has";
}

// ---- both directions ----

struct Both {
  const char* name;
  Bytes there, back;
};

TEST_F(Unrecorded, BothDirectionsGoToOneTargetAndAreDeliveredAsTheyCame) {
  const Bytes a = {10, 0, 0, 1}, b = {10, 0, 0, 2};
  const Bytes a6 = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Bytes b6 = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  const Both cases[] = {
      {"tcp", request(), reply()},
      {"mid flow", request(kTcpAck, Bytes(100, 1)), reply(kTcpAck, Bytes(300, 2))},
      {"udp in a VLAN", ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(5, 53))),
       turned(ethernet(kEtherTypeIpv4, {kEtherTypeVlan},
                       ipv4(kProtocolUdp, udp(53, 5), {.source = b, .destination = a})))},
      {"udp over ipv6", ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(5, 53))),
       turned(ethernet(kEtherTypeIpv6, {},
                       ipv6(kProtocolUdp, udp(53, 5), {.source = b6, .destination = a6})))},
      {"echo", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, Bytes(40, 1)))),
       turned(ethernet(
           kEtherTypeIpv4, {},
           ipv4(kProtocolIcmp, icmp(0, 0, Bytes(40, 1)), {.source = b, .destination = a})))},
      {"gre", ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 1))),
       turned(
           ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 1), {.source = b, .destination = a})))},
      {"an icmp error quotes it", ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(6, 53))),
       turned(ethernet(kEtherTypeIpv4, {},
                       ipv4(kProtocolIcmp, icmp(3, 3, ipv4(kProtocolUdp, udp(6, 53))),
                            {.source = b, .destination = a})))},
  };
  close_guard();
  for (const Both& c : cases) {
    const Step out = from_outside(c.there);
    const Step answer = from_inside(c.back);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << c.name;
    ASSERT_EQ(answer.outcome.verdict, kVerdictTarget) << c.name;
    EXPECT_EQ(appliance(answer), appliance(out)) << c.name;
    EXPECT_EQ(cookie_of(answer.bytes), cookie_of(out.bytes)) << c.name;
    EXPECT_EQ(load_u16(&answer.bytes[34]), load_u16(&out.bytes[34])) << c.name;
    const Step in = from_tunnel(returned(out.bytes));
    EXPECT_EQ(in.outcome.verdict, kVerdictInside) << c.name << drop_reason_name(in.outcome.reason);
    EXPECT_EQ(in.outcome.interface, kInside) << c.name;
    EXPECT_EQ(in.bytes, c.there) << c.name;
    const Step back = from_tunnel(returned(answer.bytes));
    EXPECT_EQ(back.outcome.verdict, kVerdictOutside) << c.name;
    EXPECT_EQ(back.outcome.interface, kOutside) << c.name;
    EXPECT_EQ(back.bytes, c.back) << c.name;
  }
  EXPECT_EQ(events(kEventFlowCreated), 1u);
  EXPECT_EQ(events(kEventUnrecordedSent), 2 * std::size(cases));
  EXPECT_EQ(events(kEventUnrecordedReturned), 2 * std::size(cases));
}

TEST_F(Unrecorded, TheTargetIsTheOneThatARecordWouldName) {
  close_guard();
  std::vector<int> without;
  for (uint32_t n = 0; n < 200; n++) without.push_back(appliance(from_outside(syn_of(n))));
  open_guard();
  for (uint32_t n = 0; n < 200; n++) ASSERT_EQ(appliance(from_outside(syn_of(n))), without[n]);
  EXPECT_EQ(events(kEventFlowCreated), 201u);
}

TEST_F(Unrecorded, AnInjectedResetGoesBackToTheClient) {
  close_guard();
  const Step out = from_outside(request());
  const Bytes answer = reply(kTcpRst);
  const Step reset =
      from_tunnel(returned(with_inner(out.bytes, Bytes(answer.begin() + 14, answer.end()))));
  EXPECT_EQ(reset.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(reset.bytes, answer) << "MAC addresses turned round";
}

TEST_F(Unrecorded, TenantsWithEqualTuplesAreToldApart) {
  tables().attachments[1] = {kEndpoint + 1, 0, {20, 21}, 0, 1, 0};
  tables().ports[20] = {kPortOutside, 1, 0};
  tables().ports[21] = {kPortInside, 1, 0};
  close_guard();
  tables().attachments[1].new_flows_per_second = 1;
  send(syn_of(1), 20);
  const Step one = from_outside(request());
  const Step two = send(request(), 20);
  EXPECT_NE(cookie_of(one.bytes), cookie_of(two.bytes)) << "the digest is of the endpoint, too";
  EXPECT_EQ(from_tunnel(returned(one.bytes)).outcome.interface, kInside);
  EXPECT_EQ(from_tunnel(returned(two.bytes)).outcome.interface, 21u);
  Bytes swapped = returned(one.bytes);
  store_be64(&swapped[kOuterEndpointId], kEndpoint + 1);
  EXPECT_EQ(from_tunnel(swapped).outcome.reason, kDropCookieMismatch);
}

// ---- to a record ----

TEST_F(Unrecorded, ItGetsARecordAtItsTargetWhenTheGuardOpens) {
  close_guard();
  const Step out = from_outside(request());
  const Step answer = from_inside(reply());
  const auto next = static_cast<uint16_t>((appliance(out) + 1) % kAppliances);
  const auto after = static_cast<uint16_t>((appliance(out) + 2) % kAppliances);
  rows_to(next);
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), appliance(out)) << "still without";
  rows_to(after);  // not even the row's former owner
  open_guard();
  const Step known = from_outside(request(kTcpAck));
  EXPECT_EQ(events(kEventFlowCreated), 2u);
  EXPECT_EQ(appliance(known), appliance(out));
  EXPECT_NE(cookie_of(known.bytes), cookie_of(out.bytes));
  // What was on its way arrives, for a while; of nobody else.
  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_tunnel(from_another_target(returned(out.bytes))).outcome.reason,
            kDropTargetMismatch);
  host->set_now_ms(host->now_ms() + kFormerCookieMs + 1);
  EXPECT_EQ(from_tunnel(returned(answer.bytes)).outcome.reason, kDropCookieExpired);
  EXPECT_EQ(from_tunnel(returned(known.bytes)).outcome.verdict, kVerdictInside);
}

TEST_F(Unrecorded, ItStaysWithItsTargetWhileThatServes) {
  const auto udp_packet = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 53)));
  close_guard();
  const Step tcp_out = from_outside(request());
  const Step udp_out = from_outside(udp_packet);
  rows_to(static_cast<uint16_t>((appliance(tcp_out) + 1) % kAppliances));
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), appliance(tcp_out));
  EXPECT_EQ(appliance(from_outside(udp_packet)), appliance(udp_out));
  EXPECT_NE(appliance(from_outside(request())), appliance(tcp_out)) << "a SYN goes by its row";
  // Forgotten: what is no SYN goes where its row sent it before, as without the guard.
  forget_flows();
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), appliance(tcp_out));
  // Its flows are leaving it.
  tables().targets[appliance(tcp_out)].flags |= kTargetMoves;
  EXPECT_NE(appliance(from_outside(request(kTcpAck))), appliance(tcp_out));
}

// gateway.idle_timeouts are for these flows, too.
TEST_F(Unrecorded, ItIsRememberedForAsLongAsItsRecordWouldBe) {
  settings& s = tables().settings[0];
  s.idle_rule[kIdleRules] = {swap_be16(80), kProtocolTcp, kIdleRules};
  for (const uint32_t idle_ms : {2'000u, 6'000'000u}) {
    s.idle_ms[kIdleRules] = idle_ms;
    guard(1);
    from_outside(syn_of(idle_ms));
    const Step out = from_outside(request());
    guard(0);
    host->set_now_ms(host->now_ms() + idle_ms);
    EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
    host->set_now_ms(host->now_ms() + 1);
    EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictDrop);
  }
  EXPECT_EQ(events(kEventUnrecordedReturned), 2u);
}

TEST_F(Unrecorded, OnlyWhatHasBegunGoesOnWhereUnknownConnectionsAreRefused) {
  endpoint().flags = kAttachmentDropsUnknown | kAttachmentResets;
  close_guard();
  EXPECT_EQ(from_inside(reply()).outcome.reason, kDropFlowNotBegun);
  from_outside(request());
  EXPECT_EQ(round_trip(reply(), kInside).outcome.verdict, kVerdictOutside);
  host->set_now_ms(host->now_ms() + 350'001);
  EXPECT_EQ(from_inside(reply()).outcome.reason, kDropFlowNotBegun) << "silent for too long";
}

}  // namespace
}  // namespace sluice::gateway
