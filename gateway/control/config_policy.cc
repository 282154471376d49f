// SPDX-License-Identifier: Apache-2.0
// The list `gateway.policy`.
#include <charconv>

#include "gateway/control/config_reader.h"
#include "gateway/datapath/policy_tables.h"
#include "tunnels/packet.h"

namespace sluice::gateway {
namespace {

// "443" or "8000-8999".
std::optional<PortRange> parse_ports(const std::string& text) {
  const char* end = text.data() + text.size();
  PortRange out;
  auto [at, error] = std::from_chars(text.data(), end, out.first);
  if (error != std::errc()) return {};
  out.last = out.first;
  if (at != end) {
    if (*at != '-') return {};
    const auto last = std::from_chars(at + 1, end, out.last);
    if (last.ec != std::errc() || last.ptr != end) return {};
  }
  if (out.first == 0 || out.last < out.first) return {};
  return out;
}

}  // namespace

void ConfigReader::read_policy_rule(const YamlNode& node) {
  YamlMap map(node, errors_);
  PolicyRule rule;
  map.require_string("name", rule.name);
  map.each("attachments", kPolicyListMax,
           [&](const YamlNode& n) { read_yaml(n, errors_, rule.attachments.emplace_back()); });
  map.each("sources", kPolicyListMax, [&](const YamlNode& n) { read_prefix(n, rule.sources); });
  map.each("destinations", kPolicyListMax,
           [&](const YamlNode& n) { read_prefix(n, rule.destinations); });
  if (uint8_t protocol = 0; read_protocol(map, map.find("protocol"), protocol))
    rule.protocol = protocol;
  map.each("ports", kPolicyListMax, [&](const YamlNode& n) {
    const auto range = parse_ports(n.scalar);
    if (!range) errors_.add(n, "expected a port, 1 to 65535, or a range such as 8000-8999");
    rule.ports.push_back(range.value_or(PortRange{}));
  });
  map.read_integer("percentage", rule.percentage, 1, 100);
  if (const YamlNode* actions = map.require("actions")) read_policy_actions(*actions, rule);
  map.refuse({"priority"}, "is not a key here: rules are tried in their order");
  map.finish();
  config_.gateway.policy.push_back(std::move(rule));
}

void ConfigReader::read_prefix(const YamlNode& node, std::vector<Prefix>& out) {
  std::string text;
  Prefix& prefix = out.emplace_back();
  if (!read_yaml(node, errors_, text)) return;
  if (auto parsed = parse_prefix(text))
    prefix = *parsed;
  else
    errors_.add(node, parsed.error().what);
}

// One `bypass` or `drop`, or up to kChainHopsMax of `forward`; then perhaps a `mirror` or `shadow`.
void ConfigReader::read_policy_actions(const YamlNode& node, PolicyRule& rule) {
  if (node.kind == YamlNode::Kind::kSequence && node.children.empty())
    errors_.add(node, "expected an action: forward, bypass or drop");
  each_yaml(node, errors_, kChainHopsMax + 1, [&](const YamlNode& action) {
    YamlMap map(action, errors_);
    RuleAction type = RuleAction::kForward;
    const bool known =
        map.require("type") != nullptr &&
        map.read_choice("type", type, {"forward", "bypass", "drop", "mirror", "shadow"});
    if (type == RuleAction::kMirror || type == RuleAction::kShadow)
      read_mirror(action, map, type == RuleAction::kShadow, rule);
    else
      read_decision(action, map, known, type, rule);
    if (known) map.finish();
  });
  if (rule.hops.size() > kChainHopsMax)
    errors_.add(node, "at most " + std::to_string(int{kChainHopsMax}) + " forward are possible");
  if (rule.decision != PolicyDecision::kForward) rule.hops.clear();
}

void ConfigReader::read_decision(const YamlNode& node, YamlMap& map, bool known, RuleAction type,
                                 PolicyRule& rule) {
  const bool decided = rule.decision != PolicyDecision::kForward;
  Action& hop = rule.hops.emplace_back();
  if (!known) return;
  if (rule.mirror) errors_.add(node, "comes behind a mirror or shadow: that is the last action");
  if (type == RuleAction::kForward) {
    read_forward(map, hop);
    if (decided) errors_.add(node, "stands beside bypass or drop, which stand alone");
    return;
  }
  if (rule.hops.size() != 1) errors_.add(node, "this action stands alone");
  rule.decision = type == RuleAction::kBypass ? PolicyDecision::kBypass : PolicyDecision::kDrop;
}

void ConfigReader::read_mirror(const YamlNode& node, YamlMap& map, bool compared,
                               PolicyRule& rule) {
  if (rule.mirror) errors_.add(node, "a rule has one mirror or shadow");
  if (rule.decision == PolicyDecision::kDrop)
    errors_.add(node, "has nothing to copy: the rule drops");
  rule.mirror = MirrorAction{{}, compared};
  map.refuse({"target_groups"}, "is not a key here: copies go to one target_group");
  map.require_string("target_group", rule.mirror->target_group);
}

}  // namespace sluice::gateway
