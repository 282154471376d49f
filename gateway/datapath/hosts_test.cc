// SPDX-License-Identifier: Apache-2.0
// One packet corpus through both hosts: the same bytes, verdicts, counters and flows.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/process_host.h"
#include "gateway/datapath/profiles_fixture.h"
#include "gateway/datapath/unrecorded.h"
#include "gateway/targets/tunnel_prober.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kLoopback = 1;  // test runs come in at the loopback interface

// The sum over CPUs: a test run may be on any.
counters total(const Tables& tables) {
  counters sum{};
  for (int cpu = 0; cpu < kCpusMax; cpu++) {
    const auto* from = reinterpret_cast<const __u64*>(&tables.counters[cpu]);
    auto* to = reinterpret_cast<__u64*>(&sum);
    for (size_t i = 0; i < sizeof(counters) / 8; i++) to[i] += from[i];
  }
  return sum;
}

int action_for(Verdict verdict) {
  if (verdict == kVerdictStack) return XDP_PASS;
  if (verdict == kVerdictDrop || verdict == kVerdictProbe || verdict == kVerdictSlowPath)
    return XDP_DROP;
  return XDP_REDIRECT;
}

class Hosts : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "the kernel host needs root";
    if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1)
      GTEST_SKIP() << "this kernel has no XDP";
    auto created = KernelHost::create({.flows_max = 1 << 12});
    ASSERT_TRUE(created) << created.error().text();
    kernel = std::move(*created);
    auto rings = kernel->handed_over([this](uint32_t interface_index, uint32_t mtu, auto bytes) {
      EXPECT_EQ(interface_index, came_in);
      handed_mtu = mtu;
      handed.assign(bytes.begin(), bytes.end());
    });
    ASSERT_TRUE(rings) << rings.error().text();
    handed_over = std::move(*rings);
    auto told = kernel->sightings([this](const sighting& seen, auto bytes) {
      seen_in_kernel.push_back(text_of(seen, bytes.data()));
    });
    ASSERT_TRUE(told) << told.error().text();
    sightings = std::move(*told);
    process = std::move(*ProcessHost::create({.flows_max = 1 << 12}));
    configure(kernel->tables());
    kernel->tables().settings[0].mss_clamp = 1;
    configure(process->tables());
    process->tables().settings[0].mss_clamp = 1;
    process->tables().sightings = &taker;
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      t->watches[0].watch[0] = {0, {}, 0xff, 200, kNone16, 0, kWatchAnyProtocol, 0, 0};
      t->watches[0].watch[5] = {0, {}, 1 << kSeenDropped, 90, 0, swap_be16(53), 17, 0, 0};
      t->settings[0].watching = 1 | 1 << 5;
      speak(*t, 1, kProfileGoogle);
    }
  }

  // All but what differs between the hosts: the time, and where it came in.
  static Bytes text_of(sighting seen, const uint8_t* bytes) {
    seen.time_ns = 0;
    seen.came_in = 0;
    const auto* head = reinterpret_cast<const uint8_t*>(&seen);
    Bytes out(head, head + sizeof(seen));
    out.insert(out.end(), bytes, bytes + seen.captured);
    return out;
  }

  // Through both; returns what leaves.
  Bytes send(const Bytes& in, uint32_t interface_index) {
    kernel->tables().ports[kLoopback] = kernel->tables().ports[interface_index];
    // Not while the time that cookies without a record are for may change between the two.
    const auto epoch = [&](uint64_t later) {
      return (kernel->now_ms() + later) >> kUnrecordedEpochShift;
    };
    while (epoch(0) != epoch(1000)) usleep(10'000);
    process->set_now_ms(kernel->now_ms());
    came_in = interface_index;
    handed.clear();
    seen_in_kernel.clear();
    seen_in_process.clear();
    for (int cpu = 0; cpu < kCpusMax; cpu++)  // no limit by rate
      kernel->tables().gates[cpu].seen = process->tables().gates[cpu].seen = 0;
    const counters before = total(kernel->tables());
    auto run = kernel->test_run(in);
    EXPECT_TRUE(run) << run.error().text();
    if (!run) return {};
    const counters after = total(kernel->tables());

    FrameBuffer buffer;
    buffer.assign(in);
    const Outcome outcome = process->run(buffer, interface_index);
    const Bytes out(buffer.bytes().begin(), buffer.bytes().end());
    EXPECT_EQ(run->action, action_for(outcome.verdict)) << drop_reason_name(outcome.reason);
    EXPECT_EQ(after.verdict[outcome.verdict], before.verdict[outcome.verdict] + 1);
    EXPECT_EQ(after.drop[outcome.reason] - before.drop[outcome.reason],
              outcome.reason == kDropNone ? 0u : 1u);
    EXPECT_EQ(run->bytes, out);
    handed_over->take();
    EXPECT_EQ(handed, outcome.verdict == kVerdictSlowPath ? out : Bytes{});
    if (outcome.verdict == kVerdictSlowPath) {
      EXPECT_EQ(handed_mtu, outcome.mtu);
      cuts += outcome.mtu != 0;
    }
    sightings->take();
    EXPECT_EQ(seen_in_kernel, seen_in_process);
    EXPECT_GE(seen_in_process.size(), outcome.verdict == kVerdictStack ? 0u : 2u);
    packets++;
    return outcome.verdict == kVerdictTarget ? out : Bytes{};
  }

  // In both hosts: UDP to port 53 visits two appliances, half of the other UDP passes by, GRE is
  // dropped.
  void add_policy() {
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      t->policy_rules[1].in_use = t->policy_rules[2].in_use = t->policy_rules[3].in_use = 1;
      t->policy_rules[1].hops = 2;
      t->policy_rules[1].hop[0] = {{0x7fffffff, 0xffffffff}, {0, kOtherGroup}, 2};
      t->policy_rules[1].hop[1] = {{0xffffffff}, {kOtherGroup}, 1};
      t->policy_rules[2].action = kPolicyBypass;
      t->policy_rules[3].action = kPolicyDrop;
      policy_entry entry{};
      entry.attachments[0] = 1;
      entry.port_first = entry.port_last = 53;
      entry.protocol = kProtocolUdp;
      entry.rule = 1;
      entry.share = 0xffffffff;
      t->policy_entries[0] = entry;
      entry.port_first = 0;
      entry.port_last = 0xffff;
      entry.rule = 2;
      entry.share = 0x7fffffff;
      entry.salt = 1;
      t->policy_entries[1] = entry;
      entry.protocol = 47;
      entry.rule = 3;
      entry.share = 0xffffffff;
      t->policy_entries[2] = entry;
      t->settings[0].policy = 3;
      t->attachments[0].flags |= kAttachmentPolicy;
    }
  }

  // In both hosts: another way for targets to be lost each time, and for connections to be unknown.
  void lose_targets(int round) {
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      for (int i = 0; i < kAppliances; i++)
        t->targets[i].flags = (t->targets[i].flags & kTargetProfiled) | kTargetInUse |
                              kTargetResolved | kTargetAppliance;
      t->groups[0].flags = round == 3 ? kGroupFailsOpen : 0;
      t->attachments[0].flags =
          kAttachmentPolicy | (round >= 2 ? kAttachmentDropsUnknown | kAttachmentResets : 0);
      if (round == 0) continue;
      t->targets[0].flags |= round == 1 ? kTargetMoves : kTargetResets;
      t->targets[1].flags |= kTargetMoves;
      for (uint32_t i = 0; i < kApplianceRows; i++)
        t->rows[i] = {static_cast<uint16_t>(round == 3 ? uint32_t{kNone16} : (i + 2) % kAppliances),
                      0, 0};
    }
  }

  // In both hosts: every place of the flow table has a flow that is alive, so that others go
  // without a record.
  void fill_flows() {
    for (Tables* t : {&kernel->tables(), &process->tables()})
      for (uint32_t bucket = 0; bucket < t->flow_buckets_count; bucket++)
        for (uint32_t way = 0; way < kFlowWays; way++)
          t->flow_buckets[bucket].entry[way] =
              flow_entry(~uint64_t{0} - way * 256, kFlowEstablished,
                         flow_epoch(t->settings, static_cast<uint32_t>(kernel->now_ms())));
  }

  std::unique_ptr<KernelHost> kernel;
  std::unique_ptr<ProcessHost> process;
  std::unique_ptr<Rings> handed_over;
  std::unique_ptr<Rings> sightings;
  std::vector<Bytes> seen_in_kernel, seen_in_process;  // of the last frame
  sighting_taker taker{
      [](void* self, const sighting* seen, const __u8* bytes) {
        static_cast<Hosts*>(self)->seen_in_process.push_back(text_of(*seen, bytes));
      },
      this};
  Bytes handed;  // by the kernel host, of the last frame
  uint32_t handed_mtu = 0;
  uint32_t came_in = 0;
  uint64_t cuts = 0;  // frames that were handed over to be cut
  uint64_t packets = 0;
};

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
  const counters a = total(kernel->tables());
  const counters b = total(process->tables());
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
  for (const DropReason reason : {kDropFragmentTiny, kDropFragmentInvalid, kDropFragmentOverlap})
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
  fill_flows();
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
  const counters a = total(kernel->tables());
  const counters b = total(process->tables());
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
  const counters all = total(tables);
  EXPECT_EQ(all.event[kEventFlowCreated] + all.event[kEventUnrecordedSent], kFlows);
  EXPECT_EQ(all.event[kEventUnrecordedReturned], all.event[kEventUnrecordedSent]);
  EXPECT_GT(all.event[kEventUnrecordedSent], kFlows / 2);
  EXPECT_GE(all.event[kEventFlowCreated], 1u);
  EXPECT_GE(all.event[kEventGuardClosed], 1u);
}

}  // namespace
}  // namespace sluice::gateway
