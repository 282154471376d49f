// SPDX-License-Identifier: Apache-2.0
// Flows outlive the configuration that they began under: what they know by its place in a table
// stays what it was.
#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/flow_table.h"

namespace sluice::gateway {
namespace {

class ReconcilerFlows : public ReconcilerTest {
 protected:
  // Of a flow that begins now: its place in the settings' idle_ms.
  uint32_t idle_class(uint8_t protocol, uint16_t port) const {
    flow_key key{};
    key.protocol = protocol;
    key.port[1] = htons(port);
    return flow_idle_class(&tables, &key) >> kFlowIdleShift;
  }
  uint32_t idle_ms(uint32_t its_class) const { return tables.settings[0].idle_ms[its_class]; }
  void reconcile_with(std::vector<IdleTimeout> idle_timeouts) {
    config.gateway.idle_timeouts = std::move(idle_timeouts);
    reconcile();
  }
};

constexpr IdleTimeout kSsh = {kProtocolTcp, 22, 86'400};
constexpr IdleTimeout kDns = {kProtocolUdp, 53, 2};
constexpr IdleTimeout kUdp = {kProtocolUdp, 0, 30};

TEST_F(ReconcilerFlows, AFlowKeepsItsIdleTimeoutWhenTheListChanges) {
  reconcile_with({kSsh, kDns});
  const uint32_t ssh = idle_class(kProtocolTcp, 22), dns = idle_class(kProtocolUdp, 53);
  reconcile_with({kDns});
  EXPECT_EQ(idle_ms(ssh), 86'400'000u) << "its rule is gone, it lives on";
  EXPECT_EQ(idle_ms(dns), 2'000u);
  EXPECT_EQ(idle_class(kProtocolTcp, 22), uint32_t{kIdleTcp});
  EXPECT_EQ(idle_class(kProtocolUdp, 53), dns);
  EXPECT_LE(86'400'000u >> tables.settings[0].epoch_shift, 31u) << "there are still such flows";
  reconcile_with({kDns, kUdp, kSsh});
  EXPECT_EQ(idle_class(kProtocolUdp, 53), dns) << "the first that fits";
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 54)), 30'000u);
  EXPECT_EQ(idle_class(kProtocolTcp, 22), ssh);
  reconcile_with({kUdp, kDns});
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 53)), 30'000u) << "the first that fits";
  EXPECT_EQ(idle_ms(dns), 2'000u);
}

TEST_F(ReconcilerFlows, AndWhenALaterProcessHasAnotherList) {
  reconcile_with({kSsh, kDns});
  const uint32_t ssh = idle_class(kProtocolTcp, 22), dns = idle_class(kProtocolUdp, 53);
  config.gateway.idle_timeouts = {kUdp, kDns};
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(idle_ms(ssh), 86'400'000u);
  EXPECT_EQ(idle_ms(dns), 2'000u);
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 53)), 30'000u);
}

// Flows can have 14 idle times of the list's. When a fifteenth comes, those of one that is no
// longer in the list get it: rather a longer one than they had.
TEST_F(ReconcilerFlows, TheIdleTimeoutNextToANewOneGivesWay) {
  constexpr uint16_t kTimes = kIdleClasses - kIdleRules;
  std::vector<IdleTimeout> list;
  for (uint16_t i = 1; i <= kTimes; i++) list.push_back({kProtocolUdp, i, i * 10u});
  reconcile_with(list);
  std::set<uint32_t> classes;
  for (uint16_t i = 1; i <= kTimes; i++) {
    classes.insert(idle_class(kProtocolUdp, i));
    EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, i)), i * 10'000u);
  }
  EXPECT_EQ(classes.size(), kTimes);
  const uint32_t of_40 = idle_class(kProtocolUdp, 4), of_50 = idle_class(kProtocolUdp, 5);
  const uint32_t of_60 = idle_class(kProtocolUdp, 6);
  list.erase(list.begin() + 3, list.begin() + 6);
  list.push_back({kProtocolUdp, 99, 59});
  reconcile_with(list);
  EXPECT_EQ(idle_class(kProtocolUdp, 99), of_50);
  EXPECT_EQ(idle_ms(of_50), 59'000u);
  EXPECT_EQ(idle_ms(of_40), 40'000u);
  EXPECT_EQ(idle_ms(of_60), 60'000u);
  for (IdleTimeout& idle : list) idle.seconds += 1'000;
  reconcile_with(list);
  for (const IdleTimeout& idle : list)
    EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, idle.port)), idle.seconds * 1000);
}

}  // namespace
}  // namespace sluice::gateway
