// SPDX-License-Identifier: Apache-2.0
// The actions of Elastic Load Balancing v2 (2015-12-01). Each reads its parameters, changes or
// looks at the state, and writes its result. actions.cc has the list.
#pragma once

#include "gateway/aws/call.h"

namespace sluice::gateway::elbv2 {

// elbv2_load_balancers.cc
AwsResult<> create_load_balancer(Call& call);
AwsResult<> describe_load_balancers(Call& call);
AwsResult<> delete_load_balancer(Call& call);
AwsResult<> set_subnets(Call& call);
AwsResult<> set_security_groups(Call& call);
AwsResult<> set_ip_address_type(Call& call);

// elbv2_target_groups.cc
AwsResult<> create_target_group(Call& call);
AwsResult<> describe_target_groups(Call& call);
AwsResult<> modify_target_group(Call& call);
AwsResult<> delete_target_group(Call& call);

// elbv2_targets.cc
AwsResult<> register_targets(Call& call);
AwsResult<> deregister_targets(Call& call);
AwsResult<> describe_target_health(Call& call);

// elbv2_listeners.cc
AwsResult<> create_listener(Call& call);
AwsResult<> describe_listeners(Call& call);
AwsResult<> modify_listener(Call& call);
AwsResult<> delete_listener(Call& call);
AwsResult<> add_listener_certificates(Call& call);
AwsResult<> remove_listener_certificates(Call& call);
AwsResult<> describe_listener_certificates(Call& call);
AwsResult<> describe_ssl_policies(Call& call);

// elbv2_rules.cc
AwsResult<> create_rule(Call& call);
AwsResult<> describe_rules(Call& call);
AwsResult<> modify_rule(Call& call);
AwsResult<> delete_rule(Call& call);
AwsResult<> set_rule_priorities(Call& call);

// elbv2_attributes.cc
AwsResult<> describe_load_balancer_attributes(Call& call);
AwsResult<> modify_load_balancer_attributes(Call& call);
AwsResult<> describe_target_group_attributes(Call& call);
AwsResult<> modify_target_group_attributes(Call& call);
AwsResult<> describe_listener_attributes(Call& call);
AwsResult<> modify_listener_attributes(Call& call);

// elbv2_tags.cc
AwsResult<> add_tags(Call& call);
AwsResult<> remove_tags(Call& call);
AwsResult<> describe_tags(Call& call);
AwsResult<> describe_account_limits(Call& call);

}  // namespace sluice::gateway::elbv2
