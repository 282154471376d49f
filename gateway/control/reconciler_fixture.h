// SPDX-License-Identifier: Apache-2.0
// For tests: a reconciler, the world that it asks, and everything that it writes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "gateway/control/config.h"
#include "gateway/control/reconciler.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {

inline constexpr uint64_t kDelayMs = 300'000;  // ELBv2's default
inline constexpr uint64_t kQuietMs = 350'001;  // longer than any flow can be idle

inline const char kReconcilerYaml[] = R"(gateway:
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
inline std::string written(const Tables& tables) {
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
  add(tables.sources6, kSourcesMax);
  add(tables.listeners, kListenersMax);
  return out;
}

// The tables of `host` as a later process finds them.
class TakenOver : public DataPathHost {
 public:
  explicit TakenOver(ProcessHost& host) : host_(host) {}
  Tables& tables() override { return host_.tables(); }
  bool taken_over() const override { return true; }
  std::vector<uint32_t> left_attached() const override { return left; }
  Result<> attach(uint32_t index, Entry) override {
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

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest()
      : host(std::move(*ProcessHost::create({1024}))),
        tables(host->tables()),
        config(*parse_config(kReconcilerYaml, "f")),
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

}  // namespace sluice::gateway
