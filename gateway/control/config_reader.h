// SPDX-License-Identifier: Apache-2.0
// How config.h is done: one pass that reads every section. Elements that are wrong stay in their
// lists, so that a path of validate.h is also the path of a YAML node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/control/config.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {

using tunnels::did_you_mean;
using tunnels::each_yaml;
using tunnels::parse_yaml;
using tunnels::read_yaml;
using tunnels::read_yaml_file;
using tunnels::read_yaml_integer;
using tunnels::YamlErrors;
using tunnels::YamlMap;
using tunnels::YamlNode;

class ConfigReader {
 public:
  // `stored`: also what only the gateway knows (id, created, origin).
  explicit ConfigReader(YamlErrors& errors, bool stored = false)
      : errors_(errors), stored_(stored) {}
  Config read(const YamlNode& root);
  // One object into `config`.
  void read_object(ObjectKind kind, const YamlNode& node, Config& config);

 private:
  // config_gateway.cc
  void read_gateway(const YamlNode& node);
  void read_proxies(const YamlNode& node);
  void read_flow_log(const YamlNode& node);
  void read_tunnel(const YamlNode& node);
  void read_hint(const YamlNode& node);
  void read_idle_timeout(const YamlNode& node);
  bool read_protocol(YamlMap& map, const YamlNode* node, uint8_t& out);
  void read_attachment(const YamlNode& node);
  void read_interface(const YamlNode* node, std::string& out);

  // config_policy.cc
  void read_policy_rule(const YamlNode& node);
  void read_policy_actions(const YamlNode& node, PolicyRule& rule);
  enum class RuleAction { kForward, kBypass, kDrop, kMirror, kShadow };
  void read_decision(const YamlNode& node, YamlMap& map, bool known, RuleAction type,
                     PolicyRule& rule);
  void read_mirror(const YamlNode& node, YamlMap& map, bool compared, PolicyRule& rule);
  void read_prefix(const YamlNode& node, std::vector<Prefix>& out);

  // config_api.cc
  void read_place(YamlMap& gateway);
  void read_api(const YamlNode& node);
  void read_api_access(YamlMap& api, const YamlNode& address);
  void read_access_key(const YamlNode& node);

  // config_network.cc
  void read_network(const YamlNode& node);
  void read_endpoint_service(const YamlNode& node);

  // config_listeners.cc
  void read_load_balancer(const YamlNode& node);
  void read_listener(const YamlNode& node, LoadBalancer& owner);
  void read_frontend(YamlMap& map, LoadBalancerType type, Listener& listener);
  void read_subnet_mapping(const YamlNode& node, LoadBalancer& out);

  // config_rules.cc
  void read_rule(const YamlNode& node, Listener& listener);
  void read_condition(const YamlNode& node, Rule& rule);
  void read_query_pair(const YamlNode& node, Condition& out);
  void read_actions(const YamlNode* node, Action& out);
  void read_action(const YamlNode& node, Action& out);
  void read_forward(YamlMap& map, Action& out);
  void read_redirect(YamlMap& map, Redirect& out);
  void read_fixed_response(YamlMap& map, FixedResponse& out);

  // config_target_groups.cc
  void read_target_group(const YamlNode& node);
  void read_stickiness(const YamlNode& node, TargetGroup& group);
  void read_profile(const YamlNode& node, TargetGroup& group);
  void read_health_check(const YamlNode& node, TargetGroup& group);
  void read_target(const YamlNode& node, TargetGroup& group);
  void read_discover(const YamlNode& node, TargetGroup& group);
  void read_discover_value(const YamlNode* node, const char* attribute, TargetGroup& group);

  // config.cc
  bool read_address(const YamlNode* node, IpAddress& out);
  // `tags` and `attributes`.
  void read_words(const YamlNode* node, std::map<std::string, std::string, std::less<>>& out);

  void read_resource(YamlMap& map, Resource& out);
  template <class Object>
  void read_origin(YamlMap& map, Object& out) {
    read_resource(map, out);
    if (stored_) map.read_choice("origin", out.origin, {"file", "api"});
  }

  YamlErrors& errors_;
  bool stored_;
  Config config_;
};

}  // namespace sluice::gateway
