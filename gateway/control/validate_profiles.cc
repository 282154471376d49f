// SPDX-License-Identifier: Apache-2.0
// What the encapsulation profiles of target groups demand of other objects.
#include <algorithm>
#include <map>

#include "gateway/control/validator.h"
#include "tunnels/geneve_profiles.h"

namespace sluice::gateway {
namespace {

bool is_profiled(const TargetGroup& group) { return profile_of(group) != tunnels::kProfileAws; }

bool has_cookie(const TargetGroup& group) {
  return tunnels::kGeneveProfiles[profile_of(group)].flags & tunnels::kGeneveHasCookie;
}

}  // namespace

void Validator::check_profiles() {
  const auto& groups = config_.target_groups;
  const auto same = [&](const TargetGroup& group) {
    return profile_of(group) == tunnels::kProfilePlain;
  };
  if (std::ranges::none_of(groups, is_profiled)) return;
  if (const auto plain = std::ranges::find_if(groups, same); plain != groups.end())
    check_plain_endpoints((*plain).name);
  check_one_profile_each();
  for (size_t i = 0; i < config_.gateway.policy.size(); i++)
    check_hops_apart(Path("gateway.policy", i), config_.gateway.policy[i]);
}

// The VNI is the endpoint's id.
void Validator::check_plain_endpoints(const std::string& group) {
  for (size_t i = 0; i < config_.attachments.size(); i++)
    if (config_.attachments[i].endpoint_id > tunnels::kGeneveVniMask)
      say(Path("attachments", i) + ".endpoint_id",
          "does not fit 24 bits, and is the VNI in the profile plain of target group '" + group +
              "'");
}

// An appliance is one target, whatever groups it is in.
void Validator::check_one_profile_each() {
  std::map<Target, const TargetGroup*> known;
  for (size_t i = 0; i < config_.target_groups.size(); i++) {
    const TargetGroup& group = config_.target_groups[i];
    if (group.protocol != Protocol::kGeneve) continue;
    for (size_t t = 0; t < group.targets.size(); t++) {
      const TargetGroup& first = *known.try_emplace(group.targets[t], &group).first->second;
      if (profile_of(first) != profile_of(group))
        say(Path("target_groups", i).at("targets", t) + ".id",
            "is in target group '" + first.name + "', too, which has the profile " +
                std::string(tunnels::profile_name(profile_of(first))) +
                "; an appliance speaks one profile");
    }
  }
}

// Without a cookie a return does not say which hop it comes from; its source has to.
void Validator::check_hops_apart(const Path& path, const PolicyRule& rule) {
  std::map<Target, size_t> hop_of;
  for (size_t i = 0; rule.hops.size() > 1 && i < rule.hops.size(); i++) {
    for (const WeightedGroup& weighted : groups_of(rule.hops[i])) {
      const TargetGroup* group = config_.target_group(weighted.target_group);
      if (group == nullptr) continue;
      for (const Target& target : group->targets) {
        const auto [at, added] = hop_of.try_emplace(target, i);
        if (added || at->second == i || has_cookie(*group)) continue;
        return say(path.at("actions", i).text(),
                   target.address.text() + " is a target of an earlier hop, too; the profile " +
                       std::string(tunnels::profile_name(profile_of(*group))) +
                       " cannot tell the two apart");
      }
    }
  }
}

}  // namespace sluice::gateway
