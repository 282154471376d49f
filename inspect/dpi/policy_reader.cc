// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "inspect/dpi/policy.h"
#include "tunnels/yaml.h"

namespace sluice::inspect {

namespace {

using tunnels::YamlErrors;
using tunnels::YamlMap;
using tunnels::YamlNode;

std::optional<uint16_t> index_of(std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (name.empty() || found == names.end()) return std::nullopt;
  return static_cast<uint16_t>(found - names.begin());
}

}  // namespace

class PolicyReader {
 public:
  PolicyReader(YamlErrors& errors, const DpiNames& names) : errors_(errors), names_(names) {}

  Policy read(const YamlNode& root) {
    YamlMap map(root, errors_);
    map.each("applications", kPolicyNamesMax, [&](const YamlNode& node) { read_name(node, true); });
    map.each("categories", kPolicyNamesMax, [&](const YamlNode& node) { read_name(node, false); });
    read_action(map, "fallback", policy_.fallback_.action);
    map.finish();
    return std::move(policy_);
  }

 private:
  void read_action(YamlMap& map, std::string_view key, PolicyAction& out) {
    (void)map.read_choice(key, out, {"allow", "drop", "reject"});
  }

  void read_name(const YamlNode& node, bool application) {
    YamlMap map(node, errors_);
    const YamlNode* name_node = map.require("name");
    PolicyAction action = PolicyAction::kAllow;
    (void)map.require("action");
    read_action(map, "action", action);
    map.finish();
    std::string name;
    if (name_node == nullptr || !read_yaml(*name_node, errors_, name)) return;
    const bool added = application ? add_application(*name_node, name, action)
                                   : add_category(*name_node, name, action);
    if (!added) errors_.add(*name_node, "'" + name + "' is there twice");
  }

  // False if the name is there twice.
  bool add_application(const YamlNode& node, const std::string& name, PolicyAction action) {
    const auto key = application_key(node, name);
    if (!key) return true;
    if (action == PolicyAction::kAllow) policy_.allows_an_application_ = true;
    return policy_.applications_.emplace(*key, Policy::Rule{action, "application " + name}).second;
  }

  bool add_category(const YamlNode& node, const std::string& name, PolicyAction action) {
    const auto index = index_of(name, names_.categories);
    if (!index) unknown(node, "category", name, names_.categories);
    return !index ||
           policy_.categories_.emplace(*index, Policy::Rule{action, "category " + name}).second;
  }

  // "YouTube" or "TLS.YouTube". Names of nDPI may hold a dot themselves (Z39.50), so the whole is
  // tried first.
  std::optional<uint32_t> application_key(const YamlNode& node, std::string_view name) {
    const auto known = [&](std::string_view part) {
      const auto index = index_of(part, names_.applications);
      return index && *index != 0 ? index : std::nullopt;  // 0 is Unknown: the fallback is for that
    };
    if (const auto whole = known(name)) return Policy::key(0, *whole);
    const size_t dot = name.find('.');
    if (dot == std::string_view::npos) {
      unknown(node, "application", name, names_.applications);
      return std::nullopt;
    }
    const auto master = known(name.substr(0, dot));
    const auto part = known(name.substr(dot + 1));
    if (!master) unknown(node, "application", name.substr(0, dot), names_.applications);
    if (!part) unknown(node, "application", name.substr(dot + 1), names_.applications);
    if (!master || !part) return std::nullopt;
    return Policy::key(*master, *part);
  }

  void unknown(const YamlNode& node, const char* kind, std::string_view name,
               const std::vector<std::string>& names) {
    constexpr size_t kShownMax = 64;  // longer than any name of nDPI
    errors_.add(node, std::string("unknown ") + kind + " '" +
                          std::string(name.substr(0, kShownMax)) + "'" +
                          tunnels::did_you_mean(name, {names.begin(), names.end()}));
  }

  YamlErrors& errors_;
  const DpiNames& names_;
  Policy policy_;
};

Result<Policy> Policy::parse(const std::string& text, const std::string& file,
                             const DpiNames& names) {
  YamlErrors errors(file);
  const YamlNode root = tunnels::parse_yaml(text, errors);
  Policy policy;
  if (errors.empty() || root.kind != YamlNode::Kind::kNull)
    policy = PolicyReader(errors, names).read(root);
  if (errors.empty()) return policy;
  std::string lines;
  for (const Error& error : errors.take()) lines += (lines.empty() ? "" : "\n") + error.text();
  return fail(lines);
}

Result<Policy> Policy::load(const std::string& file, const DpiNames& names) {
  SLUICE_TRY(const std::string text, tunnels::read_yaml_file(file));
  return parse(text, file, names);
}

}  // namespace sluice::inspect
