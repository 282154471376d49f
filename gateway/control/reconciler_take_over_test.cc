// SPDX-License-Identifier: Apache-2.0
// What a process that takes the tables over makes of the marks of targets, and of the places of
// rules that are gone: flows refer to both.
#include "gateway/control/reconciler_fixture.h"

namespace sluice::gateway {
namespace {

constexpr uint16_t kMarks = kTargetMoves | kTargetResets;

const Attributes kRebalance = {{"target_failover.on_deregistration", "rebalance"},
                               {"target_failover.on_unhealthy", "rebalance"}};
const Attributes kReset = {{"send_tcp_reset.on_unhealthy.enabled", "true"},
                           {"send_tcp_reset.on_deregistration.enabled", "true"}};

struct Case {
  Attributes attributes;
  uint16_t marks;  // of a target that is dead
};
const Case kCases[] = {{kRebalance, kTargetMoves}, {kReset, kTargetResets}, {{}, 0}};

class TakeOver : public ReconcilerTest {
 protected:
  uint16_t marks_of(uint16_t target) { return tables.targets[target].flags & kMarks; }
  Target take_out_first() {
    const Target out = ids().targets.front();
    ids().targets.erase(ids().targets.begin());
    return out;
  }
  void pass(uint64_t ms) { host->set_now_ms(host->now_ms() + ms); }
};

class TakeOverMarks : public TakeOver, public testing::WithParamInterface<Case> {
 protected:
  TakeOverMarks() { ids().attributes = GetParam().attributes; }
};
INSTANTIATE_TEST_SUITE_P(OfADeadTarget, TakeOverMarks, testing::ValuesIn(kCases));

TEST_P(TakeOverMarks, ADeadTargetIsLeftUntilItIsKnownToBeAlive) {
  world.sick = {"10.9.0.11"};
  reconcile();
  const uint16_t dead = index_of("10.9.0.11");
  ASSERT_EQ(marks_of(dead), GetParam().marks);
  const std::string before = written(tables);

  TakenOver later(*host);
  Reconciler again(later);
  world.unknown = true;  // nothing has been checked yet
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_TRUE(written(tables) == before) << "marks stay as they are, as rows do";
  again.health_changed("ids");
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_TRUE(written(tables) == before);
  world.unknown = false;
  again.health_changed("ids");
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_TRUE(written(tables) == before) << "it is still dead";
  world.sick = {};
  again.health_changed("ids");
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(dead), 0);
}

TEST_F(TakeOver, WhatTheNextProcessIsToldAboutFailoverCountsOnceHealthIsKnown) {
  ids().attributes = kRebalance;
  world.sick = {"10.9.0.11"};
  reconcile();
  const uint16_t dead = index_of("10.9.0.11");
  TakenOver later(*host);
  Reconciler again(later);
  world.unknown = true;
  ids().attributes = {};
  ids().targets.push_back({*parse_ip_address("10.9.0.50"), 6081});
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(dead), kTargetMoves);
  EXPECT_EQ(marks_of(*again.target_index(Protocol::kGeneve, ids().targets.back())), 0);
  world.unknown = false;
  again.health_changed("ids");
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(dead), 0) << "its flows may stay now";
}

TEST_P(TakeOverMarks, ADeadTargetThatWasDeregisteredIsLeftWhileItDrains) {
  world.sick = {"10.9.0.11"};
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  const Target target = take_out_first();
  reconcile();
  pass(kDelayMs / 2);

  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(leaving), GetParam().marks);
  EXPECT_EQ(again.draining_ms(leaving), kDelayMs) << "nobody knows when it began";
  pass(kDelayMs);
  ASSERT_TRUE(again.reconcile(config, world));
  if (GetParam().marks == kTargetMoves) {
    EXPECT_EQ(tables.targets[leaving].flags, 0) << "gone: its flows move";
  } else {
    EXPECT_TRUE(tables.targets[leaving].flags & kTargetInUse) << "it waits for its flows";
    EXPECT_EQ(marks_of(leaving), GetParam().marks);
  }
  // Registered again, it is as good as any, when its health is known.
  world.sick = {};
  ids().targets.insert(ids().targets.begin(), target);
  ASSERT_TRUE(again.reconcile(config, world));
  const auto place = again.target_index(Protocol::kGeneve, target);
  ASSERT_TRUE(place);
  EXPECT_EQ(tables.targets[*place].flags, kTargetInUse | kTargetResolved | kTargetAppliance);
}

// A target without rebalancing that has drained waits for its flows, with or without resets.
using TakeOverStaying = TakeOverMarks;
INSTANTIATE_TEST_SUITE_P(OfADrainedTarget, TakeOverStaying, testing::Values(kCases[1], kCases[2]));

TEST_P(TakeOverStaying, ADrainedTargetGoesOnWaitingForItsFlows) {
  reconcile();
  const uint16_t leaving = index_of("10.9.0.11");
  (void)take_out_first();
  reconcile();
  EXPECT_EQ(marks_of(leaving), 0) << "it works";
  pass(kDelayMs);
  reconcile();
  ASSERT_EQ(marks_of(leaving), GetParam().marks);

  TakenOver later(*host);
  Reconciler again(later);
  world.unknown = true;
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(leaving), GetParam().marks) << "what it was told stays";
  pass(kDelayMs);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(marks_of(leaving), GetParam().marks);
  pass(kQuietMs);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(tables.targets[leaving].flags, 0) << "nobody needs it any more";
}

// ---- rules ----

PolicyRule drop_rule(std::string name) {
  PolicyRule rule;
  rule.name = std::move(name);
  rule.decision = PolicyDecision::kDrop;
  return rule;
}

uint8_t place_of(const Reconciler& reconciler, std::string_view rule) {
  for (int place = 1; place < kPolicySlots; place++)
    if (reconciler.policy().rule_name(static_cast<uint8_t>(place)) == rule)
      return static_cast<uint8_t>(place);
  return 0;
}

class TakeOverPlaces : public TakeOver, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(OfSoManyRules, TakeOverPlaces, testing::Values(1, 3, kPolicySlots + 10));

// However often the places have gone round, and with no flow counted at any.
TEST_P(TakeOverPlaces, ARuleThatWasRemovedKeepsItsPlaceFreeForAsLongAsBefore) {
  for (int i = 0; i < GetParam(); i++) {
    config.gateway.policy = {drop_rule("stays"), drop_rule("rule-" + std::to_string(i))};
    reconcile();
  }
  const uint8_t stays = place_of(reconciler, "stays");
  const uint8_t gone = place_of(reconciler, "rule-" + std::to_string(GetParam() - 1));
  ASSERT_NE(gone, 0);
  config.gateway.policy = {drop_rule("stays")};
  reconcile();

  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(again.policy().rule_name(gone), "(gone)") << "flows still have it";
  EXPECT_EQ(place_of(again, "stays"), stays);
  config.gateway.policy.push_back(drop_rule("next"));
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(place_of(again, "next"), gone + 1) << "the place that was free for longest";
}

TEST_F(TakeOver, ARuleThatTheNextConfigurationLacksIsGoneAndItsPlaceIsNotTheNext) {
  config.gateway.policy = {drop_rule("first"), drop_rule("second")};
  reconcile();
  const uint8_t first = place_of(reconciler, "first"), second = place_of(reconciler, "second");
  config.gateway.policy = {drop_rule("third")};
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(again.policy().rule_name(first), "(gone)");
  EXPECT_EQ(again.policy().rule_name(second), "(gone)");
  EXPECT_EQ(place_of(again, "third"), second + 1);
}

}  // namespace
}  // namespace sluice::gateway
