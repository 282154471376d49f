// SPDX-License-Identifier: Apache-2.0
// What is handed over for mirrors and shadows: the same from XDP, from TC and from the process
// host.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/mirror_fixture.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kLoopback = 1;  // test runs come in at the loopback interface

class MirrorHosts : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "the kernel host needs root";
    if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1)
      GTEST_SKIP() << "this kernel has no XDP";
    auto created = KernelHost::create({.flows_max = 1 << 12, .pins = {}});
    ASSERT_TRUE(created) << created.error().text();
    kernel = std::move(*created);
    process = std::move(*ProcessHost::create({.flows_max = 1 << 12, .pins = {}}));
    auto rings = kernel->mirrored([this](const mirror_head& head, auto bytes) {
      in_kernel.push_back({head, Bytes(bytes.begin(), bytes.end())});
    });
    ASSERT_TRUE(rings) << rings.error().text();
    mirrored = std::move(*rings);
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      configure(*t);
      add_mirror(*t, true);
    }
    process->tables().mirrors = taker.get();
  }

  // Through both; what leaves.
  Bytes send(const Bytes& in, uint32_t interface_index) {
    kernel->tables().ports[kLoopback] = kernel->tables().ports[interface_index];
    process->set_now_ms(kernel->now_ms());
    for (int cpu = 0; cpu < kCpusMax; cpu++)  // no limit by rate
      for (Tables* t : {&kernel->tables(), &process->tables()})
        t->gates[cpu].mirror_copies = t->gates[cpu].mirror_returns = 0;
    in_kernel.clear();
    in_process.clear();
    auto run = kernel->test_run(in, GetParam());
    EXPECT_TRUE(run) << run.error().text();
    FrameBuffer buffer;
    buffer.assign(in);
    outcome = process->run(buffer, interface_index);
    mirrored->take();
    EXPECT_EQ(in_kernel.size(), in_process.size());
    for (size_t i = 0; i < std::min(in_kernel.size(), in_process.size()); i++) {
      mirror_head a = in_kernel[i].head, b = in_process[i].head;
      a.tag = 0;
      EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0) << i;
      EXPECT_EQ(in_kernel[i].frame, in_process[i].frame) << i;
    }
    const Bytes out(buffer.bytes().begin(), buffer.bytes().end());
    return outcome.verdict == kVerdictTarget ? out : Bytes{};
  }
  void expect_counters() {
    const mirror_counters& a = kernel->tables().mirror_counters[kMirrorRule];
    const mirror_counters& b = process->tables().mirror_counters[kMirrorRule];
    EXPECT_EQ(std::memcmp(&a, &b, sizeof(a)), 0);
  }

  std::unique_ptr<KernelHost> kernel;
  std::unique_ptr<ProcessHost> process;
  std::unique_ptr<Rings> mirrored;
  std::vector<Mirrored> in_kernel, in_process;
  MirrorTaker taker{in_process};
  Outcome outcome;
};

TEST_P(MirrorHosts, HandOverTheSame) {
  const struct {
    Bytes in;
    uint32_t side;
  } packets[] = {
      {with_checksum(request()), kOutside},
      {with_checksum(reply()), kInside},
      {with_checksum(request(kTcpAck, Bytes(1400, 'a'))), kOutside},
      {ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1, 2, Bytes(77, 3)))), kOutside},
      {ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(9, 2, Bytes(8, 1)))),
       kOutside},
      {ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, Bytes(56, 1)))), kOutside},
  };
  uint64_t copies = 0;
  for (const auto& [in, side] : packets) {
    const Bytes out = send(in, side);
    ASSERT_FALSE(out.empty());
    ASSERT_EQ(in_process.size(), 1u);
    EXPECT_EQ(in_process[0].head.kind, kMirrorCopy);
    EXPECT_EQ(in_process[0].frame, in);
    copies++;
    Bytes copy = out;
    copy[33] = 11 + kMirrorTarget;
    store_be32(&copy[kOuterFlowCookie], in_process[0].head.cookie);

    send(returned(out), kTunnel);
    ASSERT_EQ(in_process.size(), 1u);
    EXPECT_EQ(in_process[0].head.kind, kMirrorDelivered);
    // The shadow's answer; with the flow's own cookie; the flow's target with the shadow's cookie.
    send(returned(copy), kTunnel);
    EXPECT_EQ(outcome.verdict, kVerdictMirror);
    ASSERT_EQ(in_process.size(), 1u);
    EXPECT_EQ(in_process[0].head.kind, kMirrorAnswer);
    send(returned_as(kMirrorTarget, out), kTunnel);
    EXPECT_EQ(outcome.reason, kDropTargetMismatch);
    send(returned_as(kReal, copy), kTunnel);
    EXPECT_EQ(outcome.reason, kDropCookieMismatch);
  }
  EXPECT_EQ(process->tables().mirror_counters[kMirrorRule].copied, copies);
  EXPECT_EQ(process->tables().mirror_counters[kMirrorRule].answers, copies);
  expect_counters();
}

// Every bucket is full of flows that work.
TEST_P(MirrorHosts, OfFlowsWithoutARecordNoCopiesAreMade) {
  for (Tables* t : {&kernel->tables(), &process->tables()}) fill_flows(*t, kernel->now_ms());
  const Bytes out = send(with_checksum(request()), kOutside);
  ASSERT_FALSE(out.empty());
  EXPECT_FALSE(send(with_checksum(reply()), kInside).empty());
  send(returned(out), kTunnel);
  EXPECT_EQ(outcome.verdict, kVerdictInside);
  EXPECT_TRUE(in_process.empty());
  EXPECT_EQ(process->tables().mirror_counters[kMirrorRule].unrecorded, 2u);
  expect_counters();
}

TEST_P(MirrorHosts, WithoutAReaderTheyAreLost) {
  mirrored.reset();
  process->tables().mirrors = nullptr;
  kernel->tables().ports[kLoopback] = kernel->tables().ports[kOutside];
  process->set_now_ms(kernel->now_ms());
  for (int i = 0; i < 3; i++) {
    ASSERT_TRUE(kernel->test_run(request(), GetParam()));
    FrameBuffer buffer;
    buffer.assign(request());
    EXPECT_EQ(process->run(buffer, kOutside).verdict, kVerdictTarget);
  }
  EXPECT_EQ(process->tables().mirror_counters[kMirrorRule].lost, 3u);
  expect_counters();
}

// The ring of a CPU is full: what does not fit is counted, and goes on.
TEST_P(MirrorHosts, AFullRingLosesCopiesOnly) {
  constexpr int kPackets = 2500;  // of which 2 MiB hold fewer
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  int cpu_here = 0;
  while (!CPU_ISSET(cpu_here, &all)) cpu_here++;
  CPU_ZERO(&one);
  CPU_SET(cpu_here, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  kernel->tables().ports[kLoopback] = kernel->tables().ports[kOutside];
  const Bytes in = request(kTcpSyn, Bytes(1400, 'a'));
  for (int i = 0; i < kPackets; i++) {
    for (int cpu = 0; cpu < kCpusMax; cpu++) kernel->tables().gates[cpu].mirror_copies = 0;
    auto run = kernel->test_run(in, GetParam());
    ASSERT_TRUE(run) << run.error().text();
    ASSERT_NE(run->bytes, in) << "encapsulated";
  }
  const mirror_counters& count = kernel->tables().mirror_counters[kMirrorRule];
  EXPECT_EQ(count.copied + count.lost, uint64_t{kPackets});
  EXPECT_GT(count.lost, 0u);
  EXPECT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
  mirrored->take();
  EXPECT_EQ(in_kernel.size(), count.copied);
}

INSTANTIATE_TEST_SUITE_P(Entries, MirrorHosts, testing::Values("sluice_xdp", "sluice_tc"),
                         [](const auto& entry) { return std::string(entry.param + 7); });

}  // namespace
}  // namespace sluice::gateway
