// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/reconciler.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "gateway/control/config.h"
#include "gateway/control/probed_table.h"
#include "gateway/datapath/path.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {
namespace {

constexpr uint64_t kDelayMs = 300'000;  // ELBv2's default
constexpr uint64_t kQuietMs = 350'001;  // longer than any flow can be idle

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
attachments:
  - {name: front, endpoint_id: 0x2b8ee1d4db0c51c4, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}, {id: 10.9.0.12}, {id: 10.9.0.13}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21, port: 7001}]}
  - {name: spare, protocol: GENEVE, targets: [{id: 10.9.0.99}]}
)";

class FakeWorld : public World {
 public:
  TargetHealth health(const TargetName& name) override {
    if (unknown) return {HealthState::kInitial, {}, {}};
    return {
        sick.contains(name.target.address.text()) ? HealthState::kUnhealthy : HealthState::kHealthy,
        {},
        {}};
  }
  Result<NextHop> next_hop(const IpAddress& target) override {
    if (unreachable) return fail("no route");
    NextHop hop{9, 1600, {2, 0, 0, 0, 0, 1}, MacAddress{2, 0, 0, 0, 1, 0}};
    (*hop.to)[5] = static_cast<uint8_t>(ntohl(target.words[0]));
    if (silent) hop.to.reset();
    return hop;
  }
  Result<uint32_t> interface_index(const std::string& name) override {
    const auto at = interfaces.find(name);
    if (at == interfaces.end()) return fail("there is no such interface", name);
    return at->second;
  }
  std::set<std::string> sick;
  bool silent = false, unreachable = false, unknown = false;
  std::map<std::string, uint32_t> interfaces{{"out0", 5}, {"in0", 6}, {"gen0", 9}};
};

// Everything that the reconciler writes.
std::string written(const Tables& tables) {
  std::string out;
  const auto add = [&](const auto* entries, size_t count) {
    out.append(reinterpret_cast<const char*>(entries), count * sizeof(*entries));
  };
  add(tables.settings, 1);
  add(tables.ports, kPortsMax);
  add(tables.attachments, kAttachmentsMax);
  add(tables.groups, kGroupsMax);
  for (uint32_t i = 0; i < kGroupsMax; i++)
    if (tables.groups[i].in_use) add(&tables.rows[first_row(i)], rows_of(i));
  add(tables.targets, kTargetsMax);
  add(tables.sources, kSourcesMax);
  add(tables.listeners, kListenersMax);
  return out;
}

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest()
      : host(std::move(*ProcessHost::create({1024}))),
        tables(host->tables()),
        config(*parse_config(kYaml, "f")),
        reconciler(*host) {
    host->set_now_ms(1'000'000);
  }
  void reconcile() {
    world_changed();
    auto result = reconciler.reconcile(config, world);
    ASSERT_TRUE(result) << result.error().text();
  }
  void world_changed() {
    for (const TargetGroup& group : config.target_groups) reconciler.health_changed(group.name);
    reconciler.network_changed();
  }
  std::map<uint16_t, int> owners(const char* group) {
    std::map<uint16_t, int> out;
    const uint16_t index = *reconciler.group_index(group);
    for (uint32_t i = 0; i < rows_of(index); i++) out[tables.rows[first_row(index) + i].target]++;
    return out;
  }
  uint16_t index_of(const char* address) {
    return *reconciler.target_index(Protocol::kGeneve, {*parse_ip_address(address), 6081});
  }
  TargetGroup& ids() { return config.target_groups[0]; }

  std::unique_ptr<ProcessHost> host;
  Tables& tables;
  Config config;
  FakeWorld world;
  Reconciler reconciler;
};

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
  EXPECT_NE(s.hash_key.k0, s.cookie_key.k0);

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
  EXPECT_EQ(t.mtu, 1600);
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

// The tables of `host` as a later process finds them.
class TakenOver : public DataPathHost {
 public:
  explicit TakenOver(ProcessHost& host) : host_(host) {}
  Tables& tables() override { return host_.tables(); }
  bool taken_over() const override { return true; }
  std::vector<uint32_t> left_attached() const override { return left; }
  Result<> attach(uint32_t index) override {
    std::erase(left, index);
    return {};
  }
  Result<> detach(uint32_t index) override {
    std::erase(left, index);
    detached.insert(index);
    return {};
  }
  uint64_t now_ms() const override { return host_.now_ms(); }
  std::vector<uint32_t> left{5, 6, 9};
  std::set<uint32_t> detached;

 private:
  ProcessHost& host_;
};

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

// Before anything is known, nothing is lost: a restart must not let packets pass by.
TEST_F(ReconcilerTest, TargetsThatWereNotCheckedYetAreNotUnhealthy) {
  ids().attributes = {{"sluice.all_unhealthy", "bypass"}};
  world.unknown = true;
  reconcile();
  EXPECT_EQ(owners("ids").size(), 3u);
  EXPECT_EQ(tables.groups[*reconciler.group_index("ids")].flags, 0u);
  EXPECT_TRUE(reconciler.lost_groups().empty());
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

  // It comes back, with another number.
  world.interfaces["in0"] = 7;
  ASSERT_TRUE(reconciler.reconcile(config, world, Reconciler::OnMissing::kGoOn));
  EXPECT_TRUE(reconciler.missing());
  EXPECT_EQ(tables.ports[7].role, kPortInside);
  EXPECT_EQ(tables.attachments[0].interface[1], 7u);
}

TEST_F(ReconcilerTest, AMissingInterfaceChangesNothing) {
  world.interfaces.erase("in0");
  auto result = reconciler.reconcile(config, world);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(), "in0: there is no such interface");
  EXPECT_EQ(tables.settings[0].tunnel_port, 0);
  EXPECT_EQ(tables.ports[5].role, kPortUnused);
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
  const Config config = *parse_config(kYaml, "f");
  OfflineWorld world;
  world.tunnel_interface = config.gateway.tunnel_interfaces[0];
  ASSERT_TRUE(reconciler.reconcile(config, world));
  EXPECT_EQ(host->tables().ports[1].role, kPortOutside);
  EXPECT_EQ(host->tables().ports[*world.interface_index("gen0")].role, kPortTunnel);
  EXPECT_TRUE(host->tables().targets[0].flags & kTargetResolved);
}

}  // namespace
}  // namespace sluice::gateway
