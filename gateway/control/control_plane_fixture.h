// SPDX-License-Identifier: Apache-2.0
// For tests: a gateway that runs with a small state, and what it asks of the world besides.
#pragma once

#include <string>
#include <vector>

#include "gateway/control/gateway_for_test.h"

namespace sluice::gateway {

inline const char kFixtureYaml[] = R"(gateway:
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
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}, {id: 10.9.0.12}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21, port: 7001}]}
  - {name: spare, protocol: UDP, port: 7000, targets: [{id: 10.1.0.22}]}
)";

class ControlPlaneFixture : public testing::Test, protected GatewayForTest {
 protected:
  ControlPlaneFixture()
      : GatewayForTest(
            [this](const Config& config, ControlPlane::OnMissing) { return also(config); }) {
    start(kFixtureYaml);
  }

  // Stands for the addresses of the NLB's listener: remembers its port.
  Result<> also(const Config& config) {
    const uint16_t port =
        config.load_balancers.size() < 2 || config.load_balancers[1].listeners.empty()
            ? 0
            : config.load_balancers[1].listeners[0].port;
    if (also_fails && port == 7001) return fail("no address", "mgmt0");
    addresses_for.push_back(port);
    return {};
  }
  bool target_is_in_the_table(const std::string& address) {
    return controller.reconciler()
        .target_index(Protocol::kGeneve, {*parse_ip_address(address), 6081})
        .has_value();
  }

  bool also_fails = false;
  std::vector<uint16_t> addresses_for;
};

}  // namespace sluice::gateway
