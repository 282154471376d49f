// SPDX-License-Identifier: Apache-2.0
// The TC entry gives packets the same fate, and the same bytes, as the process host.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/process_host.h"
#include "gateway/datapath/profiles_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kLoopback = 1;  // test runs come in at the loopback interface
constexpr int kTcNext = -1;

int action_for(Verdict verdict) {
  if (verdict == kVerdictStack) return kTcNext;
  if (verdict == kVerdictDrop || verdict == kVerdictProbe || verdict == kVerdictSlowPath)
    return TC_ACT_SHOT;
  return TC_ACT_REDIRECT;
}

class TcEntry : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "the kernel host needs root";
    if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, nullptr) != 1)
      GTEST_SKIP() << "this kernel has no programs of TC";
    auto created = KernelHost::create({.flows_max = 1 << 12, .pins = {}});
    ASSERT_TRUE(created) << created.error().text();
    kernel = std::move(*created);
    process = std::move(*ProcessHost::create({.flows_max = 1 << 12, .pins = {}}));
    configure(kernel->tables());
    configure(process->tables());
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      t->settings[0].mss_clamp = 1;
      t->attachments[0].flags = kAttachmentResets | kAttachmentDropsUnknown;
    }
  }

  // Through both; what leaves. The kernel keeps an outer tag beside the frame, where a test run
  // does not show it.
  Bytes send(const Bytes& in, uint32_t interface_index, size_t hidden_tag = 0) {
    kernel->tables().ports[kLoopback] = kernel->tables().ports[interface_index];
    process->set_now_ms(kernel->now_ms());
    auto run = kernel->test_run(in, "sluice_tc");
    EXPECT_TRUE(run) << run.error().text();
    if (!run) return {};
    FrameBuffer buffer;
    buffer.assign(in);
    const Outcome outcome = process->run(buffer, interface_index);
    verdicts[outcome.verdict]++;
    EXPECT_EQ(run->action, action_for(outcome.verdict)) << drop_reason_name(outcome.reason);
    const Bytes out(buffer.bytes().begin(), buffer.bytes().end());
    if (run->action != TC_ACT_REDIRECT) return {};
    Bytes shown = out;
    if (hidden_tag != 0) shown.erase(shown.begin() + 12, shown.begin() + 16);
    EXPECT_EQ(run->bytes, shown);
    return out;
  }

  // To a target and back.
  void there_and_back(const Bytes& in, uint32_t side, size_t tags = 0) {
    const Bytes out = send(in, side);
    ASSERT_GT(out.size(), in.size());
    const Bytes back = send(returned(out), kTunnel, tags);
    EXPECT_FALSE(back.empty());
  }

  // A packet of IPv4 and one of IPv6, while all appliances are set up so.
  void both_versions_there_and_back(uint8_t profile, void (*set_up)(Tables&, uint16_t, uint8_t)) {
    for (Tables* t : {&kernel->tables(), &process->tables()}) {
      t->attachments[0].endpoint_id = kSmallEndpoint;
      for (uint16_t i = 0; i < kAppliances; i++) set_up(*t, i, profile);
    }
    there_and_back(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(profile, 2, Bytes(9, 1)))),
                   kOutside);
    there_and_back(ethernet(kEtherTypeIpv6, {kEtherTypeVlan},
                            ipv6(kProtocolUdp, udp(profile, 2, Bytes(8, 1)))),
                   kOutside, 1);
  }

  std::unique_ptr<KernelHost> kernel;
  std::unique_ptr<ProcessHost> process;
  int verdicts[kVerdictCount] = {};
};

Bytes syn_with_mss() {
  Bytes segment = tcp(4244, 80, kTcpSyn);
  append(segment, {1, 2, 4, 0x23, 0x00, 0, 0, 0});
  segment[12] = 0x70;
  return segment;
}

TEST_F(TcEntry, PacketsGoToTargetsAndBack) {
  there_and_back(with_checksum(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, syn_with_mss()))),
                 kOutside);
  there_and_back(
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(80, 4244, kTcpSyn | kTcpAck),
                                  {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}))),
      kInside);
  there_and_back(ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1, 2, Bytes(77, 3)))),
                 kOutside);
  there_and_back(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolIcmp, icmp(8, 0, Bytes(56, 1)))),
                 kOutside);
  there_and_back(ethernet(kEtherTypeIpv4, {},
                          ipv4(kProtocolUdp, udp(1, 2, Bytes(24, 7)), {.fragment = 0x2000})),
                 kOutside);
  there_and_back(
      ethernet(kEtherTypeIpv4, {kEtherTypeVlan}, ipv4(kProtocolUdp, udp(9, 2, Bytes(8, 1)))),
      kOutside, 1);
  there_and_back(ethernet(kEtherTypeIpv6, {kEtherTypeQinQ, kEtherTypeVlan},
                          ipv6(kProtocolUdp, udp(9, 2, Bytes(8, 1)))),
                 kOutside, 2);
  EXPECT_EQ(verdicts[kVerdictTarget], 7);
  EXPECT_EQ(verdicts[kVerdictInside] + verdicts[kVerdictOutside], 7);
}

TEST_F(TcEntry, AppliancesSpeakOtherProfiles) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain})
    both_versions_there_and_back(profile, speak);
  EXPECT_EQ(verdicts[kVerdictTarget], 4);
  EXPECT_EQ(verdicts[kVerdictInside], 4);
}

TEST_F(TcEntry, TunnelsAreOverIpv6) {
  for (const uint8_t profile : {kProfileAws, kProfileGoogle, kProfilePlain})
    both_versions_there_and_back(profile, move_to_ipv6);
  EXPECT_EQ(verdicts[kVerdictTarget], 6);
  EXPECT_EQ(verdicts[kVerdictInside], 6);
}

TEST_F(TcEntry, PaddingIsCut) {
  Bytes in = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1, 2, Bytes(4, 7))));
  in.resize(60);
  there_and_back(in, kOutside);
}

TEST_F(TcEntry, ListenersAreTranslated) {
  const Bytes vip = {10, 0, 0, 100};
  there_and_back(
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(4242, 7000, kTcpSyn), {.destination = vip}))),
      kOutside);
  there_and_back(
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(7001, 4242, kTcpSyn | kTcpAck),
                                  {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}}))),
      kInside);
  there_and_back(with_checksum(ethernet(
                     kEtherTypeIpv4, {},
                     ipv4(kProtocolUdp, udp(4242, 7000, Bytes(5, 1)), {.destination = vip}))),
                 kOutside);
  // ICMP errors about the connection, for its target and for its client.
  const Bytes seen = ipv4(kProtocolTcp, tcp(7000, 4242, kTcpAck, Bytes(900, 1)),
                          {.source = vip, .destination = {10, 0, 0, 1}});
  there_and_back(ethernet(kEtherTypeIpv4, {},
                          ipv4(kProtocolIcmp, icmp(3, 4, first(seen, 500)), {.destination = vip})),
                 kOutside);
  const Bytes sent = ipv4(kProtocolTcp, tcp(4242, 7001), {.destination = {10, 0, 0, 21}});
  there_and_back(ethernet(kEtherTypeIpv4, {},
                          ipv4(kProtocolIcmp, icmp(3, 3, sent),
                               {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}})),
                 kInside);
  EXPECT_EQ(verdicts[kVerdictInside], 3);
  EXPECT_EQ(verdicts[kVerdictOutside], 2);
}

TEST_F(TcEntry, SendersAreAnswered) {
  const auto answer = [&](const Bytes& in) {
    const int before = verdicts[kVerdictAnswered];
    EXPECT_FALSE(send(in, kOutside).empty());
    EXPECT_EQ(verdicts[kVerdictAnswered], before + 1);
  };
  answer(ethernet(kEtherTypeIpv4, {},
                  ipv4(kProtocolUdp, udp(1000, 53, Bytes(1600, 3)), {.fragment = 0x4000})));
  answer(ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1000, 53, Bytes(1600, 3)))));
  // TCP of connections that nobody has opened.
  answer(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(77, 80, kTcpAck, Bytes(900, 1)))));
  answer(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(77, 80, kTcpAck))));
  answer(ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolTcp, tcp(77, 80, kTcpAck))));
}

TEST_F(TcEntry, OtherFramesCrossOrAreDropped) {
  send(ethernet(0x0806, {}, Bytes(28, 1)), kOutside);
  send(ethernet(kEtherTypeIpv4, {}, Bytes(40, 0xff)), kOutside);
  send(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6, Bytes(9, 1)))), kTunnel);
  send(ethernet(0x0806, {kEtherTypeVlan, kEtherTypeVlan}, Bytes(28, 1)), kOutside);
  for (const uint16_t ether_type : {uint16_t{kEtherTypeIpv4}, uint16_t{kEtherTypeVlan}})
    send(ethernet(ether_type, {kEtherTypeVlan, kEtherTypeVlan, kEtherTypeVlan},
                  ipv4(kProtocolUdp, udp(5, 6, Bytes(9, 1)))),
         kOutside);
  EXPECT_EQ(verdicts[kVerdictCross], 2);
  EXPECT_EQ(verdicts[kVerdictDrop], 3);
  EXPECT_EQ(verdicts[kVerdictStack], 1);
}

}  // namespace
}  // namespace sluice::gateway
