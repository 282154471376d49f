// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy_reader.h"

#include <functional>

#include "inspect/rules/text.h"

namespace sluice::inspect {

using tunnels::YamlErrors;
using tunnels::YamlMap;
using tunnels::YamlNode;

namespace {

// What a node says, without where it stands.
std::string content_of(const YamlNode& node) {
  std::string text = node.scalar + "(";
  for (size_t i = 0; i < node.children.size(); i++)
    text += (i < node.keys.size() ? node.keys[i] + ":" : "") + content_of(node.children[i]) + ",";
  return text + ")";
}

uint64_t identity_of(const std::string& text) { return std::hash<std::string>()(text); }

}  // namespace

Policy PolicyReader::read(const YamlNode& root) {
  YamlMap map(root, errors_);
  (void)map.read_choice("zone", policy_.zone_, {"utc", "local"});
  if (const YamlNode* hold = map.find("hold")) read_hold(*hold);
  map.each("rules", kPolicyRulesMax, [&](const YamlNode& node) { read_rule(node); });
  map.each("applications", kPolicyNamesMax, [&](const YamlNode& node) { read_name(node, true); });
  map.each("categories", kPolicyNamesMax, [&](const YamlNode& node) { read_name(node, false); });
  read_action(map, "fallback", policy_.fallback_.action);
  policy_.fallback_.identity = identity_of(policy_.fallback_.text);
  map.finish();
  const Result<> compiled = policy_.hosts_.compile();
  if (!compiled) errors_.add(root, compiled.error().text());
  return std::move(policy_);
}

void PolicyReader::read_hold(const YamlNode& node) {
  YamlMap map(node, errors_);
  (void)map.require_integer("bytes", policy_.hold_.bytes, 1, kHoldBytesMax);
  (void)map.require_integer("milliseconds", policy_.hold_.milliseconds, 1, kHoldMillisecondsMax);
  map.finish();
}

void PolicyReader::read_rule(const YamlNode& node) {
  const auto index = static_cast<uint16_t>(policy_.rules_.size());
  PolicyRule& rule = policy_.rules_.emplace_back();
  rule.text = "rule " + std::to_string(index + 1);
  rule.identity = identity_of(content_of(node));
  YamlMap map(node, errors_);
  std::string name;
  if (const YamlNode* place = map.find("name"); place != nullptr && map.read("name", name)) {
    rule.text = "rule '" + name + "'";
    rule.identity = identity_of(rule.text);
    if (name.empty() || name.size() > kPolicyNameLengthMax)
      errors_.add(*place, "a name of 1 to " + std::to_string(kPolicyNameLengthMax) +
                              " characters is expected");
    if (!rule_names_.insert(name).second) errors_.add(*place, "'" + name + "' is there twice");
  }
  if (const YamlNode* match = map.find("match")) read_match(*match, index, rule.match);
  if (map.require("action") != nullptr) read_action(map, "action", rule.action);
  map.finish();
}

void PolicyReader::read_name(const YamlNode& node, bool application) {
  YamlMap map(node, errors_);
  const YamlNode* place = map.require("name");
  Treatment action;
  if (map.require("action") != nullptr) read_action(map, "action", action);
  map.finish();
  std::string name;
  if (place == nullptr || !read_yaml(*place, errors_, name)) return;
  const bool added =
      application ? add_application(*place, name, action) : add_category(*place, name, action);
  if (!added) errors_.add(*place, "'" + name + "' is there twice");
}

// These two: false if the name is there twice.
bool PolicyReader::add_application(const YamlNode& node, const std::string& name,
                                   const Treatment& action) {
  const auto key = application_key(node, name);
  if (!key) return true;
  if (!action.blocks()) policy_.application_may_pass_ = true;
  const std::string text = "application " + name;
  return policy_.applications_.emplace(*key, PolicyRule{text, identity_of(text), {}, action})
      .second;
}

bool PolicyReader::add_category(const YamlNode& node, const std::string& name,
                                const Treatment& action) {
  const auto number = named(node, "category", name, names_.categories);
  if (!number) return true;
  if (!action.blocks()) policy_.category_may_pass_ = true;
  const std::string text = "category " + name;
  return policy_.categories_.emplace(*number, PolicyRule{text, identity_of(text), {}, action})
      .second;
}

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
  SLUICE_TRY(const std::string text, read_text_file(file, tunnels::kYamlFileBytesMax, "policy"));
  return parse(text, file, names);
}

}  // namespace sluice::inspect
