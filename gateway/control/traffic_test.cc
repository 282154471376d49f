// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/traffic.h"

#include "gateway/control/control_plane_fixture.h"

namespace sluice::gateway {
namespace {

class TrafficTest : public ControlPlaneFixture {
 protected:
  TrafficTest() : traffic(*loop, controller) {}

  target_counters& counters_of(const std::string& address) {
    const auto index =
        controller.reconciler().target_index(Protocol::kGeneve, {*parse_ip_address(address), 6081});
    EXPECT_TRUE(index) << address;
    return host->tables().target_counters[index.value_or(0)];
  }
  void set_targets(const std::vector<const char*>& addresses) {
    const auto done = plane.commit("test", [&](Config& next) -> Result<> {
      next.target_groups[0].targets.clear();
      for (const char* address : addresses)
        next.target_groups[0].targets.push_back({*parse_ip_address(address), 6081});
      return {};
    });
    ASSERT_TRUE(done) << done.error()[0].text();
  }
  const GroupTraffic& ids() {
    traffic.look();
    return traffic.groups().at("ids");
  }

  Traffic traffic;
};

TEST_F(TrafficTest, AGroupHasWhatItsTargetsHave) {
  counters_of("10.9.0.11").flows = 3;
  counters_of("10.9.0.12") = {10, 1000, 9, 900, 4, 1, 2};
  EXPECT_EQ(ids().sum.flows, 7u);
  EXPECT_EQ(ids().sum.bytes_sent, 1000u);
  EXPECT_EQ(ids().sum.packets_returned, 9u);
  EXPECT_EQ(ids().sum.resets_returned, 2u);
  counters_of("10.9.0.12").packets_sent += 5;
  EXPECT_EQ(ids().sum.packets_sent, 15u);
  EXPECT_EQ(traffic.groups().at("echo").sum.packets_sent, 0u);
}

TEST_F(TrafficTest, SumsNeverFallWhenTargetsGo) {
  target_counters& leaving = counters_of("10.9.0.12");
  leaving.bytes_sent = 500;
  EXPECT_EQ(ids().sum.bytes_sent, 500u);
  set_targets({"10.9.0.11"});
  EXPECT_EQ(ids().sum.bytes_sent, 500u);
  leaving.bytes_sent = 700;  // it drains
  EXPECT_EQ(ids().sum.bytes_sent, 700u);
  set_targets({"10.9.0.11", "10.9.0.12"});  // and is back
  leaving.bytes_sent = 800;
  EXPECT_EQ(ids().sum.bytes_sent, 800u);
  leaving = {};  // as a place is given to a target anew
  leaving.bytes_sent = 10;
  EXPECT_EQ(ids().sum.bytes_sent, 810u);
}

TEST_F(TrafficTest, AGroupThatIsGoneTakesItsSumsAlong) {
  counters_of("10.9.0.11").flows = 3;
  EXPECT_EQ(ids().sum.flows, 3u);
  ASSERT_TRUE(plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups.erase_if([](const TargetGroup& group) { return group.name == "spare"; });
    return {};
  }));
  traffic.look();
  EXPECT_FALSE(traffic.groups().contains("spare"));
  EXPECT_EQ(ids().sum.flows, 3u);
}

TEST_F(TrafficTest, FlowsOfAGroupWithoutAHealthyTargetAreKnown) {
  counters_of("10.9.0.11").flows = 3;
  EXPECT_EQ(ids().unhealthy_routing_flows, 3u);
  ASSERT_TRUE(plane.commit("test", [](Config& next) -> Result<> {
    next.target_groups.edit("ids")->health_check.enabled = false;  // nothing is known against them
    return {};
  }));
  counters_of("10.9.0.11").flows = 5;
  EXPECT_EQ(ids().unhealthy_routing_flows, 3u);
  EXPECT_EQ(ids().sum.flows, 5u);
}

TEST_F(TrafficTest, ThePeakIsThatOfTheBusiestSecond) {
  counters_of("10.9.0.11").packets_sent = 40;
  counters_of("10.9.0.12").packets_returned = 2;
  for (int i = 0; i < 2000 && traffic.groups().find("ids") == traffic.groups().end(); i++)
    loop->turn(5);
  for (int i = 0; i < 2000 && traffic.groups().at("ids").peak_per_second() == 0; i++) loop->turn(5);
  EXPECT_EQ(traffic.groups().at("ids").peak_per_second(), 42u);
}

}  // namespace
}  // namespace sluice::gateway
