// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/reconciler.h"

#include <algorithm>
#include <cstring>

#include "gateway/control/probed_table.h"
#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/path.h"

namespace sluice::gateway {
namespace {

TEST_F(ReconcilerTest, WritesWhatTheConfigurationSays) {
  reconcile();
  const settings& s = tables.settings[0];
  EXPECT_EQ(s.tunnel_address, inet_addr("10.9.0.1"));
  EXPECT_EQ(s.idle_ms[kIdleTcp], 350'000u);
  EXPECT_EQ(s.idle_ms[kIdleOther], 120'000u);
  EXPECT_EQ(s.tunnel_port, 6081);
  EXPECT_GE(s.idle_ms[kIdleTcp] >> s.epoch_shift, 16u);
  EXPECT_LE(s.idle_ms[kIdleTcp] >> s.epoch_shift, 31u);
  EXPECT_EQ(s.flow_bucket_mask, 127u);
  EXPECT_NE(s.hash_key.word[0], s.cookie_key.k0);

  const attachment& a = tables.attachments[0];
  EXPECT_EQ(a.endpoint_id, 0x2b8ee1d4db0c51c4u);
  EXPECT_EQ(a.interface[0], 5u);
  EXPECT_EQ(a.interface[1], 6u);
  EXPECT_EQ(reconciler.group_name(a.group), "ids");
  EXPECT_EQ(tables.ports[5].role, kPortOutside);
  EXPECT_EQ(tables.ports[6].role, kPortInside);
  EXPECT_EQ(tables.ports[9].role, kPortTunnel);

  const target& t = tables.targets[index_of("10.9.0.11")];
  EXPECT_EQ(t.flags, kTargetInUse | kTargetResolved | kTargetAppliance);
  EXPECT_EQ(t.mtu, 1600 - 68);
  EXPECT_EQ(t.interface, 9u);
  EXPECT_EQ(t.header[5], 11);
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.11")), index_of("10.9.0.11"));
  EXPECT_EQ(source_target(&tables, inet_addr("10.9.0.99")), uint32_t{kNone16});  // unused group

  tuple to{};
  to.destination[0] = inet_addr("10.1.0.100");
  to.destination_port = htons(7000);
  to.protocol = kProtocolUdp;
  to.version = 4;
  const uint32_t listener = nlb_find_listener(&tables, &to);
  ASSERT_NE(listener, uint32_t{kNone16});
  EXPECT_EQ(reconciler.group_name(tables.listeners[listener].group), "echo");
  const auto echo = owners("echo");
  ASSERT_EQ(echo.size(), 1u);
  const struct target& backend = tables.targets[echo.begin()->first];
  EXPECT_EQ(backend.port, htons(7001));
  EXPECT_EQ(backend.flags, kTargetInUse | kTargetResolved | kTargetNlb);
  EXPECT_EQ(backend.mac[5], 21);
}

TEST_F(ReconcilerTest, TheSameInputWritesNothing) {
  reconcile();
  const std::string before = written(tables);
  host->set_now_ms(2'000'000);
  reconcile();
  EXPECT_TRUE(written(tables) == before);
}

TEST_F(ReconcilerTest, HintsAndOptionsReachTheTables) {
  config.gateway.mss_clamp = true;
  config.gateway.idle_timeouts = {{kProtocolUdp, 53, 10}, {47, 0, 86'400}};
  config.gateway.hints = {{7, ""}, {8, "spare"}};
  reconcile();
  const auto spare = *reconciler.group_index("spare");
  EXPECT_EQ(owners("spare").size(), 1u)
      << "a group that only a hint leads to is steered to as well";
  EXPECT_EQ(tables.settings[0].mss_clamp, 1u);
  EXPECT_EQ(tables.settings[0].idle_ms[kIdleRules], 10'000u);
  EXPECT_EQ(tables.settings[0].idle_ms[kIdleRules + 1], 86'400'000u);
  EXPECT_EQ(tables.settings[0].idle_rule[kIdleRules].port, htons(53));
  EXPECT_EQ(tables.settings[0].idle_rule[kIdleRules + 1].protocol, 47);
  EXPECT_LE(86'400'000u >> tables.settings[0].epoch_shift, 31u);
  EXPECT_EQ(tables.hints[0].number, 7);
  EXPECT_EQ(tables.hints[0].action, kHintBypass);
  EXPECT_EQ(tables.hints[1].number, 8);
  EXPECT_EQ(tables.hints[1].action, kHintSteer);
  EXPECT_EQ(tables.hints[1].group, spare);
  config.gateway.hints.erase(config.gateway.hints.begin());
  reconcile();
  EXPECT_EQ(tables.hints[0].number, 8);
  EXPECT_EQ(tables.hints[1].action, kHintNothing);
}

TEST_F(ReconcilerTest, ALaterProcessFindsEverythingInItsPlace) {
  world.sick = {"10.9.0.12"};
  reconcile();
  const std::string before = written(tables);

  TakenOver later(*host);
  Reconciler again(later);
  world.unknown = true;  // nothing has been checked yet
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_TRUE(written(tables) == before) << "rows stay as they are meanwhile";
  world.unknown = false;
  again.health_changed("ids");
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_TRUE(written(tables) == before);
  EXPECT_EQ(again.group_index("ids"), reconciler.group_index("ids"));
  EXPECT_EQ(later.detached.size(), 0u);
}

TEST_F(ReconcilerTest, ALaterProcessTakesBackWhatItsConfigurationLacks) {
  reconcile();
  const uint16_t gone = index_of("10.9.0.13");
  config.attachments.clear();
  ids().targets.pop_back();
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(later.detached, (std::set<uint32_t>{5, 6}));
  EXPECT_EQ(tables.ports[5].role, kPortUnused);
  EXPECT_EQ(tables.attachments[0].in_use, 0);
  EXPECT_TRUE(tables.targets[gone].flags & kTargetInUse) << "it drains";
  EXPECT_TRUE(again.draining_ms(gone));
  EXPECT_EQ(again.draining_ms(gone), kDelayMs) << "its group's delay begins again";
  host->set_now_ms(host->now_ms() + kDelayMs);
  ASSERT_TRUE(again.reconcile(config, world));
  host->set_now_ms(host->now_ms() + kQuietMs);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_FALSE(tables.targets[gone].flags & kTargetInUse);
}

// Killed between two writes: a source without its target, a target without its source.
TEST_F(ReconcilerTest, ALaterProcessMendsWhatWasHalfWritten) {
  reconcile();
  const uint32_t stray = parse_ip_address("10.9.0.77")->words[0];
  uint32_t place = source_home(stray);
  while (tables.sources[place].in_use) place = (place + 1) % kSourcesMax;
  tables.sources[place] = {stray, index_of("10.9.0.11"), 1};
  const uint32_t lost = parse_ip_address("10.9.0.12")->words[0];
  for (uint32_t i = 0; i < kSourcesMax; i++)
    if (tables.sources[i].in_use && tables.sources[i].address == lost) tables.sources[i] = {};
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  std::map<uint32_t, uint16_t> sources;
  for (uint32_t i = 0; i < kSourcesMax; i++)
    if (tables.sources[i].in_use && tables.sources[i].target != kNone16) {
      EXPECT_TRUE(sources.emplace(tables.sources[i].address, tables.sources[i].target).second);
    }
  EXPECT_EQ(sources.size(), 3u);
  EXPECT_FALSE(sources.contains(stray));
  EXPECT_EQ(sources.at(lost), index_of("10.9.0.12"));
}

TEST_F(ReconcilerTest, TwoGatewaysAgree) {
  reconcile();
  auto other_host = std::move(*ProcessHost::create({1024}));
  Reconciler other(*other_host);
  std::ranges::reverse(config.target_groups[0].targets);
  ASSERT_TRUE(other.reconcile(config, world));
  for (uint32_t i = 0; i < kApplianceRows; i++) {
    const auto here = tables.targets[tables.rows[i].target].address[0];
    const auto there = other_host->tables().targets[other_host->tables().rows[i].target].address[0];
    ASSERT_EQ(here, there);
  }
}

TEST_F(ReconcilerTest, ListenersSayWhatBecomesOfUnknownConnections) {
  const auto flags = [&](Attributes attributes) {
    config.load_balancers[0].listeners[0].attributes = std::move(attributes);
    reconcile();
    return tables.attachments[0].flags;
  };
  EXPECT_EQ(flags({}), 0u);
  EXPECT_EQ(flags({{"send_tcp_reset.on_idle_timeout.enabled", "true"}}),
            uint32_t{kAttachmentResets | kAttachmentDropsUnknown});
  EXPECT_EQ(flags({{"send_tcp_reset.on_idle_timeout.enabled", "true"},
                   {"sluice.unknown_tcp_flow", "steer"}}),
            uint32_t{kAttachmentResets});
  EXPECT_EQ(flags({{"sluice.unknown_tcp_flow", "drop"}}), uint32_t{kAttachmentDropsUnknown});
}

TEST_F(ReconcilerTest, ListenersSayHowManyFlowsMayBegin) {
  const auto rate = [&](Attributes attributes) {
    config.load_balancers[0].listeners[0].attributes = std::move(attributes);
    reconcile();
    return tables.attachments[0].new_flows_per_second;
  };
  EXPECT_EQ(rate({}), 0u);
  EXPECT_EQ(rate({{"sluice.new_flows_per_second", "2000000"}}), 2'000'000u);
  EXPECT_EQ(rate({{"sluice.new_flows_per_second", "off"}}), 0u);
}

TEST_F(ReconcilerTest, UnresolvedTargetsAreMarked) {
  world.silent = true;
  reconcile();
  const uint16_t index = index_of("10.9.0.11");
  EXPECT_EQ(tables.targets[index].flags, kTargetInUse | kTargetAppliance);
  world.silent = false;
  reconcile();
  EXPECT_TRUE(tables.targets[index].flags & kTargetResolved);
  world.unreachable = true;
  reconcile();
  EXPECT_FALSE(tables.targets[index].flags & kTargetResolved);
}

TEST_F(ReconcilerTest, AnInterfaceThatGoesAwayDoesNotStopTheRest) {
  reconcile();
  world.interfaces.erase("in0");
  world.sick.insert("10.9.0.12");
  world_changed();
  ASSERT_TRUE(reconciler.reconcile(config, world, Reconciler::OnMissing::kGoOn));
  EXPECT_EQ(reconciler.missing().error().text(), "in0: there is no such interface");
  EXPECT_FALSE(owners("ids").contains(index_of("10.9.0.12")));
  EXPECT_EQ(tables.ports[5].role, kPortOutside);
  EXPECT_EQ(tables.ports[6].role, kPortUnused);
  EXPECT_EQ(tables.ports[0].role, kPortUnused);
  EXPECT_FALSE(reconciler.entry_of_attachment("front"));

  // It comes back, with another number.
  world.interfaces["in0"] = 7;
  ASSERT_TRUE(reconciler.reconcile(config, world, Reconciler::OnMissing::kGoOn));
  EXPECT_TRUE(reconciler.missing());
  EXPECT_EQ(tables.ports[7].role, kPortInside);
  EXPECT_EQ(tables.attachments[0].interface[1], 7u);
  EXPECT_EQ(reconciler.entry_of_attachment("front"), Entry::kXdp);
}

TEST_F(ReconcilerTest, AMissingInterfaceChangesNothing) {
  world.interfaces.erase("in0");
  auto result = reconciler.reconcile(config, world);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(), "in0: there is no such interface");
  EXPECT_EQ(tables.settings[0].tunnel_port, 0);
  EXPECT_EQ(tables.ports[5].role, kPortUnused);
}

TEST_F(ReconcilerTest, InterfaceNumbersAreBounded) {
  world.interfaces["in0"] = kPortsMax - 1;
  reconcile();
  EXPECT_EQ(tables.ports[kPortsMax - 1].role, kPortInside);
  world.interfaces["in0"] = kPortsMax;
  world_changed();
  const auto result = reconciler.reconcile(config, world);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(), "interface in0: its index 4096 is not below 4096");
  EXPECT_EQ(tables.ports[kPortsMax - 1].role, kPortInside) << "all is as it was";
}

TEST_F(ReconcilerTest, ThingsThatGoAreTakenBack) {
  reconcile();
  const uint16_t group = *reconciler.group_index("ids");
  config.attachments.clear();
  config.load_balancers.clear();
  reconcile();
  EXPECT_FALSE(tables.attachments[0].in_use);
  EXPECT_EQ(tables.ports[5].role, kPortUnused);
  EXPECT_EQ(tables.ports[9].role, kPortTunnel);
  EXPECT_FALSE(tables.groups[group].in_use);
  for (uint32_t i = 0; i < kListenersMax; i++) EXPECT_FALSE(tables.listeners[i].in_use);
  reconciler.detach_all();
  EXPECT_EQ(tables.ports[9].role, kPortUnused);
}

TEST(ProbedTable, GravestonesKeepRunsWhole) {
  std::vector<source> entries(kSourcesMax);
  ProbedTable<source> table(entries, [](const source& e) { return e.target == kNone16; });
  for (uint16_t i = 0; i < 3; i++) entries[*table.place_for(kSourcesMax - 1)] = {i, i, 1};
  EXPECT_EQ(entries[kSourcesMax - 1].address, 0u);  // and wraps
  EXPECT_EQ(entries[1].address, 2u);
  entries[0].target = kNone16;
  table.sweep(0);
  EXPECT_TRUE(entries[0].in_use);  // something follows it
  EXPECT_EQ(*table.place_for(kSourcesMax - 1), 0u);
  entries[1].target = kNone16;
  table.sweep(1);
  EXPECT_FALSE(entries[0].in_use || entries[1].in_use);
  for (uint16_t i = 0; i < kProbesMax; i++) entries[100 + i] = {i, i, 1};
  EXPECT_FALSE(table.place_for(100));
}

TEST(OfflineWorld, IsEnoughForReplay) {
  auto host = std::move(*ProcessHost::create({1024}));
  Reconciler reconciler(*host);
  const Config config = *parse_config(kReconcilerYaml, "f");
  OfflineWorld world;
  world.tunnel_interface = config.gateway.tunnel_interfaces[0];
  ASSERT_TRUE(reconciler.reconcile(config, world));
  EXPECT_EQ(host->tables().ports[1].role, kPortOutside);
  EXPECT_EQ(host->tables().ports[*world.interface_index("gen0")].role, kPortTunnel);
  EXPECT_TRUE(host->tables().targets[0].flags & kTargetResolved);
}

}  // namespace
}  // namespace sluice::gateway
