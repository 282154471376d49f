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
// The one forward action that a listener or rule has here. Empty after something is wrong.
std::string read_forward_action(Params& params, const char* list);
// The group of the ARN, which the listener must be able to forward to.
AwsResult<Action> forward_to(const Config& config, const Place& place, const Listener& listener,
                             const std::string& group_arn);
// HealthCheck... and Matcher over what `check` has; `fresh` when the protocol's defaults are to be
// taken first.
void read_health_check(Params& params, Protocol group, HealthCheck& check, bool fresh);

// The members of a list.
void write(pugi::xml_node list, const Call& call, const LoadBalancer& balancer);
void write(pugi::xml_node list, const Call& call, const TargetGroup& group);
void write(pugi::xml_node list, const Call& call, const ListenerRef& ref);
void write(pugi::xml_node list, const Call& call, const RuleRef& ref);

}  // namespace sluice::gateway::elbv2
