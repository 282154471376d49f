// SPDX-License-Identifier: Apache-2.0
// How Policy::parse is done: one pass over the document that notes every error at its node.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "inspect/dpi/policy.h"
#include "tunnels/yaml.h"

namespace sluice::inspect {

class PolicyReader {
 public:
  PolicyReader(tunnels::YamlErrors& errors, const DpiNames& names)
      : errors_(errors), names_(names) {}

  Policy read(const tunnels::YamlNode& root);

 private:
  using Node = tunnels::YamlNode;
  using Map = tunnels::YamlMap;

  // policy_reader.cc
  void read_hold(const Node& node);
  void read_rule(const Node& node);
  void read_name(const Node& node, bool application);
  bool add_application(const Node& node, const std::string& name, const Treatment& action);
  bool add_category(const Node& node, const std::string& name, const Treatment& action);

  // policy_match_reader.cc
  void read_match(const Node& node, uint16_t index, PolicyMatch& match);
  void read_hosts(Map& map, uint16_t index, PolicyMatch& match);
  void read_schedule(const Node& node, PolicyMatch& match);
  void read_fingerprints(Map& map, std::string_view key, std::vector<std::string>& out);
  std::optional<uint32_t> application_key(const Node& node, std::string_view name);
  std::optional<uint16_t> named(const Node& node, const char* kind, std::string_view name,
                                const std::vector<std::string>& names);
  // "HH:MM"; `end`: 24:00 too.
  void read_time(Map& map, std::string_view key, bool end, int& out);
  // The words at `key`: a list of them, or one alone.
  void each_word(Map& map, std::string_view key,
                 const std::function<void(const std::string&, const Node&)>& visit);

  // policy_action_reader.cc
  void read_action(Map& map, std::string_view key, Treatment& action);
  void read_limit(const Node& node, Limit& limit);
  void read_quota(const Node& node, Quota& quota);
  bool read_verdict(const Node& node, std::initializer_list<PolicyAction> possible,
                    std::string_view also, PolicyAction& out);

  tunnels::YamlErrors& errors_;
  const DpiNames& names_;
  Policy policy_;
  std::set<std::string> rule_names_;
};

}  // namespace sluice::inspect
