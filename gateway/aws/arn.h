// SPDX-License-Identifier: Apache-2.0
// Names of the API's objects ("arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID"),
// and the objects that they name.
#pragma once

#include <string>

#include "gateway/aws/call.h"
#include "gateway/control/model.h"

namespace sluice::gateway {

std::string arn_of(const Place& place, const LoadBalancer& balancer);
std::string arn_of(const Place& place, const TargetGroup& group);
std::string arn_of(const Place& place, const LoadBalancer& balancer, const Listener& listener);
std::string arn_of(const Place& place, const LoadBalancer& balancer, const Listener& listener,
                   const Rule& rule);
// Of the rule that every listener has: its default actions, with the listener's own id.
std::string default_rule_arn(const Place& place, const LoadBalancer& balancer,
                             const Listener& listener);

struct ListenerRef {
  const LoadBalancer* balancer;
  const Listener* listener;
};
struct RuleRef {
  const LoadBalancer* balancer;
  const Listener* listener;
  const Rule* rule;  // null: the default rule
};

// The object of an ARN. An ARN that is not of the form is a ValidationError; one that names nothing
// here is LoadBalancerNotFound, TargetGroupNotFound, ListenerNotFound or RuleNotFound.
AwsResult<const LoadBalancer*> find_load_balancer(const Config& config, const Place& place,
                                                  const std::string& arn);
AwsResult<const TargetGroup*> find_target_group(const Config& config, const Place& place,
                                                const std::string& arn);
AwsResult<ListenerRef> find_listener(const Config& config, const Place& place,
                                     const std::string& arn);
AwsResult<RuleRef> find_rule(const Config& config, const Place& place, const std::string& arn);
// Any of the four, for tags.
AwsResult<const Resource*> find_resource(const Config& config, const Place& place,
                                         const std::string& arn);

// For changing what was found in the state to be. What stands in it before is void after that.
LoadBalancer& changeable(Config& next, const LoadBalancer& found);
TargetGroup& changeable(Config& next, const TargetGroup& found);
Listener& changeable(Config& next, const ListenerRef& found);
Rule& changeable(Config& next, const RuleRef& found);  // not the default rule
AwsResult<Resource*> changeable_resource(Config& next, const Place& place, const std::string& arn);

}  // namespace sluice::gateway
