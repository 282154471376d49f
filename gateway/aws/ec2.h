// SPDX-License-Identifier: Apache-2.0
// The actions of EC2 (2016-11-15) that somebody needs who puts a gateway load balancer into a
// network: what the network is, and endpoints. The network is what the configuration file says, and
// cannot be changed here. actions.cc has the list.
#pragma once

#include "gateway/aws/call.h"

namespace sluice::gateway::ec2 {

// ec2_network.cc
AwsResult<> describe_vpcs(Call& call);
AwsResult<> describe_subnets(Call& call);
AwsResult<> describe_availability_zones(Call& call);
AwsResult<> describe_security_groups(Call& call);
AwsResult<> describe_instances(Call& call);
AwsResult<> describe_network_interfaces(Call& call);
AwsResult<> describe_prefix_lists(Call& call);

// ec2_endpoint_services.cc
AwsResult<> create_vpc_endpoint_service_configuration(Call& call);
AwsResult<> describe_vpc_endpoint_service_configurations(Call& call);
AwsResult<> delete_vpc_endpoint_service_configurations(Call& call);
AwsResult<> describe_vpc_endpoint_services(Call& call);
AwsResult<> describe_vpc_endpoint_service_permissions(Call& call);

// ec2_endpoints.cc
AwsResult<> create_vpc_endpoint(Call& call);
AwsResult<> describe_vpc_endpoints(Call& call);
AwsResult<> modify_vpc_endpoint(Call& call);
AwsResult<> delete_vpc_endpoints(Call& call);

// ec2_tags.cc
AwsResult<> create_tags(Call& call);
AwsResult<> delete_tags(Call& call);
AwsResult<> describe_tags(Call& call);

}  // namespace sluice::gateway::ec2

namespace sluice::gateway::sts {

AwsResult<> get_caller_identity(Call& call);

}  // namespace sluice::gateway::sts
