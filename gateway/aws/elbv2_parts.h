// SPDX-License-Identifier: Apache-2.0
// What several ELBv2 actions read and write.
#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "gateway/aws/arn.h"
#include "gateway/aws/call.h"
#include "gateway/control/model.h"

namespace sluice::gateway::elbv2 {

inline constexpr const char* kInvalid = "ValidationError";
inline constexpr const char* kConfiguration = "InvalidConfigurationRequest";
inline constexpr size_t kArnsMax = 20;  // in one Describe call

// 1-32 letters, digits and hyphens, none at either end.
std::string read_name(Params& params);
// Key and Value of each; DuplicateTagKeys, TooManyTags.
Tags read_tags(Params& params);
// The one action that a listener or rule has, with ARNs in the place of names. Nothing when the
// list is not there or something is wrong.
std::optional<Action> read_action(Params& params, const char* list);
// The same with names: groups that the listener is able to forward to.
AwsResult<Action> resolve_action(const Config& config, const Place& place,
                                 const LoadBalancer& balancer, const Listener& listener,
                                 Action action);
// HealthCheck... and Matcher over what `check` has; `fresh` when the protocol's defaults are to be
// taken first.
void read_health_check(Params& params, Protocol group, HealthCheck& check, bool fresh);

// The members of a list.
void write(pugi::xml_node list, const Call& call, const LoadBalancer& balancer);
void write(pugi::xml_node list, const Call& call, const TargetGroup& group);
// The same for many: who uses which group is looked up once for all.
void write(pugi::xml_node list, const Call& call, const std::vector<const TargetGroup*>& groups);
void write(pugi::xml_node list, const Call& call, const ListenerRef& ref);
void write(pugi::xml_node list, const Call& call, const RuleRef& ref);

}  // namespace sluice::gateway::elbv2
