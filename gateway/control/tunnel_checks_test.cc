// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/tunnel_checks.h"

#include <gtest/gtest.h>

#include "gateway/control/config.h"
#include "gateway/datapath/process_host.h"

namespace sluice::gateway {
namespace {

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
load_balancers:
  - {name: one, type: gateway, listeners: [{default_actions: [{type: forward, target_group: fast}]}]}
  - {name: two, type: gateway, listeners: [{default_actions: [{type: forward, target_group: slow}]}]}
  - {name: three, type: gateway, listeners: [{default_actions: [{type: forward, target_group: none}]}]}
attachments:
  - {name: a, endpoint_id: 5, outside: out0, inside: in0, load_balancer: two}
  - {name: b, endpoint_id: 6, attachment_id: 7, outside: out1, inside: in1, load_balancer: one}
target_groups:
  - name: fast
    protocol: GENEVE
    health_check: {healthy_threshold_count: 2}
    attributes: {sluice.health_check.tunnel.interval_ms: "100"}
    targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]
  - name: slow
    protocol: GENEVE
    attributes:
      sluice.health_check.tunnel.interval_ms: "60000"
      sluice.health_check.tunnel.unhealthy_threshold: "10"
    targets: [{id: 10.9.0.12}, {id: 10.9.0.13}]
  - {name: none, protocol: GENEVE, targets: [{id: 10.9.0.14}]}
  - name: unused
    protocol: GENEVE
    attributes: {sluice.health_check.tunnel.interval_ms: "100"}
    targets: [{id: 10.9.0.15}]
)";

TEST(TunnelChecks, ProbesThoseWhoseGroupsWantItWithAnEndpointOfTheirs) {
  const Config config = *parse_config(kYaml, "f");
  auto host = std::move(*ProcessHost::create({1024}));
  Reconciler reconciler(*host);
  OfflineWorld world;
  world.tunnel_interface = "gen0";
  ASSERT_TRUE(reconciler.reconcile(config, world));
  const auto probes = tunnel_probes_of(config, reconciler);
  const auto at = [](const char* address) { return Target{*parse_ip_address(address), 6081}; };
  const auto index = [&](const char* address) {
    return *reconciler.target_index(Protocol::kGeneve, at(address));
  };
  ASSERT_EQ(probes.size(), 3u);
  EXPECT_EQ(probes.at(at("10.9.0.11")), (TunnelProbe{index("10.9.0.11"), 100, 2, 3, 6, 7}));
  EXPECT_EQ(probes.at(at("10.9.0.12")), (TunnelProbe{index("10.9.0.12"), 100, 2, 3, 6, 7}))
      << "as often as any group wants";
  EXPECT_EQ(probes.at(at("10.9.0.13")), (TunnelProbe{index("10.9.0.13"), 60000, 5, 10, 5, 0}));
}

TEST(TunnelChecks, ATargetMustPassBoth) {
  using enum HealthState;
  const struct {
    HealthState checked, probed, both;
  } cases[] = {
      {kHealthy, kHealthy, kHealthy},         {kHealthy, kInitial, kInitial},
      {kHealthy, kUnhealthy, kUnhealthy},     {kUnhealthy, kHealthy, kUnhealthy},
      {kInitial, kHealthy, kInitial},         {kUnavailable, kHealthy, kUnavailable},
      {kUnavailable, kUnhealthy, kUnhealthy}, {kUnused, kUnhealthy, kUnused},
  };
  for (const auto& c : cases) EXPECT_EQ(with_tunnel({c.checked, {}, {}}, c.probed).state, c.both);
  EXPECT_EQ(with_tunnel({kHealthy, {}, {}}, kUnhealthy).reason, "Target.FailedHealthChecks");
  EXPECT_EQ(with_tunnel({kUnhealthy, "Target.Timeout", {}}, kUnhealthy).reason, "Target.Timeout");
}

}  // namespace
}  // namespace sluice::gateway
