// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/simulation.h"

#include <gtest/gtest.h>

#include <random>

#include "gateway/control/config.h"
#include "gateway/control/reconciler.h"
#include "tunnels/frames_for_test.h"

namespace sluice::testbed {
namespace {

namespace frames = tunnels::frames;
using frames::Bytes;
using gateway::FlowHashForm;

const char kYaml[] = R"(gateway:
  name: test
  key: 00112233445566778899aabbccddeeff
  flow_table: {flows_max: 1024}
  tunnel: {interface: gen0, address: 10.9.0.1}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
attachments:
  - {name: front, endpoint_id: 7, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
)";

// Drops packets whose last byte is 'X', with an alert; adds the packet turned round if it is 'R',
// and a packet of no known flow if it is 'U'.
class PickyAppliance : public sdk::Appliance {
 public:
  explicit PickyAppliance(inspect::Sink& sink) : sink_(sink) {}

  sdk::Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    const uint8_t last = packet.ip.back();
    Bytes added(packet.ip.begin(), packet.ip.end());
    if (last == 'R') {
      std::swap_ranges(&added[12], &added[16], &added[16]);
      std::swap_ranges(&added[20], &added[22], &added[22]);
    }
    if (last == 'U') added[12] ^= 1;
    if (last == 'R' || last == 'U') injector.inject(added);
    if (last == 'A')
      sink_.write(R"({"alert":{"action":"allowed","signature_id":5,"signature":"odd"}})"
                  "\n");
    if (last != 'X' && last != 'R') return sdk::Answer::kReturn;
    sink_.write(R"({"alert":{"action":"blocked","signature_id":6,"signature":"bad"}})"
                "\n");
    return sdk::Answer::kDrop;
  }
  void tick(int64_t) override { ticks++; }

  static inline int ticks = 0;

 private:
  inspect::Sink& sink_;
};

class SimulationTest : public testing::Test {
 protected:
  explicit SimulationTest(const char* yaml = kYaml)
      : config_(*gateway::parse_config(yaml, "f")),
        host_(std::move(*gateway::ProcessHost::create({1024}))),
        reconciler_(*host_) {
    PickyAppliance::ticks = 0;
    gateway::OfflineWorld world;
    world.tunnel_interface = "gen0";
    EXPECT_TRUE(reconciler_.reconcile(config_, world));
    auto tap = std::make_shared<EveTap>(nullptr);
    StandingAppliances appliances;
    for (const gateway::TargetGroup& group : config_.target_groups)
      appliances[group.targets[0].address] =
          std::make_unique<StandingAppliance>("picky", tap, std::make_unique<PickyAppliance>(*tap));
    simulation_ = std::make_unique<Simulation>(
        *host_, 0, Sides{}, std::move(appliances), [this](int64_t, std::span<const uint8_t> frame) {
          delivered_.emplace_back(frame.begin(), frame.end());
        });
  }

  void enter(const Bytes& frame, int64_t time_ms = 0) {
    simulation_->enter({INT64_C(1'700'000'000'000'000'000) + time_ms * 1'000'000, frame});
  }
  static Bytes datagram(char last, bool back = false) {
    frames::Ipv4 header;
    if (back) std::swap(header.source, header.destination);
    const Bytes payload = {'p', static_cast<uint8_t>(last)};
    return frames::ethernet(
        tunnels::kEtherTypeIpv4, {},
        frames::ipv4(tunnels::kProtocolUdp,
                     back ? frames::udp(53, 4242, payload) : frames::udp(4242, 53, payload),
                     header));
  }
  const ReplayFlow& flow(size_t index) { return simulation_->flows().flows().at(index); }

  gateway::Config config_;
  std::unique_ptr<gateway::ProcessHost> host_;
  gateway::Reconciler reconciler_;
  std::vector<Bytes> delivered_;
  std::unique_ptr<Simulation> simulation_;
};

TEST_F(SimulationTest, DeliversWhatIsApproved) {
  enter(datagram('p'));
  enter(datagram('p', /*back=*/true), 10);
  ASSERT_EQ(simulation_->flows().flows().size(), 1u);
  EXPECT_EQ(flow(0).verdict(), FlowVerdict::kDelivered);
  EXPECT_EQ(flow(0).ways[0].delivered, 1u);
  EXPECT_EQ(flow(0).ways[1].delivered, 1u);
  EXPECT_EQ(delivered_, (std::vector<Bytes>{datagram('p'), datagram('p', true)}));
}

TEST_F(SimulationTest, KeepsWhatTheApplianceDrops) {
  enter(datagram('A'));
  enter(datagram('X'));
  EXPECT_EQ(flow(0).verdict(), FlowVerdict::kBlocked);
  EXPECT_EQ(flow(0).blocked_by, "rule 6 (bad)");
  EXPECT_EQ(flow(0).alerts, std::vector<std::string>{"rule 5 (odd)"});
  EXPECT_EQ(flow(0).ways[0].kept, 1u);
  EXPECT_EQ(simulation_->counts().kept, 1u);
  EXPECT_EQ(delivered_.size(), 1u);
}

TEST_F(SimulationTest, DeliversWhatTheApplianceAdds) {
  enter(datagram('R'));
  EXPECT_EQ(flow(0).verdict(), FlowVerdict::kRejected);
  EXPECT_EQ(flow(0).ways[1].injected, 1u);
  EXPECT_EQ(simulation_->counts().injected, 1u);
  ASSERT_EQ(delivered_.size(), 1u);
  // To the client: the client's own MAC address first.
  EXPECT_EQ(Bytes(delivered_[0].begin(), delivered_[0].begin() + 6), (Bytes{2, 0, 0, 0, 0, 2}));
}

TEST_F(SimulationTest, GatewayRefusesAddedPacketsOfNoFlow) {
  enter(datagram('U'));
  EXPECT_EQ(simulation_->counts().injected_dropped, 1u);
  EXPECT_EQ(simulation_->counts().drops[tunnels::kDropFlowUnknown], 1u);
  EXPECT_EQ(delivered_.size(), 1u);
}

TEST_F(SimulationTest, TimeNeverGoesBackAndLeapsCostOneTick) {
  enter(datagram('p'), 1000);
  enter(datagram('p'), 0);
  EXPECT_EQ(host_->now_ms(), 0u);
  const int before = PickyAppliance::ticks;
  simulation_->enter({kTimeNsMax, datagram('p')});
  EXPECT_EQ(PickyAppliance::ticks, before + 1);
  simulation_->enter({0, datagram('p')});
  EXPECT_EQ(PickyAppliance::ticks, before + 1);
  EXPECT_EQ(delivered_.size(), 4u);
}

TEST_F(SimulationTest, SynAckFirstTellsTheClient) {
  enter(frames::ethernet(tunnels::kEtherTypeIpv4, {},
                         frames::ipv4(tunnels::kProtocolTcp,
                                      frames::tcp(80, 4000, tunnels::kTcpSyn | tunnels::kTcpAck))));
  EXPECT_EQ(flow(0).ways[1].packets, 1u);
  EXPECT_EQ(host_->tables().counters[0].verdict[gateway::kVerdictOutside], 1u);
}

TEST_F(SimulationTest, EveryFrameEndsOnce) {
  std::mt19937 random(7);
  const Bytes good = datagram('p');
  uint64_t sent = 0;
  const auto send = [&](const Bytes& frame) {
    enter(frame, static_cast<int64_t>(sent));
    sent++;
  };
  for (size_t length = 0; length <= good.size(); length++) send(frames::first(good, length));
  for (int i = 0; i < 3000; i++) {
    Bytes frame = i % 2 ? datagram("pXRUA"[random() % 5]) : Bytes(random() % 200);
    for (int n = 0; n < 4 && !frame.empty(); n++)
      frame[random() % frame.size()] = static_cast<uint8_t>(random());
    if (i % 2 == 0 && frame.size() > 14) {
      frame[12] = random() % 2 ? 0x08 : 0x86;
      frame[13] = frame[12] == 0x08 ? 0 : 0xdd;
    }
    send(frame);
  }
  simulation_->finish();
  const SimulationCounts& counts = simulation_->counts();
  EXPECT_EQ(counts.frames, sent);
  EXPECT_EQ(counts.delivered + counts.crossed + counts.dropped + counts.kept +
                counts.left_to_stack + counts.not_sent - counts.fragments_added,
            sent);
  EXPECT_EQ(delivered_.size(),
            counts.delivered + counts.crossed + counts.injected + counts.answered);
  EXPECT_EQ(counts.left_to_stack, 0u);
}

std::string with_shadow() {
  std::string yaml = kYaml;
  yaml.insert(yaml.find("load_balancers:"),
              "  policy:\n    - {name: next, actions: [{type: forward, target_group: ids}, {type: "
              "shadow, target_group: other}]}\n");
  return yaml + "  - {name: other, protocol: GENEVE, targets: [{id: 10.9.0.12}]}\n";
}

class ShadowTest : public SimulationTest {
 protected:
  ShadowTest() : SimulationTest(with_shadow().c_str()) {}
};

TEST_F(ShadowTest, AnswersCopiesAndDeliversNoneOfThem) {
  enter(datagram('p'));
  enter(datagram('p', /*back=*/true), 10);
  enter(datagram('X'), 20);
  enter(datagram('R'), 30);  // both add a packet; what the shadow adds was not asked for
  simulation_->finish();
  const gateway::mirror_counters count = reconciler_.policy().count_mirrored("next");
  EXPECT_EQ(count.sent, 4u);
  EXPECT_EQ(count.approved, 2u);
  EXPECT_EQ(count.missing, 2u);
  EXPECT_EQ(count.agreed, 4u);
  EXPECT_EQ(count.unasked, 1u);
  EXPECT_EQ(delivered_.size(), 3u) << "the two that pass, and the one that the flow's own adds";
  EXPECT_EQ(flow(0).ways[0].kept, 2u);
}

// The flow's appliance over IPv6, its shadow over IPv4 or the other way round.
class OverIpv6Test : public SimulationTest, public testing::WithParamInterface<const char*> {
 protected:
  OverIpv6Test() : SimulationTest(yaml().c_str()) {}
  static std::string yaml() {
    std::string out = with_shadow();
    const std::string_view tunnel = "address: 10.9.0.1";
    out.insert(out.find(tunnel) + tunnel.size(), ", ipv6_address: \"fd09::1\"");
    const std::string old = GetParam();
    return out.replace(out.find(old), old.size(), "\"fd09::77\"");
  }
};

INSTANTIATE_TEST_SUITE_P(Appliance, OverIpv6Test, testing::Values("10.9.0.11", "10.9.0.12"),
                         [](const auto& at) { return at.index == 0 ? "own" : "shadow"; });

TEST_P(OverIpv6Test, AppliancesAnswer) {
  enter(datagram('p'));
  enter(datagram('p', /*back=*/true), 10);
  enter(datagram('X'), 20);
  enter(datagram('R'), 30);
  simulation_->finish();
  const gateway::mirror_counters count = reconciler_.policy().count_mirrored("next");
  EXPECT_EQ(count.sent, 4u);
  EXPECT_EQ(count.agreed, 4u);
  EXPECT_EQ(delivered_.size(), 3u);
  EXPECT_EQ(flow(0).verdict(), FlowVerdict::kRejected);
}

}  // namespace
}  // namespace sluice::testbed
