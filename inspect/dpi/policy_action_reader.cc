// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "inspect/dpi/policy_reader.h"

namespace sluice::inspect {

using tunnels::YamlMap;
using tunnels::YamlNode;

namespace {

// A quarter of a second, or ten full packets of Ethernet if that is more.
uint64_t usual_burst(uint64_t rate) { return std::max<uint64_t>(rate / 4, 15'000); }

}  // namespace

// `allow`, `drop`, `reject`, or a map with one key: limit, quota, mark, steer.
void PolicyReader::read_action(YamlMap& owner, std::string_view key, Treatment& action) {
  const YamlNode* node = owner.find(key);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kMap) {
    using enum PolicyAction;
    (void)read_verdict(*node, {kAllow, kDrop, kReject}, ", or limit, quota, mark, steer with a map",
                       action.kind);
    return;
  }
  YamlMap map(*node, errors_);
  if (const YamlNode* limit = map.find("limit")) {
    action.kind = PolicyAction::kLimit;
    read_limit(*limit, action.limit);
  }
  if (const YamlNode* quota = map.find("quota")) {
    action.kind = PolicyAction::kQuota;
    read_quota(*quota, action.quota);
  }
  if (const YamlNode* mark = map.find("mark")) {
    action.kind = PolicyAction::kMark;
    YamlMap values(*mark, errors_);
    (void)values.require_integer("dscp", action.dscp, 0, 63);
    values.finish();
  }
  if (const YamlNode* steer = map.find("steer")) {
    action.kind = PolicyAction::kSteer;
    YamlMap values(*steer, errors_);
    (void)values.require_integer("hint", action.hint, 1, UINT16_MAX);
    values.finish();
  }
  map.finish();
  if (node->keys.size() != 1)
    errors_.add(*node, "an action is one of: allow, drop, reject, limit, quota, mark, steer");
}

void PolicyReader::read_limit(const YamlNode& node, Limit& limit) {
  YamlMap map(node, errors_);
  (void)map.require_integer("rate", limit.rate, 1, kLimitRateMax);
  limit.burst = usual_burst(limit.rate);
  (void)map.read_integer("burst", limit.burst, kLimitBurstMin, kLimitBurstMax);
  (void)map.read_choice("per", limit.per, {"flow", "client", "application"});
  map.finish();
}

void PolicyReader::read_quota(const YamlNode& node, Quota& quota) {
  YamlMap map(node, errors_);
  (void)map.require_integer("bytes", quota.bytes, 1, kQuotaBytesMax);
  if (const YamlNode* per = map.find("per")) {
    std::string word;
    if (read_yaml(*per, errors_, word)) {
      if (word != "client" && word != "application")
        errors_.add(*per, "'" + word + "' is not one of: client, application");
      quota.per = word == "application" ? Per::kApplication : Per::kClient;
    }
  }
  read_time(map, "reset", false, quota.reset);
  const YamlNode* then = map.require("then");
  if (then != nullptr && then->kind == YamlNode::Kind::kMap) {
    quota.then = PolicyAction::kLimit;
    YamlMap values(*then, errors_);
    if (const YamlNode* limit = values.require("limit")) read_limit(*limit, quota.limit);
    values.finish();
  } else if (then != nullptr) {
    using enum PolicyAction;
    (void)read_verdict(*then, {kDrop, kReject}, ", or limit with a map", quota.then);
  }
  map.finish();
}

bool PolicyReader::read_verdict(const YamlNode& node, std::initializer_list<PolicyAction> possible,
                                std::string_view also, PolicyAction& out) {
  std::string word;
  if (!read_yaml(node, errors_, word)) return false;
  std::string list;
  for (const PolicyAction action : possible) {
    if (word == policy_action_name(action)) {
      out = action;
      return true;
    }
    list += (list.empty() ? "" : ", ") + std::string(policy_action_name(action));
  }
  errors_.add(node, "'" + word.substr(0, kPolicyNameLengthMax) + "' is not one of: " + list +
                        std::string(also));
  return false;
}

}  // namespace sluice::inspect
