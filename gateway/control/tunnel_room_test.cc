// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/tunnel_room.h"

#include "gateway/control/gateway_for_test.h"

namespace sluice::gateway {
namespace {

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
attachments:
  - {name: front, endpoint_id: 7, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]}
)";

const char kClamp[] = "name: demo\n  mss_clamp: true";

class TunnelRoomTest : public testing::Test {
 protected:
  TunnelRoomTest() { run_.hops.mtus = {{"out0", 1500}, {"in0", 1500}}; }
  void start(const std::string& yaml = kYaml) { EXPECT_EQ(run_.start(yaml).size(), 0u); }
  static std::string clamped() {
    std::string yaml = kYaml;
    return yaml.replace(yaml.find("name: demo"), 10, kClamp);
  }
  // The kernel tells that a link has changed.
  void change(uint16_t mtu) {
    run_.hops.mtu = mtu;
    run_.controller.look_again();
    const auto told = [&] { return run_.host->tables().targets[0].mtu + 68 == mtu; };
    for (int i = 0; i < 1000 && !told(); i++) run_.loop->turn(10);
  }
  std::vector<std::string> told() const {
    std::vector<std::string> out;
    for (const Event& event : run_.events.kept())
      if (event.kind == EventKind::kTunnelMtu) out.push_back(event.text);
    return out;
  }
  GatewayForTest run_;
};

TEST_F(TunnelRoomTest, WhatFitsIsNotToldOf) {
  start();
  EXPECT_TRUE(told().empty());
}

TEST_F(TunnelRoomTest, WhatDoesNotIsToldOnceWithTheRemedyAndWhenItIsOver) {
  run_.hops.mtu = 1500;
  start();
  const std::string text =
      "attachment front: packets of up to 1500 bytes come, but only 1432 fit the tunnel to "
      "10.9.0.11; give the way there an MTU of 1568, or have TCP send less: gateway.mss_clamp: "
      "true";
  EXPECT_EQ(told(), std::vector{text});
  change(1499);
  change(1500);
  ASSERT_EQ(told().size(), 3u) << "another number, and this one again";
  change(1568);
  ASSERT_EQ(told().size(), 4u);
  EXPECT_EQ(told().back(), "attachment front: what comes fits the tunnels now");
  change(1600);
  EXPECT_EQ(told().size(), 4u);
}

TEST_F(TunnelRoomTest, TheMssClampIsARemedyButNotForIpv6) {
  run_.hops.mtu = 1500;
  start(clamped());
  EXPECT_TRUE(told().empty());
  change(1348);
  EXPECT_TRUE(told().empty());
  change(1347);
  ASSERT_EQ(told().size(), 1u);
  EXPECT_EQ(told()[0],
            "attachment front: packets of up to 1500 bytes come, but only 1279 fit the tunnel to "
            "10.9.0.11, which is too little for IPv6; give the way there an MTU of 1568");
}

TEST_F(TunnelRoomTest, JumboFramesAtOneSideCount) {
  run_.hops.mtus["in0"] = 9000;
  start();
  ASSERT_EQ(told().size(), 1u);
  EXPECT_NE(told()[0].find("of up to 9000 bytes come, but only 1532 fit"), std::string::npos);
}

}  // namespace
}  // namespace sluice::gateway
