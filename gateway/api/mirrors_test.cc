// SPDX-License-Identifier: Apache-2.0
// What somebody is told of mirrors and shadows.
#include "gateway/api/mirrors.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/api/commands.h"
#include "gateway/cli/print.h"
#include "gateway/control/gateway_for_test.h"
#include "gateway/datapath/mirror_copies.h"
#include "gateway/flow_log/flow_line.h"
#include "tunnels/frames_for_test.h"
#include "tunnels/metrics_page.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;
namespace frames = tunnels::frames;

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  policy:
    - {name: plain, protocol: icmp, actions: [{type: bypass}]}
    - {name: web, protocol: tcp, actions: [{type: forward, target_group: ids}, {type: shadow, target_group: next}]}
    - {name: tapped, protocol: udp, actions: [{type: bypass}, {type: mirror, target_group: next}]}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
attachments:
  - {name: front, endpoint_id: 7, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - {name: next, protocol: GENEVE, targets: [{id: 10.9.0.12}]}
)";

class MirrorsTest : public testing::Test, protected GatewayForTest {
 protected:
  MirrorsTest() { start(kYaml); }
  json ask(const json& request) { return json::parse(answer_request(plane, request.dump()).line); }
  json rule(size_t index) { return ask({{"command", "policy"}}).at("rules").at(index); }
  void send(const frames::Bytes& packet) {
    FrameBuffer buffer;
    buffer.assign(frames::ethernet(tunnels::kEtherTypeIpv4, {}, packet));
    host->run(buffer, 1);
  }
  uint8_t place_of(std::string_view name) {
    for (int place = 1; place < kPolicySlots; place++)
      if (controller.reconciler().policy().rule_name(static_cast<uint8_t>(place)) == name)
        return static_cast<uint8_t>(place);
    return 0;
  }
};

TEST_F(MirrorsTest, CountsAreShownByRule) {
  mirror_counters& shadow = host->tables().mirror_counters[place_of("web")];
  shadow.sent = 9;
  shadow.approved = 7;
  shadow.would_drop = 2;
  host->tables().mirror_counters[place_of("tapped")].lost = 3;
  EXPECT_FALSE(rule(0).contains("mirror"));
  const json web = rule(1).at("mirror");
  EXPECT_EQ(web["target_group"], "next");
  EXPECT_EQ(web["type"], "shadow");
  EXPECT_EQ(web["sent"], 9);
  EXPECT_EQ(web["would_drop"], 2);
  const json tapped = rule(2).at("mirror");
  EXPECT_EQ(tapped["lost"], 3);
  EXPECT_FALSE(tapped.contains("approved")) << "a mirror is not compared";

  const std::string text = print_policy(ask({{"command", "policy"}}));
  EXPECT_NE(text.find("ids + shadow next"), std::string::npos) << text;
  EXPECT_NE(text.find("bypass + mirror next"), std::string::npos) << text;
  EXPECT_NE(text.find("WOULD DROP"), std::string::npos) << text;

  tunnels::MetricsPage page;
  add_mirrors(page, controller);
  const std::string metrics = page.text();
  for (const char* line : {"sluice_mirror_packets_total{rule=\"web\",result=\"sent\"} 9",
                           "sluice_mirror_packets_total{rule=\"web\",result=\"would_drop\"} 2",
                           "sluice_mirror_packets_total{rule=\"tapped\",result=\"lost\"} 3"})
    EXPECT_NE(metrics.find(line), std::string::npos) << metrics;
  EXPECT_EQ(metrics.find("rule=\"plain\""), std::string::npos);
  EXPECT_EQ(metrics.find("rule=\"tapped\",result=\"approved\""), std::string::npos);
}

TEST_F(MirrorsTest, WithoutOneThereIsNothingToShow) {
  std::string yaml = kYaml;
  for (const char* gone :
       {", {type: shadow, target_group: next}", ", {type: mirror, target_group: next}"})
    yaml.erase(yaml.find(gone), std::string(gone).size());
  ASSERT_TRUE(plane.commit(
      "file", [&](Config& next) { return apply_file(next, *parse_config(yaml, "f")); }));
  EXPECT_FALSE(rule(1).contains("mirror"));
  EXPECT_EQ(print_policy(ask({{"command", "policy"}})).find("WOULD DROP"), std::string::npos);
  tunnels::MetricsPage page;
  add_mirrors(page, controller);
  EXPECT_EQ(page.text().find("sluice_mirror"), std::string::npos);
}

TEST_F(MirrorsTest, AFlowAndAnExplanationNameTheGroup) {
  send(frames::ipv4(tunnels::kProtocolTcp, frames::tcp(4242, 80)));
  send(frames::ipv4(tunnels::kProtocolIcmp, frames::icmp(8, 0, {1, 2, 3, 4})));
  const json flow = ask({{"command", "flows"}, {"protocol", "tcp"}}).at("flows").at(0);
  EXPECT_EQ(flow["mirror"], "next");
  EXPECT_FALSE(
      ask({{"command", "flows"}, {"protocol", "icmp"}}).at("flows").at(0).contains("mirror"));
  for (const int port : {4242, 4243}) {  // of the flow, and of one that would begin
    const json told = ask({{"command", "explain"},
                           {"protocol", "tcp"},
                           {"source", "10.0.0.1"},
                           {"source_port", port},
                           {"destination", "10.0.0.2"},
                           {"destination_port", 80}});
    EXPECT_EQ(told["flow_exists"], port == 4242);
    EXPECT_EQ(told["mirror"], "next") << told;
    EXPECT_NE(told.dump().find("a copy goes to target group next: row"), std::string::npos);
  }
  const json none = ask({{"command", "explain"},
                         {"protocol", "icmp"},
                         {"source", "10.0.0.1"},
                         {"destination", "10.0.0.2"}});
  EXPECT_EQ(none["mirror"], nullptr);

  flow_record record{};
  for (uint32_t i = 0; i < host->tables().flow_buckets_count * kFlowWays; i++)
    if (table_flow_records(&host->tables(), i)->key.protocol == tunnels::kProtocolTcp)
      record = *table_flow_records(&host->tables(), i);
  const FlowPlace place = sluice::gateway::place_of(controller, record);
  EXPECT_EQ(place.mirror, "next");
}

}  // namespace
}  // namespace sluice::gateway
