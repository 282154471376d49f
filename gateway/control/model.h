// SPDX-License-Identifier: Apache-2.0
// What a gateway is told to be, in the words of AWS's Elastic Load Balancing v2. Plain values:
// reading and validation are in config.h, and a Config that read_config() returned is valid as a
// whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/address.h"
#include "gateway/control/health_check.h"
#include "tunnels/flow_key.h"

namespace sluice::gateway {

enum class HostKind { kKernel, kProcess };
enum class LoadBalancerType { kGateway, kNetwork, kApplication };
enum class Protocol { kGeneve, kTcp, kUdp, kHttp };
enum class ConditionField { kHostHeader, kPathPattern };

std::string_view protocol_name(Protocol protocol);  // "GENEVE"

// What the number means that an appliance may return with an approved packet (docs/wire/geneve.md).
struct Hint {
  uint16_t number = 0;       // unique
  std::string target_group;  // the flow moves to it; empty: the rest of the flow is not inspected
};

struct Gateway {
  std::string name;            // [a-z0-9-], at most 15 characters
  tunnels::siphash_key key{};  // 128 bits: flow hash and cookies; gateways that share it agree
  std::string socket;          // of the API; /run/sluice/NAME.sock
  HostKind host = HostKind::kKernel;
  uint32_t flows_max = 1 << 20;                // flow_table.flows_max: 96 bytes each
  std::vector<std::string> tunnel_interfaces;  // face the appliances
  IpAddress tunnel_address;  // outer source address, IPv4; health checks come from it too
  bool mss_clamp = false;  // lower the MSS of TCP handshakes to what the tunnel carries
  std::vector<Hint> hints;
  std::string nlb_interface;  // gets the addresses of NLB listeners; empty without one
};

struct Target {
  IpAddress address;  // `id`
  uint16_t port = 0;  // the target group's port unless given; never 0 after reading
  auto operator<=>(const Target&) const = default;
};

struct TargetGroup {
  std::string name;
  Protocol protocol = Protocol::kGeneve;
  uint16_t port = 6081;
  // GENEVE: what of a flow chooses its target (stickiness.type); all five fields by default.
  tunnels::FlowHashForm stickiness = tunnels::kFlowHash5Tuple;
  HealthCheck health_check;
  std::vector<Target> targets;
};

struct Action {
  std::string target_group;  // forward
};

struct Condition {
  ConditionField field = ConditionField::kPathPattern;
  std::vector<std::string> values;  // any of them; * and ? are wildcards
};

// The lowest priority whose conditions all hold decides; without one the listener's default action.
struct Rule {
  uint32_t priority = 0;  // 1-50000, unique in its listener
  std::vector<Condition> conditions;
  Action action;
};

struct Listener {
  // Network and application load balancers; a gateway's listener takes every packet.
  Protocol protocol = Protocol::kGeneve;
  IpAddress address;
  uint16_t port = 0;
  Action default_action;
  std::vector<Rule> rules;  // application
  uint32_t idle_timeout_s =
      350;  // gateway: tcp.idle_timeout.seconds, 60-6000; other protocols have 120 s
};

struct LoadBalancer {
  std::string name;
  LoadBalancerType type = LoadBalancerType::kGateway;
  std::vector<Listener> listeners;  // a gateway has exactly one
};

// A GWLB endpoint: a pair of interfaces spliced into a path.
struct Attachment {
  std::string name;
  uint64_t endpoint_id = 0;    // in every GENEVE header; unique
  uint64_t attachment_id = 0;  // in every GENEVE header; some appliances insist on 0
  std::string outside;         // interface towards the clients
  std::string inside;          // interface towards the applications
  std::string load_balancer;   // type gateway
};

struct Config {
  std::string file;
  Gateway gateway;
  std::vector<LoadBalancer> load_balancers;
  std::vector<Attachment> attachments;
  std::vector<TargetGroup> target_groups;

  const LoadBalancer* load_balancer(std::string_view name) const;
  const TargetGroup* target_group(std::string_view name) const;
};

}  // namespace sluice::gateway
