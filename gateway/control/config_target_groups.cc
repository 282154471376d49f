// SPDX-License-Identifier: Apache-2.0
// The section `target_groups`.
#include <algorithm>

#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

constexpr size_t kNameMax = 32;
constexpr std::string_view kNotHere = "exists in ELBv2, but not in this gateway";

}  // namespace

void ConfigReader::read_target_group(const YamlNode& node) {
  YamlMap map(node, errors_);
  TargetGroup group;
  const bool named = read_name(map, kNameMax, group_names_, group.name);
  const YamlNode* protocol = map.require("protocol");
  const bool known = protocol != nullptr &&
                     map.read_choice("protocol", group.protocol, {"GENEVE", "TCP", "UDP", "HTTP"});
  if (group.protocol == Protocol::kGeneve) {
    if (map.read_integer("port", group.port, 1, 65535) && group.port != 6081)
      errors_.add(*node.find("port"), "a GENEVE target group has port 6081");
  } else {
    map.require_integer("port", group.port, 1, 65535);
  }
  if (const YamlNode* stickiness = map.find("stickiness")) read_stickiness(*stickiness, group);
  group.health_check =
      default_health_check(group.protocol, default_health_protocol(group.protocol));
  if (const YamlNode* check = map.find("health_check")) read_health_check(*check, group);
  map.each("targets", kTargetsPerGroupMax, [&](const YamlNode& n) { read_target(n, group); });
  map.refuse({"target_type", "protocol_version", "vpc_id", "attributes", "tags", "ip_address_type",
              "target_failover", "deregistration_delay", "slow_start", "load_balancing"},
             kNotHere);
  map.finish();
  if (named && known) config_.target_groups.push_back(std::move(group));
}

void ConfigReader::read_stickiness(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  int type = 0;
  const bool set = map.require("type") != nullptr &&
                   map.read_choice("type", type, {"source_ip_dest_ip", "source_ip_dest_ip_proto"});
  if (set) group.stickiness = type == 0 ? tunnels::kFlowHash2Tuple : tunnels::kFlowHash3Tuple;
  if (group.protocol != Protocol::kGeneve)
    errors_.add(node, "stickiness is for GENEVE target groups here");
  map.finish();
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
  if (check.timeout_s > check.interval_s)
    errors_.add(*node.find("timeout_seconds"), "longer than interval_seconds");
  map.read_integer("healthy_threshold_count", check.healthy_threshold, 2, 10);
  map.read_integer("unhealthy_threshold_count", check.unhealthy_threshold, 2, 10);
  const auto judge = [&](const char* key, const Result<>& result) {
    if (!result) errors_.add(*node.find(key), result.error().what);
  };
  if (map.read("path", check.path)) judge("path", check_health_path(check));
  if (map.read("matcher", check.matcher))
    judge("matcher", check_health_matcher(check, group.protocol));
  map.finish();
}

void ConfigReader::read_target(const YamlNode& node, TargetGroup& group) {
  YamlMap map(node, errors_);
  Target target;
  target.port = group.port;
  const YamlNode* id = map.require("id");
  const bool addressed = read_address(id, target.address);
  if (map.read_integer("port", target.port, 1, 65535) && group.protocol == Protocol::kGeneve &&
      target.port != 6081)
    errors_.add(*node.find("port"), "GENEVE targets have port 6081");
  map.refuse({"weight", "availability_zone", "quic_server_id"}, kNotHere);
  map.finish();
  if (!addressed) return;
  if (group.protocol == Protocol::kGeneve && target.address.version != 4)
    errors_.add(*id, "the outer packet is IPv4; an appliance needs an IPv4 address");
  if (std::ranges::find(group.targets, target) != group.targets.end())
    errors_.add(*id, "this target is in the group already");
  group.targets.push_back(target);
}

}  // namespace sluice::gateway
