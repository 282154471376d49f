// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/policy_writer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "gateway/control/config.h"
#include "gateway/control/reconciler.h"
#include "gateway/control/zones.h"
#include "gateway/datapath/policy.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {
namespace {

constexpr std::string_view kHead = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  policy:
)";
constexpr std::string_view kTail = R"(
attachments:
  - {name: front, endpoint_id: 1, outside: out0, inside: in0, load_balancer: inspect, subnet: a}
  - {name: back, endpoint_id: 2, outside: out1, inside: in1, load_balancer: inspect, subnet: b}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - {name: dpi, protocol: GENEVE, targets: [{id: 10.9.0.12}]}
)";
constexpr std::string_view kBalancer = R"(load_balancers:
  - {name: inspect, type: gateway, attributes: {load_balancing.cross_zone.enabled: "true"},
     listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
network:
  vpcs: [{id: vpc, cidr: 10.0.0.0/8}]
  subnets: [{id: a, vpc: vpc, zone: zone-a, cidr: 10.1.0.0/16}, {id: b, vpc: vpc, zone: zone-b, cidr: 10.2.0.0/16}])";

class NoWorld : public World {
 public:
  TargetHealth health(const TargetName&) override { return {HealthState::kHealthy, {}, {}}; }
  Result<NextHop> next_hop(const IpAddress&) override { return fail("no route"); }
  Result<uint32_t> interface_index(const std::string& name) override {
    return static_cast<uint32_t>(5 +
                                 (name[0] == 'i'   ? 1
                                  : name[0] == 'g' ? 8
                                                   : 0) +
                                 (name.back() == '1' ? 2 : 0));
  }
};

class PolicyWriterTest : public testing::Test {
 protected:
  PolicyWriterTest() : host(std::move(*ProcessHost::create({1024}))), tables(host->tables()) {}

  void use(std::string_view rules, std::string_view balancer = kBalancer) {
    auto parsed = parse_config(
        std::string(kHead).append(rules).append("\n").append(balancer).append(kTail), "f");
    ASSERT_TRUE(parsed) << parsed.error().front().text();
    config = std::move(*parsed);
    auto done = reconciler.reconcile(config, world);
    ASSERT_TRUE(done) << done.error().text();
  }
  // The rule of a new flow that comes in at an attachment.
  uint32_t rule_of(std::string_view attachment, const char* from, const char* to,
                   uint8_t protocol = kProtocolTcp, uint16_t port = 80) {
    struct tuple t {};
    const IpAddress source = *parse_ip_address(from), destination = *parse_ip_address(to);
    std::memcpy(t.source, source.words, sizeof(t.source));
    std::memcpy(t.destination, destination.words, sizeof(t.destination));
    t.version = source.version;
    t.protocol = protocol;
    t.source_port = swap_be16(4242);
    t.destination_port = swap_be16(port);
    uint32_t at = 0;
    while (reconciler.attachment_name(static_cast<uint16_t>(at)) != attachment) at++;
    flow_query_from_tuple(&query, tables.settings, &t, at, 0);
    return policy_find(&tables, &query, &t, 0);
  }
  std::string name_of(uint32_t rule) {
    return std::string(reconciler.policy().rule_name(static_cast<uint8_t>(rule)));
  }
  std::string group_of(uint32_t rule) {
    return std::string(
        reconciler.group_name(static_cast<uint16_t>(policy_group(&tables, &query, rule, 0))));
  }

  std::unique_ptr<ProcessHost> host;
  Tables& tables;
  Config config;
  NoWorld world;
  flow_query query{};
  Reconciler reconciler{*host};
};

TEST_F(PolicyWriterTest, RulesAreFoundAsTheyAreWritten) {
  use(R"(
    - {name: video, destinations: [10.5.0.0/16, "fd00:5::/32"], protocol: udp, ports: [443, 8000-8999], actions: [{type: bypass}]}
    - {name: guests, attachments: [front], sources: [10.6.0.0/16], actions: [{type: drop}]}
    - {name: rest, protocol: 6, actions: [{type: forward, target_group: dpi}]})");
  EXPECT_EQ(name_of(rule_of("front", "10.1.0.1", "10.5.9.9", kProtocolUdp, 443)), "video");
  EXPECT_EQ(name_of(rule_of("back", "10.1.0.1", "10.5.9.9", kProtocolUdp, 8999)), "video");
  EXPECT_EQ(name_of(rule_of("back", "fd00::1", "fd00:5::1", kProtocolUdp, 8000)), "video");
  EXPECT_EQ(rule_of("front", "10.1.0.1", "10.5.9.9", kProtocolUdp, 9000), 0u);
  EXPECT_EQ(rule_of("front", "10.1.0.1", "10.4.9.9", kProtocolUdp, 443), 0u);
  EXPECT_EQ(name_of(rule_of("front", "10.6.0.1", "10.5.0.1", kProtocolUdp, 1)), "guests");
  EXPECT_EQ(name_of(rule_of("back", "10.6.0.1", "10.5.0.1", kProtocolTcp, 1)), "rest");
  EXPECT_EQ(group_of(rule_of("back", "10.6.0.1", "10.5.0.1")), "dpi");
  for (const auto& at : {0, 1}) EXPECT_TRUE(tables.attachments[at].flags & kAttachmentPolicy);
}

TEST_F(PolicyWriterTest, OnlyWhatChangesIsWrittenAndRulesKeepTheirPlaces) {
  use(R"(
    - {name: one, protocol: udp, actions: [{type: bypass}]}
    - {name: two, actions: [{type: drop}]})");
  const uint32_t one = rule_of("front", "10.1.0.1", "10.1.0.2", kProtocolUdp);
  const uint32_t two = rule_of("front", "10.1.0.1", "10.1.0.2");
  tables.policy_counters[policy_place(two)].packets_dropped = 7;
  const uint64_t before = tables.settings[0].policy;
  auto again = reconciler.reconcile(config, world);
  ASSERT_TRUE(again);
  EXPECT_EQ(tables.settings[0].policy, before) << "the same copy is in use";

  use(R"(
    - {name: new, attachments: [back], actions: [{type: bypass}]}
    - {name: two, actions: [{type: drop}]})");
  EXPECT_NE(tables.settings[0].policy >> 32, before >> 32) << "the other copy";
  EXPECT_EQ(policy_place(rule_of("front", "10.1.0.1", "10.1.0.2", kProtocolUdp)),
            policy_place(two));
  EXPECT_EQ(reconciler.policy().count("two").packets_dropped, 7u);
  EXPECT_EQ(name_of(one), "(gone)");
  EXPECT_NE(policy_place(rule_of("back", "10.1.0.1", "10.1.0.2")), policy_place(one))
      << "the longest free place comes next";

  // A restart with pinned tables.
  Reconciler next(*host);
  PolicyWriter writer(tables);
  writer.take_over();
  EXPECT_EQ(writer.count("two").packets_dropped, 7u);

  use("    []");
  EXPECT_EQ(rule_of("front", "10.1.0.1", "10.1.0.2"), 0u);
  EXPECT_FALSE(tables.attachments[0].flags & kAttachmentPolicy);
}

TEST_F(PolicyWriterTest, PlacesGoRoundAndNeverRunOut) {
  for (int i = 0; i < 600; i++)
    use("    - {name: rule-" + std::to_string(i) + ", actions: [{type: drop}]}");
  EXPECT_EQ(name_of(rule_of("front", "10.1.0.1", "10.1.0.2")), "rule-599");
}

TEST_F(PolicyWriterTest, EachZoneHasItsOwnRows) {
  use("    - {name: inspect-all, actions: [{type: forward, target_group: dpi}]}",
      R"(load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
network:
  vpcs: [{id: vpc, cidr: 10.0.0.0/8}]
  subnets: [{id: a, vpc: vpc, zone: zone-a, cidr: 10.1.0.0/16}, {id: b, vpc: vpc, zone: zone-b, cidr: 10.2.0.0/16}])");
  const uint32_t front = rule_of("front", "10.1.0.1", "10.1.0.2");
  const uint32_t group_front = policy_group(&tables, &query, front, 0);
  const uint32_t back = rule_of("back", "10.1.0.1", "10.1.0.2");
  const uint32_t group_back = policy_group(&tables, &query, back, 0);
  EXPECT_EQ(name_of(front), "inspect-all");
  EXPECT_EQ(name_of(back), "inspect-all");
  EXPECT_NE(front, back);
  EXPECT_EQ(tables.groups[group_front].zone, zone_id("zone-a"));
  EXPECT_EQ(tables.groups[group_back].zone, zone_id("zone-b"));
  tables.policy_counters[policy_place(front)].flows = 3;
  tables.policy_counters[policy_place(back)].flows = 4;
  EXPECT_EQ(reconciler.policy().count("inspect-all").flows, 7u);
}

TEST_F(PolicyWriterTest, AListenersWeightsShareFlowsWithoutBeingARule) {
  use("    []", R"(load_balancers:
  - name: inspect
    type: gateway
    listeners:
      - default_actions:
          - type: forward
            target_groups: [{target_group: ids, weight: 3}, {target_group: dpi, weight: 1}]
network:
  vpcs: [{id: vpc, cidr: 10.0.0.0/8}]
  subnets: [{id: a, vpc: vpc, zone: zone-a, cidr: 10.1.0.0/16}, {id: b, vpc: vpc, zone: zone-b, cidr: 10.2.0.0/16}])");
  std::map<std::string, int> flows;
  for (uint16_t port = 1; port <= 4000; port++) {
    const uint32_t rule = rule_of("front", "10.1.0.1", "10.1.0.2", kProtocolTcp, port);
    ASSERT_NE(rule, 0u);
    ASSERT_EQ(name_of(rule), "");
    flows[group_of(rule)]++;
  }
  EXPECT_NEAR(flows["ids"], 3000, 150);
  EXPECT_EQ(flows["ids"] + flows["dpi"], 4000);
}

TEST_F(PolicyWriterTest, MoreWeightMovesFlowsToOneGroupOnly) {
  const auto groups = [&](int canary) {
    use("    - {name: canary, actions: [{type: forward, target_groups: [{target_group: dpi, "
        "weight: " +
        std::to_string(canary) + "}, {target_group: ids, weight: " + std::to_string(100 - canary) +
        "}]}]}");
    std::vector<std::string> out;
    for (uint16_t port = 1; port <= 1000; port++)
      out.push_back(group_of(rule_of("front", "10.1.0.1", "10.1.0.2", kProtocolTcp, port)));
    return out;
  };
  const auto few = groups(5), more = groups(20);
  int moved = 0;
  for (size_t i = 0; i < few.size(); i++) {
    moved += few[i] != more[i];
    EXPECT_TRUE(few[i] != "dpi" || more[i] == "dpi") << i;
  }
  EXPECT_NEAR(moved, 150, 50);
}

TEST_F(PolicyWriterTest, AMirrorHasItsGroupByZoneAndItsCounters) {
  constexpr std::string_view kZoned = R"(load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
network:
  vpcs: [{id: vpc, cidr: 10.0.0.0/8}]
  subnets: [{id: a, vpc: vpc, zone: zone-a, cidr: 10.1.0.0/16}, {id: b, vpc: vpc, zone: zone-b, cidr: 10.2.0.0/16}])";
  const auto place = [&](std::string_view attachment) {
    return static_cast<uint8_t>(rule_of(attachment, "10.1.0.1", "10.1.0.2"));
  };
  use("    - {name: m, actions: [{type: forward, target_group: ids}, {type: mirror, target_group: "
      "dpi}]}");
  const uint16_t group = reconciler.policy().mirror_of(place("front"));
  EXPECT_EQ(reconciler.group_name(group), "dpi");
  EXPECT_TRUE(reconciler.steers_to("dpi")) << "checked, and given rows";
  EXPECT_EQ(
      tables
          .policy_rules[(tables.settings[0].policy >> 32 != 0 ? kPolicySlots : 0) + place("front")]
          .shadow,
      0);
  EXPECT_TRUE(policy_mirrors(&tables, policy_rule_now(tables.settings, place("front"))));
  EXPECT_TRUE(policy_mirrors_some(&tables, tables.settings));

  use("    - {name: m, actions: [{type: bypass}, {type: shadow, target_group: dpi}]}", kZoned);
  EXPECT_NE(place("front"), place("back"));
  const uint16_t front = reconciler.policy().mirror_of(place("front"));
  const uint16_t back = reconciler.policy().mirror_of(place("back"));
  EXPECT_EQ(tables.groups[front].zone, zone_id("zone-a"));
  EXPECT_EQ(tables.groups[back].zone, zone_id("zone-b"));
  EXPECT_EQ(policy_rule_at(&tables, policy_rule_now(tables.settings, place("front")))->shadow, 1);
  tables.mirror_counters[place("front")].sent = 3;
  tables.mirror_counters[place("back")].sent = 4;
  tables.mirror_counters[place("back")].uncompared = 5;
  EXPECT_EQ(reconciler.policy().count_mirrored("m").sent, 7u);
  EXPECT_EQ(reconciler.policy().count_mirrored("m").uncompared, 5u);

  use("    - {name: h, actions: [{type: forward, target_group: dpi}]}", kZoned);
  const uint8_t forwards = place("front");
  use("    - {name: h, actions: [{type: forward, target_group: dpi}, {type: shadow, target_group: "
      "ids}]}",
      kZoned);
  EXPECT_EQ(place("front"), forwards) << "flows keep their rule when it gets a mirror";
  EXPECT_NE(reconciler.policy().mirror_of(forwards), uint16_t{kNone16});

  const uint8_t before = place("front");
  use("    - {name: n, actions: [{type: bypass}]}");
  EXPECT_EQ(reconciler.policy().mirror_of(before), uint16_t{kNone16}) << "gone";
  EXPECT_FALSE(policy_mirrors_some(&tables, tables.settings));
  EXPECT_EQ(reconciler.policy().mirror_of(place("front")), uint16_t{kNone16});
  EXPECT_EQ(reconciler.policy().mirror_of(0), uint16_t{kNone16});
}

}  // namespace
}  // namespace sluice::gateway
