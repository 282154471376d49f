// SPDX-License-Identifier: Apache-2.0
// How many of the flows each target of a group gets, and that others keep theirs when that changes.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "gateway/control/changes.h"
#include "gateway/control/object_json.h"
#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kTuples = 1'000'000;

class WeightsTest : public ReconcilerTest {
 protected:
  // The target of each of kTuples connections, the same ones at each call.
  std::vector<uint16_t> steered() {
    const uint32_t group = *reconciler.group_index("ids");
    std::vector<uint16_t> out(kTuples);
    for (uint32_t i = 0; i < kTuples; i++) {
      tuple t{};
      t.source[0] = htonl(0x0a010000 + i / 60'000);
      t.destination[0] = inet_addr("10.1.0.11");
      t.source_port = htons(static_cast<uint16_t>(1024 + i % 60'000));
      t.destination_port = htons(443);
      t.protocol = kProtocolTcp;
      t.version = 4;
      flow_query query;
      flow_query_from_tuple(&query, tables.settings, &t, 0, 0);
      out[i] = static_cast<uint16_t>(steer(&tables, group, &query));
    }
    return out;
  }
  void weigh(const char* address, uint16_t weight) {
    ids().weights[{*parse_ip_address(address), 6081}] = weight;
  }
};

TEST_F(WeightsTest, ARemovalMovesNoneOfAMillionFlowsOfOthers) {
  reconcile();
  const auto before = steered();
  const uint16_t gone = index_of("10.9.0.12");
  std::erase_if(ids().targets, [](const Target& t) { return t.address.text() == "10.9.0.12"; });
  reconcile();
  const auto after = steered();
  uint32_t of_others = 0, moved = 0, left = 0;
  for (uint32_t i = 0; i < kTuples; i++) {
    of_others += before[i] != gone;
    moved += before[i] != gone && after[i] != before[i];
    left += after[i] == gone;
  }
  EXPECT_NEAR(of_others, kTuples * 2 / 3, kTuples / 100);
  EXPECT_EQ(moved, 0u) << "of " << of_others;
  EXPECT_EQ(left, 0u);
}

TEST_F(WeightsTest, FlowsAreSharedOutByWeight) {
  weigh("10.9.0.11", 2);
  weigh("10.9.0.13", 5);
  reconcile();
  const auto flows = steered();
  const auto share = [&](const char* address) {
    return static_cast<double>(std::ranges::count(flows, index_of(address))) / kTuples;
  };
  EXPECT_NEAR(share("10.9.0.11"), 2 / 8.0, 0.01);
  EXPECT_NEAR(share("10.9.0.12"), 1 / 8.0, 0.01);
  EXPECT_NEAR(share("10.9.0.13"), 5 / 8.0, 0.01);
}

TEST_F(WeightsTest, AChangeWhileItRunsMovesOnlyTheDifference) {
  reconcile();
  const auto before = steered();
  const uint16_t heavier = index_of("10.9.0.11");
  weigh("10.9.0.11", 3);
  reconcile();
  const auto after = steered();
  uint32_t moved = 0;
  for (uint32_t i = 0; i < kTuples; i++) {
    if (after[i] == before[i]) continue;
    ASSERT_EQ(after[i], heavier);
    moved++;
  }
  EXPECT_NEAR(moved, kTuples * (3 / 5.0 - 1 / 3.0), kTuples / 100);
  ids().weights.clear();
  reconcile();
  EXPECT_TRUE(steered() == before);
}

TEST_F(WeightsTest, GatewaysWithTheSameWeightsAgree) {
  weigh("10.9.0.11", 3);
  weigh("10.9.0.12", 7);
  reconcile();
  auto other_host = std::move(*ProcessHost::create({1024}));
  Reconciler other(*other_host);
  std::ranges::reverse(ids().targets);
  ASSERT_TRUE(other.reconcile(config, world));
  const Tables& there = other_host->tables();
  for (uint32_t i = 0; i < kApplianceRows; i++)
    ASSERT_EQ(tables.targets[tables.rows[i].target].address[0],
              there.targets[there.rows[i].target].address[0]);
}

TEST_F(WeightsTest, AWeightOutlivesTheStoreAndGoesWithItsTarget) {
  weigh("10.9.0.11", 3);
  const auto stored = to_json(ids());
  EXPECT_EQ(stored["targets"][0]["weight"], 3);
  EXPECT_FALSE(stored["targets"][1].contains("weight"));
  Config read;
  ASSERT_TRUE(read_object(ObjectKind::kTargetGroup, stored.dump(), read));
  EXPECT_TRUE(read.target_groups[0] == ids());

  Config before = config;
  ids().weights.clear();
  const auto changes = changes_between(before, config);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].name, "ids");

  const Target target{*parse_ip_address("10.9.0.11"), 6081};
  ASSERT_TRUE(deregister_target(before, "ids", target));
  ASSERT_TRUE(register_target(before, "ids", target));
  EXPECT_EQ(weight_of(*before.target_group("ids"), target), 1) << "it begins anew";
}

}  // namespace
}  // namespace sluice::gateway
