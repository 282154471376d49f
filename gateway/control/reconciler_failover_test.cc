// SPDX-License-Identifier: Apache-2.0
// Targets that are unhealthy, drain or are not known yet: their rows, places and marks.
#include <algorithm>

#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {
namespace {

TEST_F(ReconcilerTest, UnhealthyTargetsGetNoNewFlows) {
  reconcile();
  EXPECT_EQ(owners("ids").size(), 3u);
  const uint16_t sick = index_of("10.9.0.12");
  const std::vector<row> before(tables.rows, tables.rows + kApplianceRows);
  world.sick = {"10.9.0.12"};
  host->set_now_ms(5'000'000);
  reconcile();
  EXPECT_FALSE(owners("ids").contains(sick));
  EXPECT_TRUE(tables.targets[sick].flags & kTargetInUse);  // its flows stay
  for (uint32_t i = 0; i < kApplianceRows; i++) {
    if (before[i].target != sick) {
      ASSERT_EQ(tables.rows[i].target, before[i].target);
    } else {
      ASSERT_EQ(tables.rows[i].previous, sick);
      ASSERT_EQ(tables.rows[i].since_s, 5000u);
    }
  }
  world.sick = {"10.9.0.11", "10.9.0.12", "10.9.0.13"};
  reconcile();
  EXPECT_EQ(owners("ids").size(), 3u);  // the last resort: all of them
  ids().targets.clear();
  reconcile();
  EXPECT_EQ(owners("ids"), (std::map<uint16_t, int>{{uint16_t{kNone16}, int{kApplianceRows}}}));
}

TEST_F(ReconcilerTest, DeregisteredTargetsDrain) {
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  ids().targets.erase(ids().targets.begin());
  reconcile();
  EXPECT_FALSE(owners("ids").contains(leaving));
  EXPECT_TRUE(tables.targets[leaving].flags & kTargetInUse);
  EXPECT_EQ(reconciler.draining_ms(leaving), kDelayMs);
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.11")), leaving);
  host->set_now_ms(host->now_ms() + kDelayMs);
  reconcile();
  // Its flows stay with it as long as there are any.
  for (int i = 0; i < 5; i++) {
    tables.target_counters[leaving].packets_sent++;
    host->set_now_ms(host->now_ms() + kQuietMs);
    reconcile();
    EXPECT_EQ(tables.targets[leaving].flags, kTargetInUse | kTargetResolved | kTargetAppliance);
  }
  host->set_now_ms(host->now_ms() + kQuietMs);
  reconcile();
  EXPECT_FALSE(tables.targets[leaving].flags & kTargetInUse);
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.11")), uint32_t{kNone16});
  // Its place is the last to be used again: flows may still name it.
  ids().targets.push_back({*parse_ip_address("10.9.0.50"), 6081});
  reconcile();
  EXPECT_NE(index_of("10.9.0.50"), leaving);
}

TEST_F(ReconcilerTest, FlowsOfADrainedTargetMoveOrEnd) {
  ids().attributes = {{"send_tcp_reset.on_deregistration.enabled", "true"}};
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  const Target target = ids().targets.front();
  ids().targets.erase(ids().targets.begin());
  reconcile();
  EXPECT_EQ(tables.targets[leaving].flags & (kTargetMoves | kTargetResets), 0) << "not yet";
  host->set_now_ms(host->now_ms() + kDelayMs);
  reconcile();
  EXPECT_EQ(tables.targets[leaving].flags & (kTargetMoves | kTargetResets), kTargetResets);
  // Registered again, it is as good as any.
  ids().targets.push_back(target);
  reconcile();
  EXPECT_EQ(tables.targets[leaving].flags, kTargetInUse | kTargetResolved | kTargetAppliance);
  ids().attributes = {{"target_failover.on_deregistration", "rebalance"},
                      {"target_failover.on_unhealthy", "rebalance"}};
  reconcile();
  ids().targets.pop_back();
  reconcile();
  EXPECT_TRUE(tables.targets[leaving].flags & kTargetInUse);
  host->set_now_ms(host->now_ms() + kDelayMs);
  reconcile();
  EXPECT_EQ(tables.targets[leaving].flags, 0) << "gone: its flows move";
}

// Taking a dead appliance out does not send flows back to it for the time of its delay.
TEST_F(ReconcilerTest, FlowsGoOnLeavingAnUnhealthyTargetThatIsDeregistered) {
  const struct {
    Attributes attributes;
    uint16_t marks;
  } cases[] = {
      {{{"target_failover.on_deregistration", "rebalance"},
        {"target_failover.on_unhealthy", "rebalance"}},
       kTargetMoves},
      {{{"send_tcp_reset.on_unhealthy.enabled", "true"}}, kTargetResets},
      {{{"send_tcp_reset.on_deregistration.enabled", "true"}}, 0},
      {{}, 0},
  };
  for (const auto& c : cases) {
    ids().attributes = c.attributes;
    reconcile();
    const uint16_t leaving = index_of("10.9.0.11");
    const Target target = ids().targets.front();
    world.sick = {"10.9.0.11"};
    reconcile();
    ids().targets.erase(ids().targets.begin());
    reconcile();
    EXPECT_EQ(tables.targets[leaving].flags & (kTargetMoves | kTargetResets), c.marks);
    EXPECT_EQ(reconciler.draining_ms(leaving), kDelayMs);
    world.sick = {};
    ids().targets.insert(ids().targets.begin(), target);
    reconcile();
    EXPECT_EQ(tables.targets[leaving].flags, kTargetInUse | kTargetResolved | kTargetAppliance);
  }
}

TEST_F(ReconcilerTest, DrainedTargetsGiveWayWhenPlacesRunOut) {
  for (int i = 3; i < kAppliancesMax; i++)
    tables.targets[i].flags = kTargetInUse;  // somebody else's
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  ids().targets.front().address = *parse_ip_address("10.9.0.50");
  EXPECT_FALSE(reconciler.reconcile(config, world)) << "it drains";
  host->set_now_ms(host->now_ms() + kDelayMs);
  reconcile();
  EXPECT_EQ(index_of("10.9.0.50"), leaving);
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.11")), uint32_t{kNone16});
}

// Row by row: how many are healthy, the group's attributes, and what becomes of the flows of an
// unhealthy target and of new flows.
TEST_F(ReconcilerTest, TheFailureMatrix) {
  const Attributes rebalance = {{"target_failover.on_deregistration", "rebalance"},
                                {"target_failover.on_unhealthy", "rebalance"}};
  const Attributes reset = {{"send_tcp_reset.on_unhealthy.enabled", "true"}};
  Attributes both = rebalance;
  both.insert(reset.begin(), reset.end());
  const auto with = [](Attributes a, const char* policy) {
    a["sluice.all_unhealthy"] = policy;
    return a;
  };
  constexpr uint16_t kStays = 0;
  const struct {
    const char* name;
    Attributes attributes;
    bool all_sick;
    uint16_t marks;
    size_t owners;  // of rows
    bool fails_open;
  } cases[] = {
      {"no_rebalance", {}, false, kStays, 2, false},
      {"rebalance", rebalance, false, kTargetMoves, 2, false},
      {"reset", reset, false, kTargetResets, 2, false},
      {"rebalance before reset", both, false, kTargetMoves, 2, false},
      {"bypass, one healthy", with({}, "bypass"), false, kStays, 2, false},
      {"all sick", {}, true, kStays, 3, false},
      {"all sick, rebalance", both, true, kStays, 3, false},
      {"closed", with({}, "fail_closed"), true, kStays, 0, false},
      {"closed, rebalance", with(rebalance, "fail_closed"), true, kStays, 0, false},
      {"closed, reset", with(reset, "fail_closed"), true, kTargetResets, 0, false},
      {"open", with({}, "bypass"), true, kTargetMoves, 0, true},
      {"open, reset", with(both, "bypass"), true, kTargetMoves, 0, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ids().attributes = c.attributes;
    world.sick = {};
    reconcile();
    EXPECT_EQ(owners("ids").size(), 3u);
    world.sick = {"10.9.0.12"};
    if (c.all_sick) world.sick = {"10.9.0.11", "10.9.0.12", "10.9.0.13"};
    reconcile();
    const uint16_t flags = tables.targets[index_of("10.9.0.12")].flags;
    EXPECT_EQ(flags & (kTargetMoves | kTargetResets), c.marks);
    EXPECT_TRUE(flags & kTargetInUse);
    auto rows = owners("ids");
    rows.erase(kNone16);
    EXPECT_EQ(rows.size(), c.owners);
    EXPECT_EQ(tables.groups[*reconciler.group_index("ids")].flags,
              c.fails_open ? uint32_t{kGroupFailsOpen} : 0u);
    EXPECT_EQ(reconciler.lost_groups().contains({"ids", ""}), c.all_sick);
  }
  world.sick = {};
  reconcile();
  EXPECT_EQ(tables.targets[index_of("10.9.0.12")].flags,
            kTargetInUse | kTargetResolved | kTargetAppliance);
  EXPECT_EQ(tables.groups[0].flags, 0u);
  EXPECT_TRUE(reconciler.lost_groups().empty());
}

// Taking the dead targets out, and others in that nobody has checked, is no recovery.
TEST_F(ReconcilerTest, AGroupIsLostUntilItHasAHealthyTarget) {
  world.sick = {"10.9.0.11", "10.9.0.12", "10.9.0.13"};
  reconcile();
  const Reconciler::Lost ids_is_lost{"ids", ""};
  EXPECT_TRUE(reconciler.lost_groups().contains(ids_is_lost));
  const auto targets = ids().targets;
  ids().targets.clear();
  reconcile();
  EXPECT_TRUE(reconciler.lost_groups().contains(ids_is_lost));
  EXPECT_EQ(tables.groups[*reconciler.group_index("ids")].flags, 0u) << "it drops all";
  ids().targets = targets;
  world.unknown = true;
  reconcile();
  EXPECT_TRUE(reconciler.lost_groups().contains(ids_is_lost));
  world.unknown = false;
  world.sick = {"10.9.0.11", "10.9.0.12"};
  reconcile();
  EXPECT_FALSE(reconciler.lost_groups().contains(ids_is_lost));
}

// Before anything is known, nothing is lost: a restart must not let packets pass by.
TEST_F(ReconcilerTest, TargetsThatWereNotCheckedYetAreNotUnhealthy) {
  ids().attributes = {{"sluice.all_unhealthy", "bypass"}};
  world.unknown = true;
  reconcile();
  EXPECT_EQ(owners("ids").size(), 3u);
  EXPECT_EQ(tables.groups[*reconciler.group_index("ids")].flags, 0u);
  EXPECT_TRUE(reconciler.lost_groups().empty());
}

}  // namespace
}  // namespace sluice::gateway
