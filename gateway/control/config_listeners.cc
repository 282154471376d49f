// SPDX-License-Identifier: Apache-2.0
// The section `load_balancers`.
#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kPriorityMax = 50'000;
constexpr std::string_view kNotHere = "exists in ELBv2, but not in this gateway";

}  // namespace

void ConfigReader::read_load_balancer(const YamlNode& node) {
  YamlMap map(node, errors_);
  LoadBalancer load_balancer;
  map.require_string("name", load_balancer.name);
  const YamlNode* type = map.require("type");
  const bool known =
      map.read_choice("type", load_balancer.type, {"gateway", "network", "application"});
  read_words(map.find("attributes"), load_balancer.attributes);
  map.read_choice("scheme", load_balancer.scheme, {"internal", "internet-facing"});
  map.each("subnet_mappings", kSubnetMappingsMax,
           [&](const YamlNode& n) { read_subnet_mapping(n, load_balancer); });
  map.each("security_groups", kSecurityGroupsMax, [&](const YamlNode& n) {
    read_yaml(n, errors_, load_balancer.security_groups.emplace_back());
  });
  map.refuse({"subnets", "ip_address_type"}, "is not a key here; subnet_mappings says both");
  read_origin(map, load_balancer);
  const YamlNode* listeners = map.require("listeners");
  // Without a type nothing about a listener can be judged.
  if (type != nullptr && known && listeners != nullptr)
    each_yaml(*listeners, errors_, kListenersPerLoadBalancerMax,
              [&](const YamlNode& n) { read_listener(n, load_balancer); });
  map.finish();
  config_.load_balancers.push_back(std::move(load_balancer));
}

void ConfigReader::read_subnet_mapping(const YamlNode& node, LoadBalancer& out) {
  YamlMap map(node, errors_);
  SubnetMapping mapping;
  map.require_string("subnet", mapping.subnet);
  read_address(map.find("address"), mapping.address);
  map.finish();
  out.subnet_mappings.push_back(std::move(mapping));
}

void ConfigReader::read_listener(const YamlNode& node, LoadBalancer& owner) {
  YamlMap map(node, errors_);
  Listener listener;
  if (owner.type == LoadBalancerType::kGateway) {
    map.refuse({"protocol", "address", "port"},
               "cannot be set: the listener of a gateway load balancer takes every packet");
  } else {
    read_frontend(map, owner.type, listener);
  }
  read_words(map.find("attributes"), listener.attributes);
  read_resource(map, listener);
  // The one attribute with a key of its own.
  if (uint32_t seconds = 0; map.read_integer("tcp.idle_timeout.seconds", seconds, 60, 6000))
    listener.attributes["tcp.idle_timeout.seconds"] = std::to_string(seconds);
  read_actions(map.require("default_actions"), listener.default_action);
  map.each("rules", kRulesMax, [&](const YamlNode& n) { read_rule(n, listener); });
  map.refuse({"certificates", "ssl_policy", "alpn_policy", "mutual_authentication"}, kNotHere);
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
  read_address(map.find("address"), listener.address);
  map.require_integer("port", listener.port, 1, 65535);
}

void ConfigReader::read_rule(const YamlNode& node, Listener& listener) {
  YamlMap map(node, errors_);
  Rule rule;
  map.require_integer("priority", rule.priority, 1, kPriorityMax);
  if (const YamlNode* conditions = map.require("conditions"))
    each_yaml(*conditions, errors_, kConditionsMax,
              [&](const YamlNode& n) { read_condition(n, rule); });
  read_actions(map.require("actions"), rule.action);
  read_resource(map, rule);
  map.refuse({"transforms"}, kNotHere);
  map.finish();
  listener.rules.push_back(std::move(rule));
}

void ConfigReader::read_condition(const YamlNode& node, Rule& rule) {
  YamlMap map(node, errors_);
  Condition condition;
  if (map.require("field") != nullptr)
    map.read_choice("field", condition.field, {"host-header", "path-pattern"});
  if (const YamlNode* values = map.require("values"))
    each_yaml(*values, errors_, kConditionValuesMax, [&](const YamlNode& value) {
      read_yaml(value, errors_, condition.values.emplace_back());
    });
  map.refuse({"host_header_config", "path_pattern_config", "http_header_config",
              "query_string_config", "source_ip_config", "regex_values"},
             kNotHere);
  map.finish();
  rule.conditions.push_back(std::move(condition));
}

void ConfigReader::read_actions(const YamlNode* node, Action& out) {
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kSequence && node->children.size() != 1) {
    errors_.add(*node, "expected exactly one action");
    return;
  }
  each_yaml(*node, errors_, 1, [&](const YamlNode& action) {
    YamlMap map(action, errors_);
    int ignored = 0;
    if (map.require("type") != nullptr) map.read_choice("type", ignored, {"forward"});
    map.require_string("target_group", out.target_group);
    map.refuse(
        {"target_groups", "weight", "forward_config", "redirect_config", "fixed_response_config",
         "authenticate_oidc_config", "authenticate_cognito_config", "order", "stickiness"},
        kNotHere);
    map.finish();
  });
}

}  // namespace sluice::gateway
