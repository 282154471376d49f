// SPDX-License-Identifier: Apache-2.0
// How config.h is done: one pass that reads every section, then checks of what refers to what.
// Errors carry the YAML node that they are about, so nothing in the model needs to know about
// files.
#pragma once

#include <map>
#include <set>
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
  explicit ConfigReader(YamlErrors& errors) : errors_(errors) {}
  Config read(const YamlNode& root);

 private:
  // A forward action: where it is written, and what the listener can forward to.
  struct GroupReference {
    const YamlNode* node;
    LoadBalancerType type;
    Protocol protocol;
    uint8_t ip_version;
    std::string group;
  };

  // config_gateway.cc
  void read_gateway(const YamlNode& node);
  void read_tunnel(const YamlNode& node);
  void read_hint(const YamlNode& node);
  void read_attachment(const YamlNode& node);
  void read_interface(const YamlNode* node, std::string& out);

  // config_listeners.cc
  void read_load_balancer(const YamlNode& node);
  void read_listener(const YamlNode& node, LoadBalancer& owner);
  void read_frontend(YamlMap& map, LoadBalancerType type, Listener& listener);
  void read_rule(const YamlNode& node, const LoadBalancer& owner, Listener& listener);
  void read_condition(const YamlNode& node, Rule& rule);
  void read_actions(const YamlNode* node, LoadBalancerType type, const Listener& listener,
                    Action& out);

  // config_target_groups.cc
  void read_target_group(const YamlNode& node);
  void read_stickiness(const YamlNode& node, TargetGroup& group);
  void read_health_check(const YamlNode& node, TargetGroup& group);
  void read_target(const YamlNode& node, TargetGroup& group);

  // config.cc
  void check_group_reference(const GroupReference& reference);
  void check_load_balancer_reference(const YamlNode& node, const std::string& name);
  void check_idle_timeouts();
  void check_limits(const YamlNode& root);
  void check_nlb_interface(const YamlNode& root);

  // A name of [a-zA-Z0-9-], at most `length_max`, not seen before in `seen`.
  bool read_name(YamlMap& map, size_t length_max, std::set<std::string>& seen, std::string& out);
  bool read_address(const YamlNode* node, IpAddress& out);

  YamlErrors& errors_;
  Config config_;
  std::set<std::string> load_balancer_names_, group_names_, attachment_names_;
  std::set<std::string> interfaces_;
  std::set<uint64_t> endpoint_ids_;
  std::map<std::string, std::string> frontends_;  // "TCP 10.0.0.1:80" -> load balancer
  std::vector<GroupReference> group_references_;
  std::vector<std::pair<const YamlNode*, std::string>> load_balancer_references_;
  std::vector<std::pair<const YamlNode*, uint32_t>> idle_timeouts_;
};

}  // namespace sluice::gateway
