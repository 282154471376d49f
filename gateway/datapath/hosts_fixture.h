// SPDX-License-Identifier: Apache-2.0
// For tests that send each frame through both hosts, and expect the same of them.
#pragma once

#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/process_host.h"
#include "gateway/datapath/profiles_fixture.h"
#include "gateway/datapath/sum_counters.h"
#include "gateway/datapath/unrecorded.h"

namespace sluice::gateway::fixture {

using namespace tunnels::frames;  // NOLINT

inline constexpr uint32_t kLoopback = 1;  // test runs come in at the loopback interface

inline int action_for(Verdict verdict) {
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
      move_to_ipv6(*t, 3);
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
    const counters before = sum_counters(kernel->tables());
    auto run = kernel->test_run(in);
    EXPECT_TRUE(run) << run.error().text();
    if (!run) return {};
    const counters after = sum_counters(kernel->tables());

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

  void fill_both() {
    for (Tables* t : {&kernel->tables(), &process->tables()}) fill_flows(*t, kernel->now_ms());
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

}  // namespace sluice::gateway::fixture
