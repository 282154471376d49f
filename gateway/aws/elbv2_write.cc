// SPDX-License-Identifier: Apache-2.0
// The objects of the model in the form in which ELBv2 tells them.
#include <map>

#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/control/controller.h"

namespace sluice::gateway::elbv2 {
namespace {

// Clients show it as the way in; here it is the first address, which needs no name server.
std::string entry_address(const LoadBalancer& balancer) {
  for (const Listener& listener : balancer.listeners)
    for (const IpAddress& address : addresses_of(balancer, listener)) return address.text();
  for (const SubnetMapping& mapping : balancer.subnet_mappings)
    if (is_set(mapping.address)) return mapping.address.text();
  return {};
}

void write_zones(pugi::xml_node member, const Config& config, const LoadBalancer& balancer) {
  auto zones = add(member, "AvailabilityZones");
  for (const SubnetMapping& mapping : balancer.subnet_mappings) {
    auto zone = add(zones, "member");
    const Subnet* subnet = find_subnet(config, mapping.subnet);
    if (subnet != nullptr) add(zone, "ZoneName", subnet->zone);
    add(zone, "SubnetId", mapping.subnet);
    auto addresses = add(zone, "LoadBalancerAddresses");
    if (is_set(mapping.address) && balancer.type == LoadBalancerType::kNetwork)
      add(add(addresses, "member"), "PrivateIPv4Address", mapping.address.text());
  }
}

void write_state(pugi::xml_node member, const Call& call, const LoadBalancer& balancer) {
  auto state = add(member, "State");
  if (balancer.type != LoadBalancerType::kApplication) {
    add(state, "Code", "active");
    return;
  }
  const BalancerState now = state_of(call.plane.controller().applications(), balancer);
  add(state, "Code", now.code);
  if (!now.reason.empty()) add(state, "Reason", now.reason);
}

void write_forward(pugi::xml_node member, const Call& call, const Action& action) {
  const auto groups = groups_of(action);
  const auto arn = [&](const std::string& name) {
    const TargetGroup* group = call.config().target_group(name);
    return group == nullptr ? std::string() : arn_of(call.place, *group);
  };
  if (groups.size() == 1) add(member, "TargetGroupArn", arn(groups[0].target_group));
  auto forward = add(member, "ForwardConfig");
  auto list = add(forward, "TargetGroups");
  for (const WeightedGroup& group : groups) {
    auto entry = add(list, "member");
    add(entry, "TargetGroupArn", arn(group.target_group));
    add_number(entry, "Weight", group.weight);
  }
  add(add(forward, "TargetGroupStickinessConfig"), "Enabled", false);
}

void write_action(pugi::xml_node list, const Call& call, const Action& action) {
  auto member = add(list, "member");
  if (action.redirect) {
    add(member, "Type", "redirect");
    auto config = add(member, "RedirectConfig");
    add(config, "Protocol", action.redirect->protocol);
    add(config, "Port", action.redirect->port);
    add(config, "Host", action.redirect->host);
    add(config, "Path", action.redirect->path);
    add(config, "Query", action.redirect->query);
    add(config, "StatusCode", "HTTP_" + std::to_string(action.redirect->status));
  } else if (action.fixed_response) {
    add(member, "Type", "fixed-response");
    auto config = add(member, "FixedResponseConfig");
    add(config, "MessageBody", action.fixed_response->body);
    add(config, "StatusCode", std::to_string(action.fixed_response->status));
    const std::string& type = action.fixed_response->content_type;
    add(config, "ContentType", type.empty() ? "text/plain" : type);
  } else {
    add(member, "Type", "forward");
    write_forward(member, call, action);
  }
}

void write_values(pugi::xml_node config, const Condition& condition) {
  auto list = add(config, "Values");
  for (const std::string& value : condition.values) add(list, "member", value);
  for (const QueryPair& pair : condition.pairs) {
    auto entry = add(list, "member");
    if (!pair.key.empty()) add(entry, "Key", pair.key);
    add(entry, "Value", pair.value);
  }
}

void write_conditions(pugi::xml_node member, const Rule& rule) {
  constexpr const char* kConfigs[] = {"HostHeaderConfig",  "PathPatternConfig",
                                      "HttpHeaderConfig",  "HttpRequestMethodConfig",
                                      "QueryStringConfig", "SourceIpConfig"};
  auto list = add(member, "Conditions");
  for (const Condition& condition : rule.conditions) {
    auto entry = add(list, "member");
    add(entry, "Field", std::string(condition_field_name(condition.field)));
    // The first two kinds are told in the old form as well.
    if (condition.field == ConditionField::kHostHeader ||
        condition.field == ConditionField::kPathPattern)
      write_values(entry, condition);
    auto config = add(entry, kConfigs[static_cast<int>(condition.field)]);
    if (!condition.header.empty()) add(config, "HttpHeaderName", condition.header);
    write_values(config, condition);
  }
}

// The load balancers whose listeners forward to a group, in their order.
using Users = std::map<std::string, std::vector<const LoadBalancer*>>;

Users users_of_groups(const Config& config) {
  Users users;
  for (const LoadBalancer& balancer : config.load_balancers) {
    const auto note = [&](const Action& action) {
      for (const WeightedGroup& group : groups_of(action)) {
        auto& list = users[group.target_group];
        if (list.empty() || list.back() != &balancer) list.push_back(&balancer);
      }
    };
    for (const Listener& listener : balancer.listeners) {
      note(listener.default_action);
      for (const Rule& rule : listener.rules) note(rule.action);
    }
  }
  return users;
}

void write_group(pugi::xml_node list, const Call& call, const TargetGroup& group,
                 const Users& users) {
  const HealthCheck& check = group.health_check;
  auto member = add(list, "member");
  add(member, "TargetGroupArn", arn_of(call.place, group));
  add(member, "TargetGroupName", group.name);
  add(member, "Protocol", std::string(protocol_name(group.protocol)));
  if (group.protocol == Protocol::kHttp) add(member, "ProtocolVersion", "HTTP1");
  add_number(member, "Port", group.port);
  if (!group.vpc.empty()) add(member, "VpcId", group.vpc);
  add(member, "HealthCheckProtocol", std::string(health_protocol_name(check.protocol)));
  add(member, "HealthCheckPort",
      check.port == 0 ? std::string("traffic-port") : std::to_string(check.port));
  add(member, "HealthCheckEnabled", check.enabled);
  add_number(member, "HealthCheckIntervalSeconds", check.interval_s);
  add_number(member, "HealthCheckTimeoutSeconds", check.timeout_s);
  add_number(member, "HealthyThresholdCount", check.healthy_threshold);
  add_number(member, "UnhealthyThresholdCount", check.unhealthy_threshold);
  if (!check.path.empty()) add(member, "HealthCheckPath", check.path);
  if (!check.matcher.empty())
    add(add(member, "Matcher"), check.protocol == HealthProtocol::kGrpc ? "GrpcCode" : "HttpCode",
        check.matcher);
  auto arns = add(member, "LoadBalancerArns");
  if (const auto at = users.find(group.name); at != users.end())
    for (const LoadBalancer* balancer : at->second)
      add(arns, "member", arn_of(call.place, *balancer));
  add(member, "TargetType", group.target_type == TargetType::kIp ? "ip" : "instance");
  add(member, "IpAddressType", group.ip_version == 6 ? "ipv6" : "ipv4");
}

}  // namespace

void write(pugi::xml_node list, const Call& call, const LoadBalancer& balancer) {
  const bool gateway = balancer.type == LoadBalancerType::kGateway;
  auto member = add(list, "member");
  add(member, "LoadBalancerArn", arn_of(call.place, balancer));
  add(member, "LoadBalancerName", balancer.name);
  add(member, "Type", std::string(type_name(balancer.type)));
  if (!gateway) {
    add(member, "DNSName", entry_address(balancer));
    add(member, "Scheme", balancer.scheme == Scheme::kInternal ? "internal" : "internet-facing");
  }
  add(member, "CreatedTime", iso_time(balancer.created_ms));
  const std::string vpc = vpc_of(call.config(), balancer);
  if (!vpc.empty()) add(member, "VpcId", vpc);
  write_state(member, call, balancer);
  write_zones(member, call.config(), balancer);
  auto groups = add(member, "SecurityGroups");
  for (const std::string& id : balancer.security_groups) add(groups, "member", id);
  add(member, "IpAddressType", "ipv4");
}

void write(pugi::xml_node list, const Call& call, const TargetGroup& group) {
  write(list, call, std::vector{&group});
}

void write(pugi::xml_node list, const Call& call, const std::vector<const TargetGroup*>& groups) {
  const Users users = users_of_groups(call.config());
  for (const TargetGroup* group : groups) write_group(list, call, *group, users);
}

void write(pugi::xml_node list, const Call& call, const ListenerRef& ref) {
  auto member = add(list, "member");
  add(member, "ListenerArn", arn_of(call.place, *ref.balancer, *ref.listener));
  add(member, "LoadBalancerArn", arn_of(call.place, *ref.balancer));
  if (ref.balancer->type != LoadBalancerType::kGateway) {
    add_number(member, "Port", ref.listener->port);
    add(member, "Protocol", std::string(protocol_name(ref.listener->protocol)));
  }
  write_action(add(member, "DefaultActions"), call, ref.listener->default_action);
}

void write(pugi::xml_node list, const Call& call, const RuleRef& ref) {
  auto member = add(list, "member");
  if (ref.rule == nullptr) {
    add(member, "RuleArn", default_rule_arn(call.place, *ref.balancer, *ref.listener));
    add(member, "Priority", "default");
    add(member, "Conditions");
    write_action(add(member, "Actions"), call, ref.listener->default_action);
    add(member, "IsDefault", true);
    return;
  }
  add(member, "RuleArn", arn_of(call.place, *ref.balancer, *ref.listener, *ref.rule));
  add(member, "Priority", std::to_string(ref.rule->priority));
  write_conditions(member, *ref.rule);
  write_action(add(member, "Actions"), call, ref.rule->action);
  add(member, "IsDefault", false);
}

}  // namespace sluice::gateway::elbv2
