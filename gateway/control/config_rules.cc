// SPDX-License-Identifier: Apache-2.0
// Rules of listeners: conditions and actions.
#include "gateway/control/config_reader.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kPriorityMax = 50'000;
constexpr std::string_view kNotHere = "exists in ELBv2, but not in this gateway";

enum class ActionType { kForward, kRedirect, kFixedResponse };

}  // namespace

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
    map.read_choice("field", condition.field,
                    {"host-header", "path-pattern", "http-header", "http-request-method",
                     "query-string", "source-ip"});
  if (condition.field == ConditionField::kHttpHeader)
    map.require_string("header", condition.header);
  const YamlNode* values = map.require("values");
  if (values != nullptr && condition.field == ConditionField::kQueryString)
    each_yaml(*values, errors_, kConditionValuesMax,
              [&](const YamlNode& value) { read_query_pair(value, condition); });
  else if (values != nullptr)
    each_yaml(*values, errors_, kConditionValuesMax, [&](const YamlNode& value) {
      read_yaml(value, errors_, condition.values.emplace_back());
    });
  map.refuse({"host_header_config", "path_pattern_config", "http_header_config",
              "query_string_config", "source_ip_config", "http_request_method_config"},
             "is not a key here; values has it");
  map.refuse({"regex_values"}, kNotHere);
  map.finish();
  rule.conditions.push_back(std::move(condition));
}

void ConfigReader::read_query_pair(const YamlNode& node, Condition& out) {
  YamlMap map(node, errors_);
  QueryPair& pair = out.pairs.emplace_back();
  map.read("key", pair.key);
  map.require_string("value", pair.value);
  map.finish();
}

void ConfigReader::read_actions(const YamlNode* node, Action& out) {
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kSequence && node->children.size() != 1) {
    errors_.add(*node, "expected exactly one action");
    return;
  }
  each_yaml(*node, errors_, 1, [&](const YamlNode& action) { read_action(action, out); });
}

void ConfigReader::read_action(const YamlNode& node, Action& out) {
  YamlMap map(node, errors_);
  ActionType type = ActionType::kForward;
  const bool known = map.require("type") != nullptr &&
                     map.read_choice("type", type, {"forward", "redirect", "fixed-response"});
  if (!known) return;  // the rest cannot be judged
  if (type == ActionType::kRedirect)
    read_redirect(map, out.redirect.emplace());
  else if (type == ActionType::kFixedResponse)
    read_fixed_response(map, out.fixed_response.emplace());
  else
    read_forward(map, out);
  map.refuse({"forward_config", "redirect_config", "fixed_response_config",
              "authenticate_oidc_config", "authenticate_cognito_config", "order", "stickiness"},
             kNotHere);
  map.finish();
}

void ConfigReader::read_forward(YamlMap& map, Action& out) {
  if (map.find("target_groups") == nullptr) {
    map.require_string("target_group", out.target_group);
    return;
  }
  map.refuse({"target_group"}, "cannot be given beside target_groups");
  map.each("target_groups", kWeightedGroupsMax, [&](const YamlNode& node) {
    YamlMap group(node, errors_);
    WeightedGroup& one = out.weighted.emplace_back();
    group.require_string("target_group", one.target_group);
    group.read_integer("weight", one.weight, 0, kWeightMax);
    group.finish();
  });
}

void ConfigReader::read_redirect(YamlMap& map, Redirect& out) {
  map.read("protocol", out.protocol);
  map.read("host", out.host);
  map.read("port", out.port);
  map.read("path", out.path);
  map.read("query", out.query);
  map.read_integer("status", out.status, 301, 302);
}

void ConfigReader::read_fixed_response(YamlMap& map, FixedResponse& out) {
  map.require_integer("status", out.status, 200, 599);
  map.read("content_type", out.content_type);
  map.read("body", out.body);
}

}  // namespace sluice::gateway
