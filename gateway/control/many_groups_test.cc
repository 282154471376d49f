// SPDX-License-Identifier: Apache-2.0
// The reconciler with as many groups and targets as there can be, and changes to one of them.
#include <gtest/gtest.h>

#include <cstring>

#include "gateway/control/reconciler.h"
#include "gateway/control/validate.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {
namespace {

class ManyWorld : public World {
 public:
  TargetHealth health(const TargetName& name) override {
    const bool well = all_healthy || healthy.contains(name.target);
    return {well ? HealthState::kHealthy : HealthState::kUnhealthy, {}, {}};
  }
  Result<NextHop> next_hop(const IpAddress&) override {
    asked++;
    return NextHop{3, mtu, {2, 0, 0, 0, 0, 1}, MacAddress{2, 0, 0, 0, 0, 2}};
  }
  Result<uint32_t> interface_index(const std::string&) override { return 3u; }
  bool all_healthy = true;
  std::set<Target> healthy;
  uint16_t mtu = 1600;
  uint32_t asked = 0;
};

// FIRST.x.x.x, the `number`th of 2^24.
Target make_target(uint32_t number, uint8_t first, uint16_t port) {
  const std::string tail = std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 255) +
                           "." + std::to_string(number & 255);
  return {*parse_ip_address(std::to_string(first) + "." + tail), port};
}

// Groups and the load balancers that forward to them.
class ManyGroups : public testing::Test {
 protected:
  ManyGroups() : host(std::move(*ProcessHost::create({1024}))), reconciler(*host) {
    config.gateway.nlb_interface = "mgmt0";
    host->set_now_ms(1'000'000);
  }

  void add_group(const std::string& name, Protocol protocol, uint32_t targets) {
    TargetGroup group;
    group.name = name;
    group.protocol = protocol;
    group.port = protocol == Protocol::kGeneve ? 6081 : 80;
    set_targets(group, targets);
    config.target_groups.push_back(group);
    Listener listener;
    listener.protocol = protocol;
    listener.default_action.target_group = name;
    const size_t per_balancer = protocol == Protocol::kGeneve ? 1 : kListenersPerLoadBalancerMax;
    const auto type =
        protocol == Protocol::kGeneve ? LoadBalancerType::kGateway : LoadBalancerType::kNetwork;
    const size_t last = config.load_balancers.size();
    const bool fits = last != 0 && std::as_const(config).load_balancers.back().type == type &&
                      std::as_const(config).load_balancers.back().listeners.size() < per_balancer;
    if (!fits) {
      LoadBalancer balancer;
      balancer.name = "lb" + std::to_string(last);
      balancer.type = type;
      config.load_balancers.push_back(balancer);
    }
    LoadBalancer& balancer = config.load_balancers[config.load_balancers.size() - 1];
    if (protocol != Protocol::kGeneve) {
      listener.address = make_target(config.load_balancers.size(), 11, 0).address;
      listener.port = static_cast<uint16_t>(1000 + balancer.listeners.size());
    }
    balancer.listeners.push_back(listener);
  }
  // New ones, of which the first is healthy in any case.
  void set_targets(TargetGroup& group, uint32_t count) {
    group.targets.clear();
    for (uint32_t i = 0; i < count; i++)
      group.targets.push_back(make_target(next_target++, 10, group.port));
    world.healthy.insert(group.targets[0]);
  }
  Result<> reconcile() { return reconciler.reconcile(config, world); }
  std::vector<row> rows_of_group(const std::string& name) {
    const uint16_t index = *reconciler.group_index(name);
    const row* first = &host->tables().rows[first_row(index)];
    return {first, first + rows_of(index)};
  }
  uint32_t targets_in_use() {
    uint32_t count = 0;
    for (uint32_t i = 0; i < kTargetsMax; i++)
      count += (host->tables().targets[i].flags & kTargetInUse) != 0;
    return count;
  }
  static bool same(const std::vector<row>& a, const std::vector<row>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(row)) == 0;
  }

  uint32_t next_target = 1;
  Config config;
  ManyWorld world;
  std::unique_ptr<ProcessHost> host;
  Reconciler reconciler;
};

TEST_F(ManyGroups, EveryGroupThatIsAllowedHasAPlace) {
  for (uint32_t i = 0; i < kApplianceGroupsMax; i++)
    add_group("a" + std::to_string(i), Protocol::kGeneve, 1);
  for (uint32_t i = 0; i < kNetworkGroupsMax; i++)
    add_group("n" + std::to_string(i), Protocol::kTcp, 1);
  EXPECT_EQ(validate(config).size(), 0u);
  ASSERT_TRUE(reconcile());
  std::set<uint16_t> places;
  for (const TargetGroup& group : std::as_const(config).target_groups) {
    const uint16_t place = *reconciler.group_index(group.name);
    EXPECT_EQ(place < kApplianceGroupsMax, group.protocol == Protocol::kGeneve);
    EXPECT_EQ(reconciler.group_name(place), group.name);
    EXPECT_TRUE(places.insert(place).second);
    const uint16_t target = *reconciler.target_index(group.protocol, group.targets[0]);
    EXPECT_EQ(host->tables().rows[first_row(place)].target, target);
    EXPECT_EQ(host->tables().rows[first_row(place) + rows_of(place) - 1].target, target);
  }
  EXPECT_EQ(places.size(), size_t{kGroupsMax});

  // One for another works although the table is full; one more does not, and harms nobody.
  config.load_balancers[0].listeners[0].default_action.target_group = "other";
  config.target_groups.erase_if([](const TargetGroup& group) { return group.name == "a0"; });
  TargetGroup other = config.target_groups[0];
  other.name = "other";
  config.target_groups.push_back(other);
  ASSERT_TRUE(reconcile());
  EXPECT_TRUE(reconciler.group_index("other"));
  EXPECT_FALSE(reconciler.group_index("a0"));
  add_group("n-more", Protocol::kUdp, 1);
  EXPECT_EQ(validate(config).size(), 1u);
  const auto refused = reconcile();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "no place for target group n-more");
  EXPECT_TRUE(reconciler.group_index("n1023"));
  config.load_balancers[config.load_balancers.size() - 1].listeners.pop_back();
  EXPECT_TRUE(reconcile());
}

TEST_F(ManyGroups, AllTargetsCanBeReplacedOnceWhileTheOldOnesDrain) {
  world.all_healthy = false;  // so that filling rows is quick
  for (int i = 0; i < 2; i++) add_group("a" + std::to_string(i), Protocol::kGeneve, 1024);
  for (int i = 0; i < 20; i++) add_group("n" + std::to_string(i), Protocol::kTcp, 1024);
  EXPECT_EQ(validate(config).size(), 0u);
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(targets_in_use(), kRegisteredAppliancesMax + kRegisteredNetworkTargetsMax);
  for (size_t i = 0; i < config.target_groups.size(); i++)
    set_targets(config.target_groups[i], 1024);
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(targets_in_use(), uint32_t{kTargetsMax});
  EXPECT_EQ(reconciler.draining().size(), kTargetsMax / 2);
  EXPECT_EQ(reconciler.draining("a0").size(), 1024u);

  set_targets(config.target_groups[0], 1);
  const auto refused = reconcile();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "all 4096 places for appliances are taken or draining");
  EXPECT_NE(rows_of_group("a0")[0].target, kNone16) << "the group stays as it was";
  host->set_now_ms(host->now_ms() + 300'000);
  ASSERT_TRUE(reconcile());  // tries again, and there is room
  EXPECT_TRUE(reconciler.target_index(Protocol::kGeneve, config.target_groups[0].targets[0]));
  EXPECT_EQ(targets_in_use(), kAppliancesMax + kRegisteredNetworkTargetsMax)
      << "appliances wait for their flows to end";
}

TEST_F(ManyGroups, AChangeOfOneMovesNoFlowOfAnother) {
  for (int i = 0; i < 4; i++) add_group("a" + std::to_string(i), Protocol::kGeneve, 10);
  for (int i = 0; i < 60; i++) add_group("n" + std::to_string(i), Protocol::kTcp, 10);
  ASSERT_TRUE(reconcile());
  std::map<std::string, std::vector<row>> before;
  for (const TargetGroup& group : std::as_const(config).target_groups)
    before[group.name] = rows_of_group(group.name);
  const auto expect_others_same = [&](const std::string& changed) {
    for (const auto& [name, rows] : before)
      if (name != changed) {
        EXPECT_TRUE(same(rows_of_group(name), rows)) << name;
      }
  };
  for (const char* name : {"a1", "n7"}) {
    // One that comes takes rows, and each that moves moves to it.
    TargetGroup& group = *config.target_groups.edit(name);
    group.targets.push_back(make_target(next_target++, 10, group.port));
    host->set_now_ms(host->now_ms() + 1000);
    ASSERT_TRUE(reconcile());
    expect_others_same(name);
    const uint16_t added = *reconciler.target_index(group.protocol, group.targets.back());
    const auto with = rows_of_group(name);
    size_t moved = 0;
    for (size_t i = 0; i < with.size(); i++) {
      if (with[i].target == before[name][i].target) continue;
      ASSERT_EQ(with[i].target, added);
      moved++;
    }
    EXPECT_GT(moved, with.size() / 22);
    EXPECT_LT(moved, with.size() / 6);
    // One that goes gives its rows back, and no other moves.
    config.target_groups.edit(name)->targets.pop_back();
    ASSERT_TRUE(reconcile());
    expect_others_same(name);
    const auto after = rows_of_group(name);
    for (size_t i = 0; i < after.size(); i++)
      ASSERT_EQ(after[i].target, before[name][i].target) << name << " row " << i;
    before[name] = after;
  }
}

TEST_F(ManyGroups, WaysAreLookedUpAPartAtATime) {
  world.all_healthy = false;
  for (int i = 0; i < 3; i++) add_group("n" + std::to_string(i), Protocol::kTcp, 1000);
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(world.asked, 3000u) << "each new target once";
  world.mtu = 1400;
  world.asked = 0;
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(world.asked, 0u) << "nobody said that the network has changed";
  // It changes all the time: each target has its turn nevertheless.
  for (int turn = 0; turn < 3; turn++) {
    reconciler.network_changed();
    world.asked = 0;
    ASSERT_TRUE(reconcile());
    EXPECT_EQ(world.asked, kNextHopsPerTurnMax);
    EXPECT_TRUE(reconciler.has_more_to_do());
  }
  for (uint32_t i = 0; i < kTargetsMax; i++)
    if (host->tables().targets[i].flags & kTargetInUse) {
      ASSERT_EQ(host->tables().targets[i].mtu, 1400) << i;
    }
  for (int turn = 0; turn < 3; turn++) ASSERT_TRUE(reconcile());
  EXPECT_FALSE(reconciler.has_more_to_do());
}

// One address in two groups is one place in the table, but each group lets it go by itself.
TEST_F(ManyGroups, ATargetDrainsFromTheGroupThatItLeft) {
  add_group("one", Protocol::kTcp, 2);
  add_group("two", Protocol::kTcp, 2);
  const Target shared = config.target_groups[0].targets[1];
  config.target_groups[1].targets.push_back(shared);
  config.target_groups[0].attributes["deregistration_delay.timeout_seconds"] = "60";
  ASSERT_TRUE(reconcile());
  const uint16_t place = *reconciler.target_index(Protocol::kTcp, shared);
  config.target_groups[0].targets.pop_back();
  ASSERT_TRUE(reconcile());
  ASSERT_EQ(reconciler.draining("one").size(), 1u);
  EXPECT_TRUE(reconciler.draining("one")[0].target == shared);
  EXPECT_EQ(reconciler.draining("one")[0].left_ms, 60'000u);
  EXPECT_EQ(reconciler.draining("two").size(), 0u);
  EXPECT_FALSE(reconciler.draining_ms(place)) << "it serves the other group";
  ASSERT_EQ(reconciler.draining().size(), 1u);
  EXPECT_EQ(reconciler.draining()[0].group, "one");

  config.target_groups[0].targets.push_back(shared);
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(reconciler.draining().size(), 0u);
  config.target_groups[0].targets.pop_back();
  config.target_groups[1].targets.pop_back();
  ASSERT_TRUE(reconcile());
  EXPECT_EQ(reconciler.draining().size(), 2u);
  EXPECT_EQ(reconciler.draining_ms(place), 300'000u) << "the longer of the two delays";
  host->set_now_ms(host->now_ms() + 300'000);
  ASSERT_TRUE(reconcile());
  EXPECT_FALSE(reconciler.target_index(Protocol::kTcp, shared));
  EXPECT_EQ(reconciler.draining().size(), 0u);
}

}  // namespace
}  // namespace sluice::gateway
