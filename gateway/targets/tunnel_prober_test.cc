// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/tunnel_prober.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <set>

#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/tunnel_probe.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr int kAppliance = 2;

// The frame in which an appliance returns a datagram that it was sent.
Bytes returned_by(int appliance, const Bytes& datagram) {
  const auto last = static_cast<uint8_t>(11 + appliance);
  return ethernet(kEtherTypeIpv4, {},
                  ipv4(kProtocolUdp, udp(40000, kGenevePort, datagram),
                       {.source = {10, 9, 0, last}, .destination = {10, 9, 0, 1}}));
}

class TunnelProberTest : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    loop = std::move(*EventLoop::create());
    prober.emplace(
        *loop, std::span(host->tables().tunnel_probes, kTargetsMax),
        [this](const IpAddress& to, std::span<const uint8_t> bytes) {
          if (!sends) return false;
          EXPECT_EQ(to, target.address);
          sent.emplace_back(bytes.begin(), bytes.end());
          if (answers) verdict = from_tunnel(returned_by(kAppliance, sent.back())).outcome.verdict;
          return true;
        },
        [this](const Target& t, HealthState before) {
          EXPECT_EQ(t, target);
          changes.emplace_back(before, prober->state(t));
        });
    prober->set_key({1, 2});
  }
  void run_until(const std::function<bool()>& done) {
    while (!done()) loop->turn(100);
  }
  // Lets this many more probes be sent.
  void probe(size_t count) {
    const size_t wanted = sent.size() + count;
    run_until([&] { return sent.size() >= wanted; });
  }

  const Target target{*parse_ip_address("10.9.0.13"), 6081};
  const TunnelProbe settings_{.target = kAppliance,
                              .interval_ms = 3,
                              .healthy_threshold = 4,
                              .unhealthy_threshold = 3,
                              .endpoint_id = kEndpoint};
  std::unique_ptr<EventLoop> loop;
  std::optional<TunnelProber> prober;
  std::vector<Bytes> sent;
  std::vector<std::pair<HealthState, HealthState>> changes;
  Verdict verdict = kVerdictStack;
  bool answers = true, sends = true;
};

TEST_F(TunnelProberTest, ADatagramIsOneOfTrafficsWithAHarmlessPacketInside) {
  const Bytes bytes =
      make_tunnel_probe({.endpoint_id = kEndpoint, .attachment_id = 5}, 0x1122334455667788);
  const geneve_profile profile = SLUICE_GENEVE_AWS;
  geneve header{};
  ASSERT_EQ(geneve_decode(bytes.data(), bytes.data() + bytes.size(), &profile, &header), kDropNone);
  EXPECT_EQ(header.header_length, 40u);
  EXPECT_EQ(header.endpoint_id, kEndpoint);
  EXPECT_EQ(header.attachment_id, 5u);
  EXPECT_EQ(header.protocol, kEtherTypeIpv4);
  const Bytes inner(bytes.begin() + 40, bytes.end());
  packet p{};
  ASSERT_EQ(tunnels::parse_ip_packet(inner, p), kDropNone);
  EXPECT_EQ(p.l3_length, inner.size());
  EXPECT_EQ(p.tuple.source[0], ipv4_word(192, 0, 2, 1));
  EXPECT_EQ(p.tuple.destination[0], ipv4_word(198, 51, 100, 1));
  const Bytes whole = ethernet(kEtherTypeIpv4, {}, inner);
  EXPECT_EQ(with_checksum(whole), whole);
}

TEST_F(TunnelProberTest, ADatagramIsInTheProfileOfTheAppliance) {
  for (uint8_t profile = 0; profile < kProfiles; profile++) {
    SCOPED_TRACE(profile_name(profile));
    const Bytes bytes =
        make_tunnel_probe({.endpoint_id = 0xa1b2c3, .attachment_id = 5, .profile = profile}, 1);
    ASSERT_EQ(profile_of_header(bytes), profile);
    geneve header{};
    ASSERT_EQ(geneve_decode(bytes.data(), bytes.data() + bytes.size(), &kGeneveProfiles[profile],
                            &header),
              kDropNone);
    (void)geneve_hear(&kGeneveProfiles[profile], &header);
    EXPECT_EQ(header.endpoint_id, 0xa1b2c3u);
    EXPECT_EQ(bytes.size(), header.header_length + kProbeLength);
  }
}

TEST_F(TunnelProberTest, OneThatComesBackMakesItHealthy) {
  prober->watch(target, settings_);
  EXPECT_EQ(prober->state(target), HealthState::kInitial);
  run_until([&] { return !changes.empty(); });
  EXPECT_EQ(verdict, kVerdictProbe);
  EXPECT_EQ(changes.front(), std::pair(HealthState::kInitial, HealthState::kHealthy));
  EXPECT_EQ(prober->counters().returned, 1u);
  probe(5);
  std::set<Bytes> different(sent.begin(), sent.end());
  EXPECT_EQ(different.size(), sent.size()) << "each has a token of its own";
  EXPECT_EQ(changes.size(), 1u);
  EXPECT_EQ(prober->counters().missed, 0u);
}

TEST_F(TunnelProberTest, ThoseThatAreMissedMakeItUnhealthy) {
  prober->watch(target, settings_);
  run_until([&] { return !changes.empty(); });
  answers = false;
  const uint64_t good = prober->counters().returned;
  run_until([&] { return changes.size() == 2; });
  EXPECT_EQ(changes.back(), std::pair(HealthState::kHealthy, HealthState::kUnhealthy));
  EXPECT_EQ(prober->counters().missed, 3u);
  EXPECT_LE(prober->counters().returned, good + 1) << "the last that was answered";
  EXPECT_EQ(sent.back(), sent[sent.size() - 2]) << "it is sent again as it was";
  answers = true;
  run_until([&] { return changes.size() == 3; });
  EXPECT_EQ(changes.back(), std::pair(HealthState::kUnhealthy, HealthState::kHealthy));
  EXPECT_GE(prober->counters().returned, good + 4);
}

TEST_F(TunnelProberTest, ALateReturnCounts) {
  answers = false;
  prober->watch(target, settings_);
  probe(2);
  EXPECT_EQ(from_tunnel(returned_by(kAppliance, sent.front())).outcome.verdict, kVerdictProbe);
  run_until([&] { return !changes.empty(); });
  EXPECT_EQ(prober->state(target), HealthState::kHealthy);
}

TEST_F(TunnelProberTest, WhatCannotBeSentSaysNothing) {
  sends = false;
  prober->watch(target, settings_);
  run_until([&] { return prober->counters().not_sent >= 5; });
  EXPECT_EQ(prober->state(target), HealthState::kInitial);
  EXPECT_EQ(prober->counters().missed, 0u);
  sends = true;
  run_until([&] { return !changes.empty(); });
  EXPECT_EQ(prober->state(target), HealthState::kHealthy);
}

TEST_F(TunnelProberTest, OnlyItsOwnTargetReturnsAProbe) {
  answers = false;
  prober->watch(target, settings_);
  probe(1);
  const auto verdict_of = [&](int appliance, Bytes datagram) {
    return from_tunnel(returned_by(appliance, datagram)).outcome;
  };
  Bytes forged = sent.back();
  forged[40 + 28] ^= 1;
  EXPECT_EQ(verdict_of(kAppliance, forged).reason, kDropProbeStale);
  EXPECT_EQ(verdict_of(1, sent.back()).reason, kDropProbeStale) << "another target's";
  EXPECT_EQ(verdict_of(88, sent.back()).reason, kDropSourceUnregistered);
  Bytes other = sent.back();
  other[40 + 15] = 9;
  EXPECT_EQ(verdict_of(kAppliance, other).reason, kDropFlowUnknown) << "no probe at all";
  EXPECT_EQ(host->tables().tunnel_probes[kAppliance].returned, 0u);
  // The appliance may count the TTL down, as routers do.
  Bytes routed = sent.back();
  routed[40 + 8]--;
  EXPECT_EQ(verdict_of(kAppliance, routed).verdict, kVerdictProbe);
  EXPECT_EQ(drops(kDropProbeStale), 2u);
}

// Whoever sends packets with a probe's tuple through the gateway keeps no probe from coming back.
TEST_F(TunnelProberTest, AFlowOfTheSameTupleIsNotInItsWay) {
  from_outside(ethernet(kEtherTypeIpv4, {},
                        ipv4(kProtocolUdp, udp(kProbePort, kProbePort),
                             {.source = {192, 0, 2, 1}, .destination = {198, 51, 100, 1}})));
  prober->watch(target, settings_);
  run_until([&] { return !changes.empty(); });
  EXPECT_EQ(prober->state(target), HealthState::kHealthy);
}

TEST_F(TunnelProberTest, OnesThatAreForgottenAreProbedNoMore) {
  prober->watch(target, settings_);
  probe(1);
  prober->forget(target);
  EXPECT_EQ(host->tables().tunnel_probes[kAppliance].expected, 0u);
  EXPECT_EQ(prober->state(target), HealthState::kHealthy) << "nothing is known against it";
  EXPECT_EQ(from_tunnel(returned_by(kAppliance, sent.back())).outcome.reason, kDropProbeStale);
  const size_t before = sent.size();
  for (int i = 0; i < 10; i++) loop->turn(2);
  EXPECT_EQ(sent.size(), before);
}

TEST_F(TunnelProberTest, ItsPlaceInTheTableMayChange) {
  prober->watch(target, settings_);
  run_until([&] { return !changes.empty(); });
  TunnelProbe moved = settings_;
  moved.target = 3;
  prober->watch(target, moved);
  EXPECT_EQ(host->tables().tunnel_probes[kAppliance].expected, 0u);
  EXPECT_EQ(prober->state(target), HealthState::kHealthy);
}

TEST(ProbeSocket, SendsWithoutAChecksum) {
  // Loopback shows what leaves: a raw socket sees the UDP header.
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!raw) GTEST_SKIP() << "raw sockets need root";
  auto probes = ProbeSocket::open(*parse_ip_address("127.0.0.1"));
  ASSERT_TRUE(probes) << probes.error().text();
  const Bytes bytes = make_tunnel_probe({}, 0x5555aaaa5555aaaa);
  ASSERT_TRUE(probes->send(*parse_ip_address("127.0.0.1"), bytes));
  for (uint8_t buffer[2000];;) {
    const ssize_t length = ::recv(raw.get(), buffer, sizeof(buffer), 0);
    ASSERT_GT(length, 28);
    if (Bytes(buffer + 28, buffer + length) != bytes) continue;
    EXPECT_EQ(load_be16(buffer + 22), kGenevePort);
    EXPECT_EQ(load_be16(buffer + 26), 0);
    break;
  }
}

TEST(ProbeSocket, SendsWithoutAChecksumOverIpv6) {
  const IpAddress loopback = *parse_ip_address("::1");
  const UniqueFd raw(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!raw) GTEST_SKIP() << "raw sockets need root";
  auto probes = ProbeSocket::open(loopback);
  if (!probes) GTEST_SKIP() << "no IPv6 here: " << probes.error().text();
  const Bytes bytes = make_tunnel_probe({}, 0x5555aaaa5555aaaa);
  ASSERT_TRUE(probes->send(loopback, bytes));
  for (uint8_t buffer[2000];;) {
    const ssize_t length = ::recv(raw.get(), buffer, sizeof(buffer), 0);
    ASSERT_GE(length, 8);
    if (Bytes(buffer + 8, buffer + length) != bytes) continue;
    EXPECT_EQ(load_be16(buffer + 2), kGenevePort);
    EXPECT_EQ(load_be16(buffer + 6), 0);
    break;
  }
}

}  // namespace
}  // namespace sluice::gateway
