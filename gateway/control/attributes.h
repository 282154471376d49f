// SPDX-License-Identifier: Apache-2.0
// Every attribute of ELBv2, and what it does here: it acts, or only the values are accepted that
// describe what the gateway does anyway (so a client that sends every attribute with its default
// works). None is stored and ignored.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/control/model.h"
#include "tunnels/flow_key.h"
#include "tunnels/geneve_profiles.h"
#include "tunnels/result.h"

namespace sluice::gateway {

enum class AttributeScope { kLoadBalancer, kTargetGroup, kListener };

// Load balancer types as bits. A target group is of the type of the load balancers it is for.
constexpr uint8_t type_bit(LoadBalancerType type) {
  return static_cast<uint8_t>(1 << static_cast<int>(type));
}

struct AttributeRow {
  AttributeScope scope;
  uint8_t types;  // type_bit()s
  std::string_view name;
  std::string_view fallback;  // the value when it is not set
  // What values it has: "bool", "1-4000" (a range), "a|b" (words, or ranges), "text".
  std::string_view form;
  // The only values accepted, "|" between them, and `meaning` says why. Empty: any of the form, or,
  // where the default is empty, nothing but that (own ones: any).
  std::string_view fixed;
  std::string_view meaning;  // what it does here
  // Not of ELBv2: shown only where it is set.
  constexpr bool is_own() const { return name.starts_with("sluice."); }
};

// Of listeners with TCP flows, which all have the same: the data path has one.
inline constexpr const char* kTcpIdleTimeout = "tcp.idle_timeout.seconds";

// Of a group of appliances: what they are sent packets in.
inline constexpr const char* kProfile = "sluice.profile";

std::span<const AttributeRow> attribute_rows();
const AttributeRow* find_attribute(AttributeScope scope, LoadBalancerType type,
                                   std::string_view name);
// Whether `value` can be set. An unknown name is worded as clients expect it.
Result<> check_attribute(AttributeScope scope, LoadBalancerType type, std::string_view name,
                         std::string_view value);

// Those that were set and the defaults of all others of ELBv2.
Attributes all_attributes(const LoadBalancer& load_balancer);
Attributes all_attributes(const Config& config, const LoadBalancer& owner,
                          const Listener& listener);
Attributes all_attributes(const TargetGroup& group);

// What the attributes mean for those who act on them.
LoadBalancerType balancer_type(Protocol group_protocol);
tunnels::FlowHashForm stickiness_of(const TargetGroup& group);
// Its encapsulation profile (sluice.profile): a place of tunnels::kGeneveProfiles.
uint8_t profile_of(const TargetGroup& group);
uint64_t deregistration_delay_ms(const TargetGroup& group);
// Who gets packets of a group without a healthy target (sluice.all_unhealthy).
enum class AllUnhealthy {
  kLastResort,  // all its targets, as AWS
  kFailClosed,  // nobody: they drop
  kBypass       // the other side, without inspection
};
struct FailoverPolicy {
  bool rebalances = false;           // target_failover
  bool resets_unhealthy = false;     // send_tcp_reset.on_unhealthy
  bool resets_deregistered = false;  // send_tcp_reset.on_deregistration
  AllUnhealthy all_unhealthy = AllUnhealthy::kLastResort;
};
FailoverPolicy failover_of(const TargetGroup& group);
// Probes through the tunnel (sluice.health_check.tunnel); nothing when they are off.
struct TunnelCheck {
  uint32_t interval_ms = 0;
  uint8_t unhealthy_threshold = 0;
};
std::optional<TunnelCheck> tunnel_check_of(const TargetGroup& group);
// send_tcp_reset.on_idle_timeout of a gateway's listener, and sluice.unknown_tcp_flow.
bool resets_when_idle(const Listener& listener);
bool drops_unknown_tcp(const Listener& listener);
// sluice.new_flows_per_second of a gateway's listener; 0: off.
uint32_t new_flows_per_second(const Listener& listener);
// load_balancing.cross_zone: whether the balancer's flows go to the group's targets in all zones.
bool crosses_zones(const LoadBalancer& owner, const TargetGroup& group);
bool deletion_protected(const LoadBalancer& load_balancer);
uint64_t number_attribute(const LoadBalancer& load_balancer, std::string_view name);
inline constexpr uint32_t kIdleTimeoutS = 350;
// tcp.idle_timeout.seconds: the data path has one for all; 350 unless a listener sets it.
uint32_t idle_timeout_s(const Config& config);

}  // namespace sluice::gateway
