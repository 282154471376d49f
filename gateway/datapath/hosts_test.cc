// SPDX-License-Identifier: Apache-2.0
// One packet corpus through both hosts: the same bytes, verdicts, counters and flows.
#include <random>

#include "gateway/datapath/hosts_fixture.h"
#include "gateway/datapath/unrecorded.h"
#include "gateway/targets/tunnel_prober.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

Bytes syn_with_mss() {
  Bytes segment = tcp(4244, 80, kTcpSyn);
  append(segment, {1, 2, 4, 0x23, 0x00, 0, 0, 0});
  segment[12] = 0x70;
  return segment;
}

std::vector<Bytes> corpus() {
  const Bytes vip = {10, 0, 0, 100};
  const Bytes quote = first(ipv4(kProtocolTcp, tcp(4242, 80)), 28);
  return {
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80))),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(1400, 'a')))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(80, 4242, kTcpSyn | kTcpAck),
                    {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80, 0x11))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(80, 4242, kTcpRst),
                    {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1000, 53, Bytes(30, 1)))),
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(1000, 53, Bytes(30, 1)))),
      ethernet(kEtherTypeIpv6, {kEtherTypeQinQ, kEtherTypeVlan},
               ipv6(kProtocolUdp, udp(1000, 53, Bytes(31, 1)))),
      ethernet(kEtherTypeIpv4, {kEtherTypeQinQ, kEtherTypeVlan, kEtherTypeVlan},
               ipv4(kProtocolUdp, udp(1000, 53, Bytes(30, 1)))),
      ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, tcp(1, 2, kTcpSyn, Bytes(77, 3)))),
      ethernet(kEtherTypeIpv6, {},
               ipv6(0, extension(60, extension(kProtocolUdp, udp(1, 2, Bytes(9, 4)))))),
      ethernet(kEtherTypeIpv6, {}, ipv6(44, fragment6(kProtocolUdp, 1, udp(1, 2, Bytes(16, 5))))),
      ethernet(kEtherTypeIpv6, {}, ipv6(51, authentication(kProtocolTcp, tcp(1, 2)))),
      ethernet(kEtherTypeIpv6, {},
               ipv6(kProtocolIcmpv6, icmp(135, 0, Bytes(16, 1)), {.hop_limit = 255})),
      ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(60, 6))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolUdp, udp(1, 2, Bytes(24, 7)), {.fragment = 0x2000})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(24, 8), {.fragment = 0x2003})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(24, 8), {.fragment = 0x2004})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(9, 8), {.fragment = 0x0007})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, Bytes(16, 8), {.fragment = 0x2000})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(15, 8), {.fragment = 0x2009})),
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan},
               ipv4(kProtocolUdp, udp(4242, 7000, Bytes(24, 7)),
                    {.destination = vip, .fragment = 0x2000})),
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan},
               ipv4(kProtocolUdp, Bytes(24, 7), {.destination = vip, .fragment = 0x0004})),
      ethernet(kEtherTypeIpv6, {}, ipv6(44, fragment6(kProtocolUdp, 24, Bytes(16, 5)))),
      ethernet(kEtherTypeIpv6, {},
               ipv6(44, fragment6(60, 1, extension(kProtocolUdp, udp(1, 3, Bytes(16, 5)))))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolUdp, udp(1, 2, Bytes(24, 9)), {.options = Bytes(40, 1)})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, Bytes(56, 1)))),
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolIcmp, icmp(3, 4, quote),
                    {.source = {10, 7, 7, 7}, .destination = {10, 0, 0, 1}})),
      with_checksum(
          ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), {.destination = vip}))),
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(7001, 4242, kTcpSyn | kTcpAck),
                                  {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}}))),
      with_checksum(
          ethernet(kEtherTypeIpv4, {},
                   ipv4(kProtocolUdp, udp(4242, 7000, Bytes(5, 1)), {.destination = vip}))),
      // About the listener's packet, for the target, and about the client's, for that.
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolIcmp,
                    icmp(3, 4,
                         ipv4(kProtocolTcp, tcp(7000, 4242),
                              {.source = vip, .destination = {10, 0, 0, 1}})),
                    {.source = {10, 7, 7, 7}, .destination = vip})),
      ethernet(
          kEtherTypeIpv4, {},
          ipv4(kProtocolIcmp,
               icmp(3, 3, ipv4(kProtocolTcp, tcp(4242, 7001), {.destination = {10, 0, 0, 21}})),
               {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}})),
      // Too big: over IPv4 with DF, over IPv6, and from an NLB target; and a handshake with an MSS.
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan},
               ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(1600, 2)), {.fragment = 0x4000})),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1000, 53, Bytes(1600, 3)))),
      ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1000, 53, Bytes(1600, 3)))),
      with_checksum(ethernet(
          kEtherTypeIpv4, {},
          ipv4(kProtocolTcp, tcp(7001, 4242, kTcpAck, Bytes(1600, 4)),
               {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}, .fragment = 0x4000}))),
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, syn_with_mss())),
      ethernet(0x0806, {}, Bytes(28, 1)),
      Bytes(14, 0),
      Bytes(1500, 0xff),
  };
}

TEST_F(Hosts, AgreeOnTheCorpusAndOnEverythingNearIt) {
  std::mt19937 random(7);
  auto pick = [&](size_t n) { return random() % n; };
  const std::vector<Bytes> frames = corpus();
  std::vector<Bytes> datagrams;
  add_policy();
  int relayed = 0;
  for (int round = 0; round < 2; round++) {
    for (const Bytes& in : frames) {
      for (uint32_t side : {kOutside, kInside}) {
        const Bytes out = send(in, side);
        if (out.empty()) continue;
        datagrams.push_back(returned(out));
        const Bytes next = send(datagrams.back(), kTunnel);
        if (!next.empty()) {
          relayed++;
          datagrams.push_back(returned(next));
          send(datagrams.back(), kTunnel);
        }
        // In the second round most flows move to another group, and some past inspection.
        if (round == 0) continue;
        const bool bypass = datagrams.size() % 5 == 0;
        datagrams.push_back(hinted(out, bypass ? kBypassHint : kSteerHint));
        send(datagrams.back(), kTunnel);
      }
    }
  }
  // A probe of the gateway's own comes back, and then with another token.
  for (const uint64_t token : {77, 78}) {
    const Bytes probe = make_tunnel_probe({.endpoint_id = kEndpoint}, token);
    datagrams.push_back(ethernet(kEtherTypeIpv4, {},
                                 ipv4(kProtocolUdp, udp(40000, kGenevePort, probe),
                                      {.source = {10, 9, 0, 13}, .destination = {10, 9, 0, 1}})));
    for (Tables* t : {&kernel->tables(), &process->tables()}) t->tunnel_probes[2].expected = 77;
    send(datagrams.back(), kTunnel);
    EXPECT_EQ(kernel->tables().tunnel_probes[2].returned, 77u);
    EXPECT_EQ(process->tables().tunnel_probes[2].returned, 77u);
  }
  // Then with some bytes changed, cut or grown.
  for (int i = 0; i < 20000; i++) {
    if (i % 4000 == 0) lose_targets(i / 4000);
    const bool tunnel = pick(2) == 0;
    Bytes in = tunnel ? datagrams[pick(datagrams.size())] : frames[pick(frames.size())];
    for (size_t n = pick(4); n > 0; n--)
      in[pick(std::min<size_t>(in.size(), 130))] = static_cast<uint8_t>(random());
    if (pick(4) == 0) in.resize(std::max<size_t>(14, pick(in.size() + 20)));
    send(in, tunnel ? kTunnel : pick(2) == 0 ? kOutside : kInside);
    if (HasFailure()) FAIL() << "after " << packets << " packets";
  }

  EXPECT_GT(relayed, 3) << "from one hop of a chain to the next";
  const counters a = sum_counters(kernel->tables());
  const counters b = sum_counters(process->tables());
  EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0);
  EXPECT_EQ(std::memcmp(kernel->tables().target_counters, process->tables().target_counters,
                        sizeof(target_counters) * kTargetsMax),
            0);
  EXPECT_GT(a.verdict[kVerdictAnswered], 0u);
  EXPECT_GT(a.verdict[kVerdictProbe], 0u);
  EXPECT_GT(a.drop[kDropProbeStale], 0u);
  EXPECT_GT(a.drop[kDropPolicy], 0u);
  EXPECT_EQ(std::memcmp(kernel->tables().policy_counters, process->tables().policy_counters,
                        sizeof(policy_counters) * kPolicySlots),
            0);
  EXPECT_GT(cuts, 0u);
  EXPECT_GT(a.verdict[kVerdictSlowPath], cuts);
  for (const DropReason reason : {kDropFragmentTiny, kDropFragmentInvalid, kDropFragmentOverlap,
                                  kDropNlbTranslation, kDropVlanTags})
    EXPECT_GT(a.drop[reason], 0u) << drop_reason_name(reason);
  uint32_t flows = 0;
  for (uint32_t i = 0; i < kernel->tables().flow_buckets_count * kFlowWays; i++) {
    const flow_record& k = *table_flow_records(&kernel->tables(), i);
    const flow_record& p = *table_flow_records(&process->tables(), i);
    ASSERT_TRUE(flow_key_equal(&k.key, &p.key));
    ASSERT_EQ(k.cookie, p.cookie);
    ASSERT_EQ(k.flags, p.flags);
    ASSERT_EQ(k.target, p.target);
    ASSERT_EQ(k.rule, p.rule);
    ASSERT_EQ(k.key.zero, p.key.zero);
    flows += k.cookie != 0;
  }
  EXPECT_GT(flows, 100u);
  for (const PathEvent event :
       {kEventHintTaken, kEventBypassed, kEventFormerCookie, kEventMssClamped, kEventFlowMoved,
        kEventMidFlow, kEventFailedOpen, kEventResetSent})
    EXPECT_GT(a.event[event], 0u) << path_event_name(event);
  int reasons = 0;
  for (uint64_t n : a.drop) reasons += n != 0;
  RecordProperty("packets", static_cast<int>(packets));
  EXPECT_GE(reasons, 14) << "the corpus should reach most drop reasons";
}

TEST_F(Hosts, AgreeOnFlowsWithoutARecord) {
  std::mt19937 random(8);
  auto pick = [&](size_t n) { return random() % n; };
  const std::vector<Bytes> frames = corpus();
  std::vector<Bytes> datagrams;
  add_policy();
  fill_both();
  for (const Bytes& in : frames)
    for (uint32_t side : {kOutside, kInside}) {
      const Bytes out = send(in, side);
      if (out.empty()) continue;
      datagrams.push_back(returned(out));
      send(datagrams.back(), kTunnel);
    }
  ASSERT_GT(datagrams.size(), 10u);
  for (int i = 0; i < 10000 && !HasFailure(); i++) {
    if (i % 2500 == 0) lose_targets(i / 2500);
    const bool tunnel = pick(2) == 0;
    Bytes in = tunnel ? datagrams[pick(datagrams.size())] : frames[pick(frames.size())];
    for (size_t n = pick(3); n > 0; n--)
      in[pick(std::min<size_t>(in.size(), 130))] = static_cast<uint8_t>(random());
    send(in, tunnel ? kTunnel : pick(2) == 0 ? kOutside : kInside);
  }
  const counters a = sum_counters(kernel->tables());
  const counters b = sum_counters(process->tables());
  EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0);
  EXPECT_EQ(std::memcmp(kernel->tables().target_counters, process->tables().target_counters,
                        sizeof(target_counters) * kTargetsMax),
            0);
  for (const PathEvent event : {kEventUnrecordedSent, kEventUnrecordedReturned, kEventFailedOpen})
    EXPECT_GT(a.event[event], 10u) << path_event_name(event);
  EXPECT_EQ(a.event[kEventFlowCreated], 0u);
  for (const DropReason reason : {kDropFlowTableFull, kDropCookieMismatch, kDropFlowUnknown})
    EXPECT_GT(a.drop[reason], 0u) << drop_reason_name(reason);
  for (uint32_t i = 0; i < kUnrecordedBuckets * kUnrecordedWays; i++) {
    const unrecorded_flow& k = *unrecorded_at(&kernel->tables(), i);
    const unrecorded_flow& p = *unrecorded_at(&process->tables(), i);
    ASSERT_EQ(k.way, p.way);
    ASSERT_EQ(k.seen >> 32, p.seen >> 32);
  }
}

// The guard counts on the kernel's own clock and CPUs, so how many flows it lets begin is not
// exact.
TEST_F(Hosts, TheKernelsGuardSendsFlowsWithoutARecord) {
  constexpr uint32_t kFlows = 300;
  Tables& tables = kernel->tables();
  tables.attachments[0].new_flows_per_second = 1;
  const auto run = [&](const Bytes& in, uint32_t interface_index) {
    tables.ports[kLoopback] = tables.ports[interface_index];
    auto out = kernel->test_run(in);
    EXPECT_TRUE(out) << out.error().text();
    EXPECT_EQ(out->action, XDP_REDIRECT);
    return out->bytes;
  };
  for (uint32_t n = 0; n < kFlows && !HasFailure(); n++) {
    Bytes syn = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80)));
    store_be32(&syn[26], 0x0b000000 + n);
    const Bytes sent = run(syn, kOutside);
    EXPECT_EQ(run(returned(sent), kTunnel), syn);
  }
  const counters all = sum_counters(tables);
  EXPECT_EQ(all.event[kEventFlowCreated] + all.event[kEventUnrecordedSent], kFlows);
  EXPECT_EQ(all.event[kEventUnrecordedReturned], all.event[kEventUnrecordedSent]);
  EXPECT_GT(all.event[kEventUnrecordedSent], kFlows / 2);
  EXPECT_GE(all.event[kEventFlowCreated], 1u);
  EXPECT_GE(all.event[kEventGuardClosed], 1u);
}

}  // namespace
}  // namespace sluice::gateway
