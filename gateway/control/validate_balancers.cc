// SPDX-License-Identifier: Apache-2.0
// Load balancers, listeners, rules and target groups.
#include <algorithm>

#include "gateway/control/discover.h"
#include "gateway/control/validator.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {
namespace {

constexpr uint16_t kGenevePortNumber = 6081;
constexpr uint32_t kPriorityMax = 50'000;

}  // namespace

bool is_interface_name(std::string_view name) {
  constexpr size_t kLengthMax = 15;  // IFNAMSIZ - 1
  const bool printable =
      std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127 && c != '/' && c != ':'; });
  return printable && !name.empty() && name.size() <= kLengthMax && name != "." && name != "..";
}

void Validator::check_target_group(const Path& path, const TargetGroup& group) {
  const bool appliance = group.protocol == Protocol::kGeneve;
  if (appliance && group.port != kGenevePortNumber && !is_broken(path, ".protocol"))
    say(path + ".port", "a GENEVE target group has port 6081");
  if (group.port == 0) say(path + ".port", "a target group needs a port");
  if (appliance && group.ip_version == 6 && !is_set(config_.gateway.tunnel_address6))
    say(path + ".ip_address_type", std::string(kNoTunnelOverIpv6));
  if (!group.vpc.empty() && config_.network.vpcs.find(group.vpc) == nullptr)
    say(path + ".vpc_id", "there is no VPC '" + group.vpc + "' in network.vpcs");
  check_health_check(path.at("health_check"), group);
  check_attributes(path, AttributeScope::kTargetGroup, balancer_type(group.protocol),
                   group.attributes);
  if (const auto conflict = discover_conflict(group))
    say(path + ".attributes." + std::string(conflict->attribute), conflict->what);
  check_failover(path, group);
  check_weights(path, group);
  check_tags(path, group.tags);
  if (group.targets.size() > kTargetsPerGroupMax)
    return say(path + ".targets", std::to_string(group.targets.size()) + " elements; at most " +
                                      std::to_string(kTargetsPerGroupMax) + " are possible");
  std::set<Target> seen;
  for (size_t i = 0; i < group.targets.size(); i++) {
    check_target(path.at("targets", i), group, group.targets[i]);
    if (!seen.insert(group.targets[i]).second)
      say(path.at("targets", i) + ".id", "this target is in the group already");
  }
}

// What ELBv2 demands of these attributes together.
void Validator::check_failover(const Path& path, const TargetGroup& group) {
  if (group.protocol != Protocol::kGeneve) return;
  const Attributes all = all_attributes(group);
  const auto value = [&](const char* name) -> const std::string& { return all.find(name)->second; };
  if (value("target_failover.on_deregistration") != value("target_failover.on_unhealthy"))
    say(path + ".attributes.target_failover.on_unhealthy",
        "target_failover.on_deregistration and target_failover.on_unhealthy must be equal");
  for (const char* name :
       {"send_tcp_reset.on_unhealthy.enabled", "send_tcp_reset.on_deregistration.enabled"})
    if (value(name) == "true" && stickiness_of(group) != tunnels::kFlowHash5Tuple)
      say(path + ".attributes." + name,
          "needs 5-tuple stickiness: stickiness.enabled must be false");
}

void Validator::check_weights(const Path& path, const TargetGroup& group) {
  const bool appliances = group.protocol == Protocol::kGeneve;
  if (appliances && !is_followed(group)) return;
  const char* what = appliances ? "targets that are found have no weights"
                                : "only targets of GENEVE groups have weights";
  for (size_t i = 0; i < group.targets.size(); i++)
    if (weight_of(group, group.targets[i]) != 1) say(path.at("targets", i) + ".weight", what);
}

void Validator::check_health_check(const Path& path, const TargetGroup& group) {
  const HealthCheck& check = group.health_check;
  const auto range = [&](const char* key, uint16_t value, uint16_t least, uint16_t most) {
    if (value < least || value > most)
      say(path + key, std::to_string(value) + " is not between " + std::to_string(least) + " and " +
                          std::to_string(most));
  };
  range(".interval_seconds", check.interval_s, 1, 300);
  range(".timeout_seconds", check.timeout_s, 1, 120);
  range(".healthy_threshold_count", check.healthy_threshold, 2, 10);
  range(".unhealthy_threshold_count", check.unhealthy_threshold, 2, 10);
  if (check.timeout_s > check.interval_s && !is_broken(path, ".interval_seconds"))
    say(path + ".timeout_seconds", "longer than interval_seconds");
  if (is_broken(path, ".protocol")) return;
  for (const auto& result : {check_health_path(check), check_health_matcher(check, group.protocol)})
    if (!result) say(path + "." + result.error().where, result.error().what);
}

void Validator::check_target(const Path& path, const TargetGroup& group, const Target& target) {
  if (const auto good = check_found(config_.gateway, group, target); !good)
    return say(path + "." + good.error().where, good.error().what);
  if (group.target_type == TargetType::kInstance && !is_instance(target.address))
    say(path + ".id", target.address.text() + " is no address of network.instances");
}

void Validator::check_load_balancer(const Path& path, const LoadBalancer& lb) {
  check_attributes(path, AttributeScope::kLoadBalancer, lb.type, lb.attributes);
  check_subnet_mappings(path, lb);
  check_tags(path, lb.tags);
  const size_t most = lb.type == LoadBalancerType::kGateway ? 1 : kListenersPerLoadBalancerMax;
  if (lb.listeners.size() > most)
    return say(path + ".listeners",
               lb.type == LoadBalancerType::kGateway
                   ? "a gateway load balancer has one listener"
                   : "at most " + std::to_string(most) + " listeners are possible");
  size_t rules = 0;
  for (size_t i = 0; i < lb.listeners.size(); i++) {
    rules += lb.listeners[i].rules.size();
    check_listener(path.at("listeners", i), lb, lb.listeners[i]);
  }
  if (rules > kRulesMax)
    say(path.text(),
        std::to_string(rules) + " rules; a load balancer has at most " + std::to_string(kRulesMax));
}

void Validator::check_listener(const Path& path, const LoadBalancer& lb, const Listener& listener) {
  check_attributes(path, AttributeScope::kListener, lb.type, listener.attributes);
  check_tags(path, listener.tags);
  check_rules(path, lb, listener);
}

void Validator::check_place(const Path& path, const LoadBalancer& lb, const Listener& listener,
                            bool known) {
  if (!same_balancers_) {
    check_idle_timeout(path, listener);
    if (lb.type != LoadBalancerType::kGateway) check_frontend(path, lb, listener);
  }
  const auto same_group = [&](const WeightedGroup& group) {
    const TargetGroup* now = config_.target_group(group.target_group);
    return now != nullptr && now == before_.target_group(group.target_group);
  };
  const auto check = [&](const Path& where, const Action& action) {
    if (!known || !std::ranges::all_of(groups_of(action), same_group))
      check_action(where, path, lb, listener, action);
  };
  check(path.at("default_actions", 0), listener.default_action);
  if (lb.type != LoadBalancerType::kApplication) return;
  for (size_t i = 0; i < listener.rules.size(); i++) {
    const Path rule = path.at("rules", i);
    check(rule.at("actions", 0), listener.rules[i].action);
  }
}

// Protocol, address and port; and no two listeners in one place.
void Validator::check_frontend(const Path& path, const LoadBalancer& lb, const Listener& listener) {
  const bool network = lb.type == LoadBalancerType::kNetwork;
  const bool speaks =
      network ? listener.protocol == Protocol::kTcp || listener.protocol == Protocol::kUdp
              : listener.protocol == Protocol::kHttp;
  if (!speaks)
    return say(path + ".protocol", network
                                       ? "a listener of a network load balancer speaks TCP or UDP"
                                       : "a listener of an application load balancer speaks HTTP");
  if (listener.port == 0) return say(path + ".port", "a listener needs a port");
  const auto addresses = addresses_of(lb, listener);
  if (addresses.empty())
    return say(path.text(),
               "'address' is missing, and no subnet mapping of the load balancer has one");
  for (const IpAddress& address : addresses) {
    if (!is_host_address(address)) {
      say(path + ".address", address.text() + " is no address of a single host on a network");
      continue;
    }
    const bool udp = listener.protocol == Protocol::kUdp;  // HTTP is TCP on the wire
    if (!frontends_.insert({udp, listener.port, address}).second)
      say(path.text(), std::string("another listener has ") + (udp ? "UDP " : "TCP ") +
                           address.text() + " port " + std::to_string(listener.port));
  }
}

void Validator::check_rules(const Path& path, const LoadBalancer& lb, const Listener& listener) {
  if (!listener.rules.empty() && lb.type != LoadBalancerType::kApplication)
    return say(path + ".rules", "rules are for application load balancers");
  std::set<uint32_t> priorities;
  for (size_t i = 0; i < listener.rules.size(); i++) {
    const Rule& rule = listener.rules[i];
    const Path rule_path = path.at("rules", i);
    if (rule.priority < 1 || rule.priority > kPriorityMax)
      say(rule_path + ".priority", "a priority is between 1 and 50000");
    if (!priorities.insert(rule.priority).second)
      say(rule_path + ".priority", "another rule of this listener has this priority");
    check_conditions(rule_path, rule);
    check_tags(rule_path, rule.tags);
  }
}

void Validator::check_conditions(const Path& path, const Rule& rule) {
  if (rule.conditions.empty() || rule.conditions.size() > kConditionsMax)
    say(path + ".conditions", rule.conditions.empty() ? "a rule needs at least one condition"
                                                      : "a rule has at most 5 conditions");
  std::set<ConditionField> once;
  for (size_t i = 0; i < rule.conditions.size(); i++) {
    const Condition& condition = rule.conditions[i];
    const Path where = path.at("conditions", i);
    if (auto good = check_condition(condition); !good)
      say(where + "." + good.error().where, good.error().what);
    const bool many = condition.field == ConditionField::kHttpHeader ||
                      condition.field == ConditionField::kQueryString;
    if (!many && !once.insert(condition.field).second)
      say(where + ".field", "a rule has at most one condition on " +
                                std::string(condition_field_name(condition.field)));
  }
}

// Forwards to groups of the listener's protocol, or answers by itself.
void Validator::check_action(const Path& path, const Path& listener_path, const LoadBalancer& lb,
                             const Listener& listener, const Action& action) {
  if (is_broken(path, ".type")) return;
  if (lb.type != LoadBalancerType::kApplication && !action.is_forward())
    return say(path.text(), "only an application load balancer has redirects and fixed responses");
  if (lb.type == LoadBalancerType::kNetwork && !action.weighted.empty())
    return say(path.text(), "a network load balancer has no weights");
  const auto tell = [&](const Result<>& good) {
    if (!good) say(path + "." + good.error().where, good.error().what);
  };
  if (action.redirect) return tell(check_redirect(*action.redirect));
  if (action.fixed_response) return tell(check_fixed_response(*action.fixed_response));
  check_groups(path, action, [&](const Path& where, const std::string& group) {
    check_forward(where, listener_path, lb, listener, group);
  });
}

void Validator::check_groups(const Path& path, const Action& action, const CheckGroup& check) {
  if (action.weighted.empty()) return check(path, action.target_group);
  const std::string list = path + ".target_groups";
  if (action.weighted.size() > kWeightedGroupsMax) return say(list, "at most 5 are possible");
  std::set<std::string_view> seen;
  uint32_t sum = 0;
  for (size_t i = 0; i < action.weighted.size(); i++) {
    const WeightedGroup& group = action.weighted[i];
    const Path where = path.at("target_groups", i);
    sum += group.weight;
    if (group.weight > kWeightMax) say(where + ".weight", "a weight is between 0 and 999");
    if (!seen.insert(group.target_group).second)
      say(where + ".target_group", "'" + group.target_group + "' is there twice");
    check(where, group.target_group);
  }
  if (sum == 0) say(list, "at least one needs a weight above 0");
}

const TargetGroup* Validator::check_group_reference(const std::string& path,
                                                    const std::string& name, Protocol wanted) {
  const TargetGroup* group = config_.target_group(name);
  if (group == nullptr) {
    std::vector<std::string_view> names;
    for (const TargetGroup& known : config_.target_groups) names.push_back(known.name);
    say(path, "there is no target group '" + name + "'" + tunnels::did_you_mean(name, names));
    return nullptr;
  }
  // Only what is whole can contradict.
  if (is_broken(Path("target_groups", config_.target_groups.place_of(name)))) return nullptr;
  if (group->protocol == wanted) return group;
  say(path, "target group '" + name + "' has protocol " +
                std::string(protocol_name(group->protocol)) + "; this listener needs " +
                std::string(protocol_name(wanted)));
  return nullptr;
}

void Validator::check_forward(const Path& path, const Path& listener_path, const LoadBalancer& lb,
                              const Listener& listener, const std::string& name) {
  const bool whole = !is_broken(listener_path, ".protocol");
  const TargetGroup* known = config_.target_group(name);
  const Protocol wanted = whole || known == nullptr ? listener.protocol : known->protocol;
  const std::string where = path + ".target_group";
  const TargetGroup* group = check_group_reference(where, name, wanted);
  if (group == nullptr || lb.type != LoadBalancerType::kNetwork ||
      is_broken(listener_path, ".address"))
    return;
  for (const IpAddress& address : addresses_of(lb, listener))
    for (const Target& target : group->targets)
      if (target.address.version != address.version)
        return say(where, "target " + target.address.text() + " of group '" + group->name +
                              "' is not of the IP version of the listener's address");
}

// The data path has one idle timeout for TCP.
void Validator::check_idle_timeout(const Path& path, const Listener& listener) {
  const auto set = listener.attributes.find(kTcpIdleTimeout);
  if (set == listener.attributes.end()) return;
  const std::string where = path + ".attributes." + kTcpIdleTimeout;
  if (listener.protocol == Protocol::kUdp)
    say(where, "a UDP listener has no TCP flows");
  else if (idle_timeout_.empty())
    idle_timeout_ = set->second;
  else if (idle_timeout_ != set->second)
    say(where, "differs from that of another listener; they share one");
}

}  // namespace sluice::gateway
