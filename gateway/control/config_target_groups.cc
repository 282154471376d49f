// SPDX-License-Identifier: Apache-2.0
// The section `target_groups`.
#include <algorithm>

#include "gateway/control/attributes.h"
#include "gateway/control/config_reader.h"
#include "gateway/control/discover.h"

namespace sluice::gateway {
namespace {

constexpr std::string_view kNotHere = "exists in ELBv2, but not in this gateway";

}  // namespace

void ConfigReader::read_target_group(const YamlNode& node) {
  YamlMap map(node, errors_);
  TargetGroup group;
  map.require_string("name", group.name);
  if (map.require("protocol") != nullptr)
    map.read_choice("protocol", group.protocol, {"GENEVE", "TCP", "UDP", "HTTP"});
  if (group.protocol == Protocol::kGeneve) {
    map.read_integer("port", group.port, 1, 65535);
  } else {
    map.require_integer("port", group.port, 1, 65535);
  }
  if (const YamlNode* stickiness = map.find("stickiness")) read_stickiness(*stickiness, group);
  group.health_check =
      default_health_check(group.protocol, default_health_protocol(group.protocol));
  if (const YamlNode* check = map.find("health_check")) read_health_check(*check, group);
  map.each("targets", kTargetsPerGroupMax, [&](const YamlNode& n) { read_target(n, group); });
  read_words(map.find("attributes"), group.attributes);
  if (const YamlNode* profile = map.find("profile")) read_profile(*profile, group);
  if (const YamlNode* discover = map.find("discover")) read_discover(*discover, group);
  map.read_choice("target_type", group.target_type, {"ip", "instance"});
  if (int six = 0; map.read_choice("ip_address_type", six, {"ipv4", "ipv6"}))
    group.ip_version = six == 1 ? 6 : 4;
  map.read("vpc_id", group.vpc);
  map.refuse({"target_failover", "deregistration_delay", "slow_start", "load_balancing"},
             "is not a key here; attributes has it");
  map.refuse({"protocol_version"}, kNotHere);
  read_origin(map, group);
  map.finish();
  config_.target_groups.push_back(std::move(group));
}

void ConfigReader::read_stickiness(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  int type = 0;
  if (group.protocol != Protocol::kGeneve) {
    errors_.add(node, "stickiness is for GENEVE target groups here");
    map.ignore("type");
  } else if (map.require("type") != nullptr &&
             map.read_choice("type", type, {"source_ip_dest_ip", "source_ip_dest_ip_proto"})) {
    group.attributes["stickiness.enabled"] = "true";
    group.attributes["stickiness.type"] =
        type == 0 ? "source_ip_dest_ip" : "source_ip_dest_ip_proto";
  }
  map.finish();
}

// Short for an attribute.
void ConfigReader::read_profile(const YamlNode& node, TargetGroup& group) {
  std::string name;
  if (!read_yaml(node, errors_, name)) return;
  const auto good =
      check_attribute(AttributeScope::kTargetGroup, balancer_type(group.protocol), kProfile, name);
  if (group.protocol != Protocol::kGeneve)
    errors_.add(node, "profiles are for GENEVE target groups");
  else if (!good)
    errors_.add(node, good.error().what);
  else if (group.attributes.try_emplace(kProfile, name).first->second != name)
    errors_.add(node, "attributes has another sluice.profile; leave one of them out");
}

void ConfigReader::read_health_check(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  HealthCheck& check = group.health_check;
  if (map.read_choice("protocol", check.protocol, {"TCP", "HTTP", "HTTPS", "GRPC"}))
    check = default_health_check(group.protocol, check.protocol);
  map.read("enabled", check.enabled);
  const YamlNode* port = map.find("port");
  if (port != nullptr && port->scalar == "traffic-port")
    check.port = 0;
  else
    map.read_integer("port", check.port, 1, 65535);
  const bool interval = map.read_integer("interval_seconds", check.interval_s, 1, 300);
  const bool timeout = map.read_integer("timeout_seconds", check.timeout_s, 1, 120);
  if (interval && !timeout) check.timeout_s = std::min(check.timeout_s, check.interval_s);
  map.read_integer("healthy_threshold_count", check.healthy_threshold, 2, 10);
  map.read_integer("unhealthy_threshold_count", check.unhealthy_threshold, 2, 10);
  map.read("path", check.path);
  map.read("matcher", check.matcher);
  map.finish();
}

void ConfigReader::read_target(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  Target target;
  target.port = group.port;
  read_address(map.require("id"), target.address);
  map.read_integer("port", target.port, 1, 65535);
  uint16_t weight = 1;
  map.read_integer("weight", weight, 1, kTargetWeightMax);
  map.refuse({"availability_zone", "quic_server_id"}, kNotHere);
  map.finish();
  group.targets.push_back(target);
  if (weight != 1) group.weights[target] = weight;
}

// Short for attributes; what is wrong is said here, where the file has it.
void ConfigReader::read_discover(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  if (map.is_map() && node.keys.size() != 1)
    errors_.add(node, "a target group follows one source: dns, file or etcd");
  const auto section = [&](const YamlNode* at, std::initializer_list<const char*> keys) {
    if (at == nullptr) return;
    YamlMap values(*at, errors_);
    for (const char* key : keys) {
      const std::string name = at->path.substr(at->path.rfind('.') + 1) + "." + key;
      const bool needed = key == keys.begin()[0] || name == "etcd.prefix";
      read_discover_value(needed ? values.require(key) : values.find(key), name.c_str(), group);
    }
    values.finish();
  };
  section(map.find("dns"), {"name", "record", "servers"});
  section(map.find("etcd"), {"endpoints", "prefix"});
  read_discover_value(map.find("file"), "file", group);
  map.finish();
}

// A word, or a list of words.
void ConfigReader::read_discover_value(const YamlNode* node, const char* attribute,
                                       TargetGroup& group) {
  if (node == nullptr) return;
  std::string value;
  if (node->kind == YamlNode::Kind::kSequence) {
    each_yaml(*node, errors_, kDiscoverEndpointsMax, [&](const YamlNode& element) {
      std::string one;
      if (read_yaml(element, errors_, one)) value += (value.empty() ? "" : ",") + one;
    });
  } else if (!read_yaml(*node, errors_, value)) {
    return;
  }
  const std::string name = std::string("sluice.discover.") + attribute;
  const auto good =
      check_attribute(AttributeScope::kTargetGroup, balancer_type(group.protocol), name, value);
  if (good && !value.empty())
    group.attributes[name] = value;
  else
    errors_.add(*node, good ? "a value is missing" : good.error().what);
}

}  // namespace sluice::gateway
