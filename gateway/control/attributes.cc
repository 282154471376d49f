// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/attributes.h"

#include <algorithm>
#include <charconv>

#include "gateway/control/discover.h"

namespace sluice::gateway {
namespace {

constexpr size_t kValueMax = 256;

constexpr auto kLb = AttributeScope::kLoadBalancer;
constexpr auto kTg = AttributeScope::kTargetGroup;
constexpr auto kLs = AttributeScope::kListener;
constexpr uint8_t kGwlb = type_bit(LoadBalancerType::kGateway);
constexpr uint8_t kNlb = type_bit(LoadBalancerType::kNetwork);
constexpr uint8_t kAlb = type_bit(LoadBalancerType::kApplication);
constexpr uint8_t kAll = kGwlb | kNlb | kAlb;

constexpr std::string_view kAllZones = "sluice-proxy uses the targets of all zones";
constexpr std::string_view kNoShift = "no zone can be taken out of service";
constexpr std::string_view kNoS3 = "there is no S3; logs are files of this machine";
constexpr std::string_view kNoTls = "there are no TLS listeners here";
constexpr std::string_view kNotInProxy = "sluice-proxy does not do this";
constexpr std::string_view kNoSticky = "flows keep their target; clients do not";
constexpr std::string_view kNoDns = "this gateway answers no DNS";
constexpr std::string_view kNoReset = "the gateway sends no TCP resets of its own";
constexpr std::string_view kNoHeader = "sluice-proxy adds no such header";
constexpr std::string_view kFailsOpen = "without a healthy target all registered ones are used";

constexpr AttributeRow kRows[] = {
    {kLb, kAll, "deletion_protection.enabled", "false", "bool", "",
     "neither the API nor a file can take it away while it is true"},
    {kLb, kGwlb, "load_balancing.cross_zone.enabled", "false", "bool", "",
     "false: flows of an endpoint go to targets in the zone of its subnet"},
    {kLb, kNlb, "load_balancing.cross_zone.enabled", "false", "bool", "",
     "false: flows to an address go to targets in the zone of its subnet"},
    {kLb, kAlb, "load_balancing.cross_zone.enabled", "true", "bool", "true", kAllZones},
    {kLb, kNlb | kAlb, "access_logs.s3.enabled", "false", "bool", "false", kNoS3},
    {kLb, kNlb | kAlb, "access_logs.s3.bucket", "", "text", "", kNoS3},
    {kLb, kNlb | kAlb, "access_logs.s3.prefix", "", "text", "", kNoS3},
    {kLb, kNlb | kAlb, "ipv6.deny_all_igw_traffic", "false", "bool", "false",
     "there is no internet gateway to deny"},
    {kLb, kNlb | kAlb, "zonal_shift.config.enabled", "false", "bool", "false", kNoShift},
    {kLb, kNlb, "dns_record.client_routing_policy", "any_availability_zone", "text",
     "any_availability_zone", kNoDns},
    {kLb, kNlb, "secondary_ips.auto_assigned.per_subnet", "0", "0-7", "0",
     "addresses are those of the subnet mappings"},
    {kLb, kAlb, "idle_timeout.timeout_seconds", "60", "1-4000", "",
     "a connection on which nothing moves is closed"},
    {kLb, kAlb, "client_keep_alive.seconds", "3600", "60-604800", "",
     "older connections of clients are closed after a response"},
    {kLb, kAlb, "connection_logs.s3.enabled", "false", "bool", "false", kNoS3},
    {kLb, kAlb, "connection_logs.s3.bucket", "", "text", "", kNoS3},
    {kLb, kAlb, "connection_logs.s3.prefix", "", "text", "", kNoS3},
    {kLb, kAlb, "health_check_logs.s3.enabled", "false", "bool", "false", kNoS3},
    {kLb, kAlb, "health_check_logs.s3.bucket", "", "text", "", kNoS3},
    {kLb, kAlb, "health_check_logs.s3.prefix", "", "text", "", kNoS3},
    {kLb, kAlb, "routing.http.desync_mitigation_mode", "defensive", "monitor|defensive|strictest",
     "defensive", "ambiguous requests are refused"},
    {kLb, kAlb, "routing.http.drop_invalid_header_fields.enabled", "false", "bool", "false",
     kNotInProxy},
    {kLb, kAlb, "routing.http.preserve_host_header.enabled", "false", "bool", "true|false",
     "Host is forwarded as it came"},
    {kLb, kAlb, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", "bool",
     "false", kNoTls},
    {kLb, kAlb, "routing.http.xff_client_port.enabled", "false", "bool", "false", kNotInProxy},
    {kLb, kAlb, "routing.http.xff_header_processing.mode", "append", "append|preserve|remove",
     "append", "the client's address is appended to X-Forwarded-For"},
    {kLb, kAlb, "routing.http2.enabled", "true", "bool", "true",
     "HTTP/2 is negotiated over TLS, and there are no TLS listeners here"},
    {kLb, kAlb, "waf.fail_open.enabled", "false", "bool", "false", "there is no WAF to fail"},

    {kTg, kGwlb | kNlb, "deregistration_delay.timeout_seconds", "300", "0-3600", "",
     "how long flows of a target that was deregistered stay with it"},
    {kTg, kAlb, "deregistration_delay.timeout_seconds", "300", "0-3600", "",
     "how long a request may stay with a target that was deregistered; then it is answered 502 or "
     "cut"},
    {kTg, kGwlb, "stickiness.enabled", "false", "bool", "",
     "false: all five fields of a flow choose its target"},
    {kTg, kGwlb, "stickiness.type", "source_ip_dest_ip_proto",
     "source_ip_dest_ip|source_ip_dest_ip_proto", "",
     "the fields that choose a flow's target while stickiness is enabled"},
    {kTg, kNlb, "stickiness.enabled", "false", "bool", "false", kNoSticky},
    {kTg, kNlb, "stickiness.type", "source_ip", "text", "source_ip", kNoSticky},
    {kTg, kAlb, "stickiness.enabled", "false", "bool", "false", kNoSticky},
    {kTg, kAlb, "stickiness.type", "lb_cookie", "lb_cookie|app_cookie", "lb_cookie", kNoSticky},
    {kTg, kAlb, "stickiness.lb_cookie.duration_seconds", "86400", "1-604800", "86400", kNoSticky},
    {kTg, kAlb, "stickiness.app_cookie.duration_seconds", "86400", "1-604800", "86400", kNoSticky},
    {kTg, kAlb, "stickiness.app_cookie.cookie_name", "", "text", "", kNoSticky},
    {kTg, kGwlb, "target_failover.on_deregistration", "no_rebalance", "no_rebalance|rebalance", "",
     "rebalance: flows of a deregistered target move when its delay has passed; else they stay"},
    {kTg, kGwlb, "target_failover.on_unhealthy", "no_rebalance", "no_rebalance|rebalance", "",
     "rebalance: flows of an unhealthy target move to healthy ones; else they stay. Equal to "
     "on_deregistration"},
    {kTg, kGwlb, "send_tcp_reset.on_unhealthy.enabled", "false", "bool", "",
     "TCP flows of an unhealthy target end by RST to both ends, unless they are rebalanced"},
    {kTg, kGwlb, "send_tcp_reset.on_deregistration.enabled", "false", "bool", "",
     "so do those of a deregistered target when its delay has passed"},
    {kTg, kGwlb, "sluice.all_unhealthy", "last_resort", "fail_closed|bypass|last_resort", "",
     "without a healthy target packets go to all targets, as AWS; drop; or pass uninspected"},
    {kTg, kGwlb, kProfile, "aws", "aws|google|plain", "", "the GENEVE options of its appliances"},
    {kTg, kGwlb, "sluice.health_check.tunnel.interval_ms", "off", "off|100-60000", "",
     "how often an appliance is sent a probe through the tunnel that it must return"},
    {kTg, kGwlb, "sluice.health_check.tunnel.unhealthy_threshold", "3", "2-10", "",
     "how many probes in a row must be missed to make it unhealthy"},
    {kTg, kNlb, "load_balancing.cross_zone.enabled", "use_load_balancer_configuration",
     "true|false|use_load_balancer_configuration", "",
     "true or false: for this group, whatever its load balancer says"},
    {kTg, kAlb, "load_balancing.cross_zone.enabled", "use_load_balancer_configuration",
     "true|false|use_load_balancer_configuration", "true|use_load_balancer_configuration",
     kAllZones},
    {kTg, kNlb | kAlb, "target_group_health.dns_failover.minimum_healthy_targets.count", "1",
     "text", "1", kNoDns},
    {kTg, kNlb | kAlb, "target_group_health.dns_failover.minimum_healthy_targets.percentage", "off",
     "text", "off", kNoDns},
    {kTg, kNlb | kAlb, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
     "1", "text", "1", kFailsOpen},
    {kTg, kNlb | kAlb,
     "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off",
     "text", "off", kFailsOpen},
    {kTg, kNlb, "deregistration_delay.connection_termination.enabled", "false", "bool", "false",
     kNoReset},
    {kTg, kNlb, "preserve_client_ip.enabled", "true", "bool", "true",
     "targets always see the client's address"},
    {kTg, kNlb, "proxy_protocol_v2.enabled", "false", "bool", "false",
     "targets see the client's address itself"},
    {kTg, kNlb, "target_health_state.unhealthy.connection_termination.enabled", "false", "bool",
     "false", "flows stay with a target that became unhealthy"},
    {kTg, kNlb, "target_health_state.unhealthy.draining_interval_seconds", "0", "0-360000", "0",
     "flows stay with a target that became unhealthy"},
    {kTg, kAlb, "load_balancing.algorithm.type", "round_robin",
     "round_robin|least_outstanding_requests|weighted_random", "round_robin",
     "healthy targets take turns"},
    {kTg, kAlb, "load_balancing.algorithm.anomaly_mitigation", "off", "on|off", "off", kNotInProxy},
    {kTg, kAlb, "slow_start.duration_seconds", "0", "0-900", "0", kNotInProxy},

    {kTg, kAll, "sluice.discover.dns.name", "", "DNS name", "",
     "the targets are what the records of this name tell"},
    {kTg, kAll, "sluice.discover.dns.record", "A", "A|AAAA|SRV", "",
     "which records; SRV has ports"},
    {kTg, kAll, "sluice.discover.dns.servers", "", "DNS servers", "",
     "who is asked; those of /etc/resolv.conf without"},
    {kTg, kAll, "sluice.discover.file", "", "path", "", "the targets are what this file lists"},
    {kTg, kAll, "sluice.discover.etcd.endpoints", "", "etcd endpoints", "",
     "the targets are the values under a prefix of this etcd"},
    {kTg, kAll, "sluice.discover.etcd.prefix", "", "etcd prefix", "", "that prefix"},

    {kLs, kGwlb | kNlb, kTcpIdleTimeout, "350", "60-6000", "",
     "a TCP flow without packets for so long ends; all listeners share one value"},
    {kLs, kGwlb, "send_tcp_reset.on_idle_timeout.enabled", "false", "bool", "",
     "a TCP packet of a flow that idled out, or was never seen to begin, is answered by RST"},
    {kLs, kGwlb, "sluice.unknown_tcp_flow", "auto", "auto|steer|drop", "",
     "a TCP packet that neither opens a connection nor belongs to one is taken to a target, or "
     "dropped. auto: dropped while send_tcp_reset.on_idle_timeout.enabled is true"},
    {kLs, kGwlb, "sluice.new_flows_per_second", "off", "off|1-2000000", "",
     "how many flows an endpoint may open on each CPU; packets that would open more go to a target "
     "without a record of their flow"},
    {kLs, kAlb, "routing.http.response.server.enabled", "true", "bool", "true",
     "answers of sluice-proxy itself carry Server: sluice"},
#define NAMED(name, header) \
  { kLs, kAlb, "routing.http.request." name ".header_name", header, "text", header, kNoTls }
    NAMED("x_amzn_mtls_clientcert", "X-Amzn-Mtls-Clientcert"),
    NAMED("x_amzn_mtls_clientcert_serial_number", "X-Amzn-Mtls-Clientcert-Serial-Number"),
    NAMED("x_amzn_mtls_clientcert_issuer", "X-Amzn-Mtls-Clientcert-Issuer"),
    NAMED("x_amzn_mtls_clientcert_subject", "X-Amzn-Mtls-Clientcert-Subject"),
    NAMED("x_amzn_mtls_clientcert_validity", "X-Amzn-Mtls-Clientcert-Validity"),
    NAMED("x_amzn_mtls_clientcert_leaf", "X-Amzn-Mtls-Clientcert-Leaf"),
    NAMED("x_amzn_tls_version", "X-Amzn-Tls-Version"),
    NAMED("x_amzn_tls_cipher_suite", "X-Amzn-Tls-Cipher-Suite"),
#undef NAMED
#define ADDED(name) \
  { kLs, kAlb, "routing.http.response." name ".header_value", "", "text", "", kNoHeader }
    ADDED("strict_transport_security"),
    ADDED("access_control_allow_origin"),
    ADDED("access_control_allow_methods"),
    ADDED("access_control_allow_headers"),
    ADDED("access_control_allow_credentials"),
    ADDED("access_control_expose_headers"),
    ADDED("access_control_max_age"),
    ADDED("content_security_policy"),
    ADDED("x_content_type_options"),
    ADDED("x_frame_options"),
#undef ADDED
};

// One of `words`, which have "|" between them.
bool is_word(std::string_view words, std::string_view value) {
  for (size_t begin = 0; begin <= words.size();) {
    const size_t end = std::min(words.find('|', begin), words.size());
    if (words.substr(begin, end - begin) == value) return true;
    begin = end + 1;
  }
  return false;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t out = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || stop != text.data() + text.size()) return {};
  return out;
}

bool has_form(std::string_view form, std::string_view value) {
  if (form == "bool") return value == "true" || value == "false";
  if (form == "text") return value.size() <= kValueMax;
  if (const auto result = check_discover_form(form, value)) return result->has_value();
  if (const size_t bar = form.find('|'); bar != std::string_view::npos)
    return has_form(form.substr(0, bar), value) || has_form(form.substr(bar + 1), value);
  const size_t dash = form.find('-');
  if (dash == std::string_view::npos) return form == value;
  const auto least = number(form.substr(0, dash)), most = number(form.substr(dash + 1));
  const auto given = number(value);
  return given && *given >= *least && *given <= *most;
}

std::string readable(std::string_view form) {
  if (form == "bool") return "true or false";
  if (const auto words = readable_discover_form(form); !words.empty()) return std::string(words);
  std::string out = form == "text" ? "text of at most " + std::to_string(kValueMax) + " characters"
                                   : std::string(form);
  for (size_t at; (at = out.find('|')) != std::string::npos;) out.replace(at, 1, " or ");
  return out;
}

std::string_view scope_name(AttributeScope scope) {
  constexpr std::string_view kNames[] = {"Load balancer", "Target group", "Listener"};
  return kNames[static_cast<int>(scope)];
}

Attributes with_defaults(AttributeScope scope, LoadBalancerType type, const Attributes& set) {
  Attributes out = set;
  for (const AttributeRow& row : kRows)
    if (row.scope == scope && row.types & type_bit(type) && !row.is_own())
      out.try_emplace(std::string(row.name), row.fallback);
  return out;
}

// A value that was checked when it was set.
std::string_view value_of(AttributeScope scope, LoadBalancerType type, const Attributes& set,
                          std::string_view name) {
  const auto at = set.find(name);
  if (at != set.end()) return at->second;
  const AttributeRow* row = find_attribute(scope, type, name);
  return row == nullptr ? "" : row->fallback;
}

}  // namespace

std::span<const AttributeRow> attribute_rows() { return kRows; }

const AttributeRow* find_attribute(AttributeScope scope, LoadBalancerType type,
                                   std::string_view name) {
  const auto* at = std::ranges::find_if(kRows, [&](const AttributeRow& row) {
    return row.scope == scope && row.types & type_bit(type) && row.name == name;
  });
  return at == std::end(kRows) ? nullptr : at;
}

Result<> check_attribute(AttributeScope scope, LoadBalancerType type, std::string_view name,
                         std::string_view value) {
  const std::string shown(name.substr(0, kValueMax));
  const AttributeRow* row = find_attribute(scope, type, name);
  if (row == nullptr)
    return fail(std::string(scope_name(scope)) + " attribute key '" + shown +
                "' is not recognized");
  const auto refuse = [&](const std::string& wanted) {
    return fail("'" + std::string(value.substr(0, kValueMax)) + "' is no value of '" + shown +
                "'; expected " + wanted);
  };
  if (!has_form(row->form, value)) return refuse(readable(row->form));
  const bool any = row->fixed.empty() && (!row->fallback.empty() || row->is_own());
  if (any || is_word(row->fixed, value)) return {};
  return refuse((row->fixed.empty() ? "no value" : readable(row->fixed)) + ": " +
                std::string(row->meaning));
}

Attributes all_attributes(const LoadBalancer& load_balancer) {
  return with_defaults(kLb, load_balancer.type, load_balancer.attributes);
}

Attributes all_attributes(const Config& config, const LoadBalancer& owner,
                          const Listener& listener) {
  Attributes out = with_defaults(kLs, owner.type, listener.attributes);
  const auto idle = out.find(kTcpIdleTimeout);
  if (idle == out.end()) return out;
  if (listener.protocol == Protocol::kUdp)
    out.erase(idle);
  else
    idle->second = std::to_string(idle_timeout_s(config));  // all share one
  return out;
}

Attributes all_attributes(const TargetGroup& group) {
  return with_defaults(kTg, balancer_type(group.protocol), group.attributes);
}

LoadBalancerType balancer_type(Protocol group_protocol) {
  if (group_protocol == Protocol::kGeneve) return LoadBalancerType::kGateway;
  return group_protocol == Protocol::kHttp ? LoadBalancerType::kApplication
                                           : LoadBalancerType::kNetwork;
}

tunnels::FlowHashForm stickiness_of(const TargetGroup& group) {
  const auto value = [&](std::string_view name) {
    return value_of(kTg, balancer_type(group.protocol), group.attributes, name);
  };
  if (group.protocol != Protocol::kGeneve || value("stickiness.enabled") != "true")
    return tunnels::kFlowHash5Tuple;
  return value("stickiness.type") == "source_ip_dest_ip" ? tunnels::kFlowHash2Tuple
                                                         : tunnels::kFlowHash3Tuple;
}

uint8_t profile_of(const TargetGroup& group) {
  const auto at = group.attributes.find(kProfile);
  for (uint8_t i = 0; at != group.attributes.end() && i < tunnels::kProfiles; i++)
    if (tunnels::profile_name(i) == at->second) return i;
  return tunnels::kProfileAws;
}

uint64_t deregistration_delay_ms(const TargetGroup& group) {
  return 1000 * number(value_of(kTg, balancer_type(group.protocol), group.attributes,
                                "deregistration_delay.timeout_seconds"))
                    .value_or(300);
}

FailoverPolicy failover_of(const TargetGroup& group) {
  if (group.protocol != Protocol::kGeneve) return {};
  const auto is = [&](std::string_view name, std::string_view value) {
    return value_of(kTg, LoadBalancerType::kGateway, group.attributes, name) == value;
  };
  FailoverPolicy out;
  out.rebalances = is("target_failover.on_unhealthy", "rebalance");
  out.resets_unhealthy = is("send_tcp_reset.on_unhealthy.enabled", "true");
  out.resets_deregistered = is("send_tcp_reset.on_deregistration.enabled", "true");
  if (is("sluice.all_unhealthy", "fail_closed")) out.all_unhealthy = AllUnhealthy::kFailClosed;
  if (is("sluice.all_unhealthy", "bypass")) out.all_unhealthy = AllUnhealthy::kBypass;
  return out;
}

std::optional<TunnelCheck> tunnel_check_of(const TargetGroup& group) {
  if (group.protocol != Protocol::kGeneve) return {};
  const auto value = [&](std::string_view name) {
    return number(value_of(kTg, LoadBalancerType::kGateway, group.attributes, name));
  };
  const auto interval = value("sluice.health_check.tunnel.interval_ms");
  if (!interval) return {};  // off
  return TunnelCheck{
      static_cast<uint32_t>(*interval),
      static_cast<uint8_t>(value("sluice.health_check.tunnel.unhealthy_threshold").value_or(3))};
}

bool resets_when_idle(const Listener& listener) {
  return value_of(kLs, LoadBalancerType::kGateway, listener.attributes,
                  "send_tcp_reset.on_idle_timeout.enabled") == "true";
}

bool drops_unknown_tcp(const Listener& listener) {
  const std::string_view value =
      value_of(kLs, LoadBalancerType::kGateway, listener.attributes, "sluice.unknown_tcp_flow");
  return value == "drop" || (value == "auto" && resets_when_idle(listener));
}

uint32_t new_flows_per_second(const Listener& listener) {
  return static_cast<uint32_t>(number(value_of(kLs, LoadBalancerType::kGateway, listener.attributes,
                                               "sluice.new_flows_per_second"))
                                   .value_or(0));
}

bool crosses_zones(const LoadBalancer& owner, const TargetGroup& group) {
  constexpr std::string_view kName = "load_balancing.cross_zone.enabled";
  const std::string_view own = owner.type == LoadBalancerType::kNetwork
                                   ? value_of(kTg, owner.type, group.attributes, kName)
                                   : std::string_view("use_load_balancer_configuration");
  if (own != "use_load_balancer_configuration") return own == "true";
  return value_of(kLb, owner.type, owner.attributes, kName) == "true";
}

bool deletion_protected(const LoadBalancer& load_balancer) {
  return value_of(kLb, load_balancer.type, load_balancer.attributes,
                  "deletion_protection.enabled") == "true";
}

uint64_t number_attribute(const LoadBalancer& load_balancer, std::string_view name) {
  return number(value_of(kLb, load_balancer.type, load_balancer.attributes, name)).value_or(0);
}

uint32_t idle_timeout_s(const Config& config) {
  for (const LoadBalancer& lb : config.load_balancers)
    for (const Listener& listener : lb.listeners) {
      const auto at = listener.attributes.find(kTcpIdleTimeout);
      if (at != listener.attributes.end())
        return static_cast<uint32_t>(number(at->second).value_or(kIdleTimeoutS));
    }
  return kIdleTimeoutS;
}

}  // namespace sluice::gateway
