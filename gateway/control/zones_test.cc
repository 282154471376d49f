// SPDX-License-Identifier: Apache-2.0
// Cross-zone load balancing on and off: from the configuration to where packets go.
#include "gateway/control/zones.h"

#include <gtest/gtest.h>

#include "gateway/control/config.h"
#include "gateway/control/reconciler.h"
#include "gateway/datapath/path_fixture.h"
#include "gateway/datapath/process_host.h"
#include "gateway/nlb/translate.h"

namespace sluice::gateway {
namespace {

using namespace tunnels::frames;  // NOLINT

// Two endpoints in zones of their own and one in none; an NLB with an address in each zone.
const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
network:
  vpcs: [{id: vpc-1, cidr: 10.0.0.0/8}]
  subnets:
    - {id: subnet-a, vpc: vpc-1, zone: zone-a, cidr: 10.9.1.0/24}
    - {id: subnet-b, vpc: vpc-1, zone: zone-b, cidr: 10.9.2.0/24}
    - {id: subnet-b2, vpc: vpc-1, zone: zone-b, cidr: 10.9.1.128/25}
  instances: [{id: i-far, address: 10.9.1.50, subnet: subnet-b}]
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: nlb
    type: network
    subnet_mappings: [{subnet: subnet-a, address: 10.9.1.10}, {subnet: subnet-b, address: 10.9.2.10}]
    listeners: [{protocol: UDP, port: 7000, default_actions: [{type: forward, target_group: echo}]}]
attachments:
  - {name: a, endpoint_id: 1, outside: out0, inside: in0, load_balancer: inspect, subnet: subnet-a}
  - {name: b, endpoint_id: 2, outside: out1, inside: in1, load_balancer: inspect, subnet: subnet-b}
  - {name: c, endpoint_id: 3, outside: out2, inside: in2, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.1.11}, {id: 10.9.1.12}, {id: 10.9.2.11}, {id: 10.9.2.12}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.9.1.21}, {id: 10.9.2.21}]}
)";

class ZonedWorld : public World {
 public:
  TargetHealth health(const TargetName& name) override {
    const bool is_sick = sick.contains(name.target.address.text());
    return {is_sick ? HealthState::kUnhealthy : HealthState::kHealthy, {}, {}};
  }
  Result<NextHop> next_hop(const IpAddress&) override {
    return NextHop{9, 1600, {2, 0, 0, 0, 0, 1}, MacAddress{2, 0, 0, 0, 1, 0}};
  }
  Result<uint32_t> interface_index(const std::string& name) override { return interfaces.at(name); }
  std::set<std::string> sick;
  std::map<std::string, uint32_t> interfaces{{"out0", 20}, {"in0", 21}, {"out1", 22}, {"in1", 23},
                                             {"out2", 24}, {"in2", 25}, {"gen0", 9}};
};

class Zones : public testing::Test {
 protected:
  Zones()
      : host(std::move(*ProcessHost::create({1 << 14}))),
        tables(host->tables()),
        config(*parse_config(kYaml, "f")),
        reconciler(std::make_unique<Reconciler>(*host)) {
    host->set_now_ms(1'000'000);
    reconcile();
  }
  void reconcile() {
    for (const TargetGroup& group : config.target_groups) reconciler->health_changed(group.name);
    const auto done = reconciler->reconcile(config, world);
    ASSERT_TRUE(done) << done.error().text();
  }
  void set_group(size_t i, auto change) { change(config.target_groups[i]); }
  void set_cross_zone(size_t balancer, const char* value) {
    config.load_balancers[balancer].attributes["load_balancing.cross_zone.enabled"] = value;
  }
  // Where 200 UDP flows that come in at `outside` go: packets by appliance, "-" for those dropped
  // as no_target, "=" for those that pass without inspection.
  std::map<std::string, int> spread(const char* outside, uint16_t first_port = 1000) {
    std::map<std::string, int> out;
    for (uint16_t i = 0; i < 200; i++) {
      FrameBuffer buffer;
      buffer.assign(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolUdp, udp(static_cast<uint16_t>(first_port + i), 53))));
      const Outcome outcome = host->run(buffer, world.interfaces.at(outside));
      if (outcome.verdict == kVerdictTarget)
        out[ip_address(reinterpret_cast<const uint32_t*>(&buffer.bytes()[30]), 4).text()]++;
      else if (outcome.verdict == kVerdictInside)
        out["="]++;
      else if (outcome.reason == kDropNoTarget)
        out["-"]++;
    }
    return out;
  }
  static std::set<std::string> names(const std::map<std::string, int>& spread) {
    std::set<std::string> out;
    for (const auto& [name, count] : spread) out.insert(name);
    return out;
  }
  using Names = std::set<std::string>;

  std::unique_ptr<ProcessHost> host;
  Tables& tables;
  Config config;
  ZonedWorld world;
  std::unique_ptr<Reconciler> reconciler;
};

TEST_F(Zones, OfATargetIsItsInstancesOrThatOfTheNarrowestSubnet) {
  const auto zone = [&](const char* address) {
    return zone_of_target(config.network, *parse_ip_address(address));
  };
  EXPECT_EQ(zone("10.9.1.11"), "zone-a");
  EXPECT_EQ(zone("10.9.1.200"), "zone-b") << "the /25 of the two that have it";
  EXPECT_EQ(zone("10.9.1.50"), "zone-b") << "its instance is registered there";
  EXPECT_EQ(zone("10.8.0.1"), "");
  EXPECT_EQ(zone("fd00::1"), "");
}

TEST_F(Zones, TheExampleSaysWhatItsPageSays) {
  const auto example = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/cross-zone.yaml");
  ASSERT_TRUE(example) << example.error().front().text();
  EXPECT_EQ(steered_zones(*example), (SteeredZones{{"firewalls", {"zone-a", "zone-b"}}}));
  const auto part = [&](const char* zone) {
    Names out;
    const TargetGroup& group = example->target_groups[0];
    for (const Target& target : part_in_zone(group, example->network, zone).targets)
      out.insert(target.address.text());
    return out;
  };
  EXPECT_EQ(part("zone-a"), (Names{"10.9.1.11", "10.8.0.11"}));
  EXPECT_EQ(part("zone-b"), (Names{"10.9.2.11", "10.8.0.11"}));
}

TEST_F(Zones, AnEndpointsFlowsStayInItsZone) {
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11", "10.9.1.12"}));
  EXPECT_EQ(names(spread("out1")), (Names{"10.9.2.11", "10.9.2.12"}));
  EXPECT_EQ(names(spread("out2")), (Names{"10.9.1.11", "10.9.1.12", "10.9.2.11", "10.9.2.12"}))
      << "an endpoint without a zone uses all";
}

TEST_F(Zones, CrossZoneOnUsesAllTargetsAndTheFlowsThatAreThereStay) {
  const auto before = spread("out0");
  set_cross_zone(0, "true");
  reconcile();
  EXPECT_EQ(spread("out0"), before) << "the same flows";
  EXPECT_EQ(names(spread("out0", 5000)).size(), 4u);
  EXPECT_FALSE(reconciler->group_index("ids", "zone-a")) << "its rows are free again";
  set_cross_zone(0, "false");
  reconcile();
  EXPECT_EQ(names(spread("out0", 9000)), (Names{"10.9.1.11", "10.9.1.12"}));
}

TEST_F(Zones, ATargetThatLeavesMovesNobodyElsesFlows) {
  const uint16_t zone_a = *reconciler->group_index("ids", "zone-a");
  const uint16_t zone_b = *reconciler->group_index("ids", "zone-b");
  const auto rows = [&](uint16_t group) {
    const row* first = &tables.rows[first_row(group)];
    return std::vector<row>(first, first + rows_of(group));
  };
  const auto a = rows(zone_a), b = rows(zone_b);
  const uint16_t gone =
      *reconciler->target_index(Protocol::kGeneve, config.target_groups[0].targets[0]);
  set_group(0, [](TargetGroup& group) { group.targets.erase(group.targets.begin()); });
  reconcile();
  const auto a_now = rows(zone_a), b_now = rows(zone_b);
  int moved = 0, others = 0;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i].target == gone)
      moved += a_now[i].target != gone;
    else
      others += a_now[i].target != a[i].target;
    others += b_now[i].target != b[i].target;
  }
  EXPECT_GT(moved, 20000);
  EXPECT_EQ(others, 0);
}

TEST_F(Zones, ATargetInNoSubnetIsEverybodys) {
  set_group(0, [](TargetGroup& group) {
    group.targets.push_back({*parse_ip_address("10.8.0.1"), 6081});
  });
  reconcile();
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11", "10.9.1.12", "10.8.0.1"}));
  EXPECT_EQ(names(spread("out1")), (Names{"10.9.2.11", "10.9.2.12", "10.8.0.1"}));
}

TEST_F(Zones, AZoneWithoutAHealthyTargetIsLostByItself) {
  world.sick = {"10.9.1.11", "10.9.1.12"};
  reconcile();
  EXPECT_EQ(reconciler->lost_groups(), (std::set<Reconciler::Lost>{{"ids", "zone-a"}}));
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11", "10.9.1.12"})) << "last_resort, as AWS";
  EXPECT_EQ(names(spread("out1")), (Names{"10.9.2.11", "10.9.2.12"}));
  for (const auto& [policy, wanted] : {std::pair{"fail_closed", "-"}, std::pair{"bypass", "="}}) {
    set_group(0, [&](TargetGroup& group) { group.attributes["sluice.all_unhealthy"] = policy; });
    reconcile();
    EXPECT_EQ(spread("out0", policy[0] == 'f' ? 3000 : 4000),
              (std::map<std::string, int>{{wanted, 200}}));
    EXPECT_EQ(names(spread("out1", policy[0] == 'f' ? 3000 : 4000)),
              (Names{"10.9.2.11", "10.9.2.12"}));
  }
  world.sick.clear();
  reconcile();
  EXPECT_TRUE(reconciler->lost_groups().empty());
  EXPECT_EQ(names(spread("out0", 6000)), (Names{"10.9.1.11", "10.9.1.12"}));
}

TEST_F(Zones, FlowsThatAreRebalancedStayInTheirZone) {
  set_group(0, [](TargetGroup& group) {
    group.attributes["target_failover.on_unhealthy"] = "rebalance";
    group.attributes["target_failover.on_deregistration"] = "rebalance";
  });
  reconcile();
  spread("out0");
  spread("out1");
  world.sick = {"10.9.1.11"};
  reconcile();
  EXPECT_EQ(spread("out0"), (std::map<std::string, int>{{"10.9.1.12", 200}}));
  EXPECT_EQ(names(spread("out1")), (Names{"10.9.2.11", "10.9.2.12"}));
}

TEST_F(Zones, AZoneWithoutTargetsDrops) {
  set_group(0, [](TargetGroup& group) { group.targets.resize(2); });
  reconcile();
  EXPECT_EQ(spread("out1", 2000), (std::map<std::string, int>{{"-", 200}}));
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11", "10.9.1.12"}));
}

TEST_F(Zones, ANetworkBalancersAddressUsesTheTargetsOfItsZone) {
  const auto targets_at = [&](const char* address) {
    std::set<std::string> out;
    const IpAddress at = *parse_ip_address(address);
    struct tuple asked {};
    asked.destination[0] = at.words[0];
    asked.destination_port = swap_be16(7000);
    asked.protocol = kProtocolUdp;
    asked.version = 4;
    const uint32_t place = nlb_find_listener(&tables, &asked);
    EXPECT_NE(place, kNone16);
    const uint16_t group = tables.listeners[place % kListenersMax].group;
    for (uint32_t i = 0; i < rows_of(group); i++) {
      const target& t = tables.targets[tables.rows[first_row(group) + i].target];
      out.insert(ip_address(t.address, 4).text());
    }
    return out;
  };
  EXPECT_EQ(targets_at("10.9.1.10"), (Names{"10.9.1.21"}));
  EXPECT_EQ(targets_at("10.9.2.10"), (Names{"10.9.2.21"}));
  set_group(1, [](TargetGroup& group) {
    group.attributes["load_balancing.cross_zone.enabled"] = "true";
  });
  reconcile();
  EXPECT_EQ(targets_at("10.9.1.10"), (Names{"10.9.1.21", "10.9.2.21"})) << "the group's own word";
  set_group(1, [](TargetGroup& group) { group.attributes.clear(); });
  set_cross_zone(1, "true");
  reconcile();
  EXPECT_EQ(targets_at("10.9.1.10"), (Names{"10.9.1.21", "10.9.2.21"}));
}

TEST_F(Zones, ATargetsZoneMayChangeWithTheNetwork) {
  config.network.instances.push_back({"i-moved", *parse_ip_address("10.9.1.12"), "subnet-b"});
  reconcile();
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11"}));
  EXPECT_EQ(names(spread("out1")), (Names{"10.9.2.11", "10.9.2.12", "10.9.1.12"}));
}

TEST_F(Zones, ARestartFindsTheZonesRowsAsTheyWere) {
  const uint16_t zone_a = *reconciler->group_index("ids", "zone-a");
  class Kept : public DataPathHost {
   public:
    explicit Kept(ProcessHost& host) : host_(host) {}
    Tables& tables() override { return host_.tables(); }
    bool taken_over() const override { return true; }
    Result<> attach(uint32_t, Entry) override { return {}; }
    Result<> detach(uint32_t) override { return {}; }
    uint64_t now_ms() const override { return host_.now_ms(); }

   private:
    ProcessHost& host_;
  };
  Kept kept(*host);
  Reconciler next(kept);
  ASSERT_TRUE(next.reconcile(config, world));
  EXPECT_EQ(next.group_index("ids", "zone-a"), zone_a);
  EXPECT_EQ(names(spread("out0")), (Names{"10.9.1.11", "10.9.1.12"}));
  int used = 0;
  for (uint32_t i = 0; i < kGroupsMax; i++) used += tables.groups[i].in_use;
  EXPECT_EQ(used, 6) << "two groups, each with two zones";
}

}  // namespace
}  // namespace sluice::gateway
