// SPDX-License-Identifier: Apache-2.0
// The section `load_balancers`.
#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

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

}  // namespace sluice::gateway
