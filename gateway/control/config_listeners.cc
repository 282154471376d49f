// SPDX-License-Identifier: Apache-2.0
// The section `load_balancers`.
#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

constexpr size_t kNameMax = 32;
constexpr size_t kListenersPerLoadBalancerMax = 50;
constexpr size_t kConditionValueLengthMax = 128;
constexpr uint32_t kPriorityMax = 50'000;
constexpr std::string_view kNotHere = "exists in ELBv2, but not in this gateway";

}  // namespace

void ConfigReader::read_load_balancer(const YamlNode& node) {
  YamlMap map(node, errors_);
  LoadBalancer load_balancer;
  read_name(map, kNameMax, load_balancer_names_, load_balancer.name);
  const YamlNode* type = map.require("type");
  const bool known =
      map.read_choice("type", load_balancer.type, {"gateway", "network", "application"});
  map.refuse({"scheme", "subnets", "subnet_mappings", "security_groups", "ip_address_type",
              "attributes", "tags"},
             kNotHere);
  const YamlNode* listeners = map.require("listeners");
  // Without a type nothing about a listener can be judged.
  if (type != nullptr && known && listeners != nullptr) {
    each_yaml(*listeners, errors_, kListenersPerLoadBalancerMax,
              [&](const YamlNode& n) { read_listener(n, load_balancer); });
    if (load_balancer.type == LoadBalancerType::kGateway &&
        listeners->kind == YamlNode::Kind::kSequence && listeners->children.size() != 1)
      errors_.add(*listeners, "a gateway load balancer has exactly one listener");
  }
  map.finish();
  config_.load_balancers.push_back(std::move(load_balancer));
}

void ConfigReader::read_listener(const YamlNode& node, LoadBalancer& owner) {
  YamlMap map(node, errors_);
  Listener listener;
  if (owner.type == LoadBalancerType::kGateway) {
    map.refuse({"protocol", "address", "port"},
               "cannot be set: the listener of a gateway load balancer takes every packet");
    if (map.read_integer("tcp.idle_timeout.seconds", listener.idle_timeout_s, 60, 6000))
      idle_timeouts_.emplace_back(node.find("tcp.idle_timeout.seconds"), listener.idle_timeout_s);
  } else {
    read_frontend(map, owner.type, listener);
    map.refuse({"tcp.idle_timeout.seconds"}, "is an attribute of a gateway's listener");
  }
  read_actions(map.require("default_actions"), owner.type, listener, listener.default_action);
  if (owner.type == LoadBalancerType::kApplication)
    map.each("rules", kRulesMax, [&](const YamlNode& n) { read_rule(n, owner, listener); });
  else
    map.refuse({"rules"}, "are for application load balancers");
  map.refuse({"certificates", "ssl_policy", "alpn_policy", "mutual_authentication", "attributes",
              "tags", "send_tcp_reset.on_idle_timeout.enabled"},
             kNotHere);
  map.finish();
  owner.listeners.push_back(std::move(listener));
}

// Protocol, address and port of a network or application load balancer's listener.
void ConfigReader::read_frontend(YamlMap& map, LoadBalancerType type, Listener& listener) {
  const bool network = type == LoadBalancerType::kNetwork;
  std::string protocol;
  const YamlNode* node = map.require("protocol");
  if (node != nullptr && read_yaml(*node, errors_, protocol)) {
    if (network && protocol == "TCP") {
      listener.protocol = Protocol::kTcp;
    } else if (network && protocol == "UDP") {
      listener.protocol = Protocol::kUdp;
    } else if (!network && protocol == "HTTP") {
      listener.protocol = Protocol::kHttp;
    } else {
      errors_.add(*node, "a listener of " +
                             std::string(network ? "a network load balancer speaks TCP or UDP"
                                                 : "an application load balancer speaks HTTP") +
                             ", not " + protocol.substr(0, 20));
    }
  }
  const bool address = read_address(map.require("address"), listener.address);
  const bool port = map.require_integer("port", listener.port, 1, 65535);
  if (!address || !port || listener.protocol == Protocol::kGeneve) return;
  // HTTP is TCP on the wire.
  const std::string place = std::string(listener.protocol == Protocol::kUdp ? "UDP " : "TCP ") +
                            listener.address.text() + " port " + std::to_string(listener.port);
  if (!frontends_.emplace(place, "").second)
    errors_.add(map.node(), "another listener has " + place);
}

void ConfigReader::read_rule(const YamlNode& node, const LoadBalancer& owner, Listener& listener) {
  YamlMap map(node, errors_);
  Rule rule;
  if (map.require_integer("priority", rule.priority, 1, kPriorityMax)) {
    for (const Rule& other : listener.rules)
      if (other.priority == rule.priority)
        errors_.add(*node.find("priority"), "another rule of this listener has this priority");
  }
  const YamlNode* conditions = map.require("conditions");
  if (conditions != nullptr) {
    each_yaml(*conditions, errors_, kConditionsMax,
              [&](const YamlNode& n) { read_condition(n, rule); });
    if (conditions->kind == YamlNode::Kind::kSequence && conditions->children.empty())
      errors_.add(*conditions, "a rule needs at least one condition");
  }
  read_actions(map.require("actions"), owner.type, listener, rule.action);
  map.refuse({"transforms", "tags"}, kNotHere);
  map.finish();
  listener.rules.push_back(std::move(rule));
}

void ConfigReader::read_condition(const YamlNode& node, Rule& rule) {
  YamlMap map(node, errors_);
  Condition condition;
  if (map.require("field") != nullptr)
    map.read_choice("field", condition.field, {"host-header", "path-pattern"});
  const YamlNode* values = map.require("values");
  if (values != nullptr) {
    each_yaml(*values, errors_, kConditionValuesMax, [&](const YamlNode& value) {
      std::string text;
      if (!read_yaml(value, errors_, text)) return;
      if (text.empty() || text.size() > kConditionValueLengthMax)
        errors_.add(value, "expected 1 to 128 characters");
      condition.values.push_back(std::move(text));
    });
    if (values->kind == YamlNode::Kind::kSequence && values->children.empty())
      errors_.add(*values, "a condition needs at least one value");
  }
  map.refuse({"host_header_config", "path_pattern_config", "http_header_config",
              "query_string_config", "source_ip_config", "regex_values"},
             kNotHere);
  map.finish();
  rule.conditions.push_back(std::move(condition));
}

void ConfigReader::read_actions(const YamlNode* node, LoadBalancerType type,
                                const Listener& listener, Action& out) {
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kSequence && node->children.size() != 1) {
    errors_.add(*node, "expected exactly one action");
    return;
  }
  each_yaml(*node, errors_, 1, [&](const YamlNode& action) {
    YamlMap map(action, errors_);
    int ignored = 0;
    if (map.require("type") != nullptr) map.read_choice("type", ignored, {"forward"});
    const YamlNode* group = map.require("target_group");
    if (group != nullptr && read_yaml(*group, errors_, out.target_group))
      group_references_.push_back(
          {group, type, listener.protocol, listener.address.version, out.target_group});
    map.refuse(
        {"target_groups", "weight", "forward_config", "redirect_config", "fixed_response_config",
         "authenticate_oidc_config", "authenticate_cognito_config", "order", "stickiness"},
        kNotHere);
    map.finish();
  });
}

}  // namespace sluice::gateway
