// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "gateway/control/attributes.h"
#include "gateway/control/validator.h"
#include "gateway/datapath/tables.h"
#include "tunnels/geneve_profiles.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {

static_assert(kPolicyRulesMax * 2 < kPolicySlots);
static_assert(kWeightedGroupsMax == kHopGroupsMax);

void Validator::check_policy() {
  const auto& policy = config_.gateway.policy;
  std::set<std::string_view> names;
  size_t entries = 0;
  for (size_t i = 0; i < policy.size(); i++) {
    const PolicyRule& rule = policy[i];
    const Path path("gateway.policy", i);
    if (!is_name(rule.name))
      say(path + ".name", "a name is 1 to 32 letters, digits and hyphens");
    else if (!names.insert(rule.name).second)
      say(path + ".name", "the name '" + rule.name + "' is taken");
    check_policy_rule(path, rule);
    entries += policy_entries_of(rule);
  }
  if (policy.size() > kPolicyRulesMax)
    say("gateway.policy", std::to_string(policy.size()) + " rules; at most " +
                              std::to_string(kPolicyRulesMax) + " are possible");
  if (entries > kPolicyEntriesMax)
    say("gateway.policy", "the rules' combinations of sources, destinations and ports are " +
                              std::to_string(entries) + "; at most " +
                              std::to_string(int{kPolicyEntriesMax}) + " are possible");
}

void Validator::check_policy_rule(const Path& path, const PolicyRule& rule) {
  for (size_t i = 0; i < rule.attachments.size(); i++) {
    const std::string& name = rule.attachments[i];
    if (config_.attachments.find(name) != nullptr) continue;
    std::vector<std::string_view> names;
    for (const Attachment& known : config_.attachments) names.push_back(known.name);
    say(path.at("attachments", i).text(),
        "there is no attachment '" + name + "'" + tunnels::did_you_mean(name, names));
  }
  const bool has_ports = rule.protocol == kProtocolTcp || rule.protocol == kProtocolUdp;
  if (!rule.ports.empty() && !has_ports && !is_broken(path, ".protocol"))
    say(path + ".ports", "ports need protocol tcp or udp");
  if (rule.percentage < 1 || rule.percentage > 100)
    say(path + ".percentage", "a percentage is between 1 and 100");
  if (policy_entries_of(rule) == 0)
    say(path + ".destinations", "no destination is of the IP version of a source");
  for (size_t i = 0; i < rule.hops.size(); i++)
    if (const Path hop = path.at("actions", i); !is_broken(hop, ".type"))
      check_groups(hop, rule.hops[i], [&](const Path& where, const std::string& group) {
        check_group_reference(where + ".target_group", group, Protocol::kGeneve);
      });
  if (rule.mirror) check_mirror(path, rule);
}

void Validator::check_mirror(const Path& path, const PolicyRule& rule) {
  const bool alone = rule.hops.empty() && rule.decision == PolicyDecision::kForward;
  if (alone && !is_broken(path, ".actions"))
    return say(path + ".actions",
               "a mirror or shadow gets copies only: put forward or bypass before it");
  const size_t place = rule.decision == PolicyDecision::kForward ? rule.hops.size() : 1;
  const Path action = path.at("actions", place);
  if (is_broken(action, ".target_group")) return;
  const std::string where = action + ".target_group";
  const std::string& name = rule.mirror->target_group;
  const TargetGroup* group = check_group_reference(where, name, Protocol::kGeneve);
  if (group == nullptr) return;
  if (profile_of(*group) != tunnels::kProfileAws)
    say(where, "target group '" + name +
                   "' must have the profile aws: by its cookie the answers to copies are known");
  if (std::ranges::any_of(rule.hops, [&](const Action& hop) { return forwards_to(hop, name); }))
    say(where, "the rule forwards to '" + name + "' already: copies go to another group");
}

}  // namespace sluice::gateway
