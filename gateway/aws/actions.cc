// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/actions.h"

#include "gateway/aws/ec2.h"
#include "gateway/aws/elbv2.h"

namespace sluice::gateway {
namespace {

constexpr ServiceNames kServices[] = {
    {AwsService::kElbv2,
     "Elastic Load Balancing v2",
     "elasticloadbalancing",
     "2015-12-01",
     "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
     {"ValidationError", "ValidationError", "ValidationError"}},
    {AwsService::kEc2,
     "EC2",
     "ec2",
     "2016-11-15",
     "http://ec2.amazonaws.com/doc/2016-11-15/",
     {"MissingParameter", "InvalidParameterValue", "UnknownParameter"}},
    {AwsService::kSts,
     "STS",
     "sts",
     "2011-06-15",
     "https://sts.amazonaws.com/doc/2011-06-15/",
     {"ValidationError", "ValidationError", "ValidationError"}},
};

constexpr auto kElb = AwsService::kElbv2;
constexpr auto kEc2 = AwsService::kEc2;
constexpr bool kRead = false, kWrite = true;

constexpr ActionRow kActions[] = {
    {kElb, "CreateLoadBalancer", kWrite, elbv2::create_load_balancer,
     "types gateway, network, application; addresses come from the subnets of `network`"},
    {kElb, "DescribeLoadBalancers", kRead, elbv2::describe_load_balancers,
     "`DNSName` is the first address: there is no name server"},
    {kElb, "DeleteLoadBalancer", kWrite, elbv2::delete_load_balancer,
     "with its listeners; not while an endpoint stands on it"},
    {kElb, "ModifyLoadBalancerAttributes", kWrite, elbv2::modify_load_balancer_attributes, ""},
    {kElb, "DescribeLoadBalancerAttributes", kRead, elbv2::describe_load_balancer_attributes, ""},
    {kElb, "SetSubnets", kWrite, elbv2::set_subnets, "subnets that stay keep their addresses"},
    {kElb, "SetSecurityGroups", kWrite, elbv2::set_security_groups,
     "those of `network`, which allow all"},
    {kElb, "SetIpAddressType", kWrite, elbv2::set_ip_address_type, "ipv4 only"},
    {kElb, "CreateTargetGroup", kWrite, elbv2::create_target_group,
     "protocols GENEVE, TCP, UDP, HTTP; targets by address or by a name of `network`"},
    {kElb, "DescribeTargetGroups", kRead, elbv2::describe_target_groups, ""},
    {kElb, "ModifyTargetGroup", kWrite, elbv2::modify_target_group, "health checks"},
    {kElb, "DeleteTargetGroup", kWrite, elbv2::delete_target_group,
     "not while a listener or rule forwards to it"},
    {kElb, "ModifyTargetGroupAttributes", kWrite, elbv2::modify_target_group_attributes, ""},
    {kElb, "DescribeTargetGroupAttributes", kRead, elbv2::describe_target_group_attributes, ""},
    {kElb, "RegisterTargets", kWrite, elbv2::register_targets, ""},
    {kElb, "DeregisterTargets", kWrite, elbv2::deregister_targets,
     "flows stay until the deregistration delay has passed"},
    {kElb, "DescribeTargetHealth", kRead, elbv2::describe_target_health,
     "a draining target is told when it is asked for by name"},
    {kElb, "CreateListener", kWrite, elbv2::create_listener,
     "one forward action; a gateway's has no protocol and port, a network's TCP or UDP, an "
     "application's HTTP"},
    {kElb, "DescribeListeners", kRead, elbv2::describe_listeners, ""},
    {kElb, "ModifyListener", kWrite, elbv2::modify_listener, ""},
    {kElb, "DeleteListener", kWrite, elbv2::delete_listener, ""},
    {kElb, "DescribeListenerAttributes", kRead, elbv2::describe_listener_attributes, ""},
    {kElb, "ModifyListenerAttributes", kWrite, elbv2::modify_listener_attributes, ""},
    {kElb, "CreateRule", kWrite, elbv2::create_rule,
     "conditions host-header and path-pattern, one forward action"},
    {kElb, "DescribeRules", kRead, elbv2::describe_rules, ""},
    {kElb, "ModifyRule", kWrite, elbv2::modify_rule, ""},
    {kElb, "DeleteRule", kWrite, elbv2::delete_rule, "not the default rule"},
    {kElb, "SetRulePriorities", kWrite, elbv2::set_rule_priorities, ""},
    {kElb, "AddTags", kWrite, elbv2::add_tags, ""},
    {kElb, "RemoveTags", kWrite, elbv2::remove_tags, ""},
    {kElb, "DescribeTags", kRead, elbv2::describe_tags, ""},
    {kElb, "AddListenerCertificates", kWrite, elbv2::add_listener_certificates,
     "refused: TLS is not terminated here"},
    {kElb, "RemoveListenerCertificates", kWrite, elbv2::remove_listener_certificates,
     "refused: TLS is not terminated here"},
    {kElb, "DescribeListenerCertificates", kRead, elbv2::describe_listener_certificates,
     "always empty"},
    {kElb, "DescribeSSLPolicies", kRead, elbv2::describe_ssl_policies, "always empty"},
    {kElb, "DescribeAccountLimits", kRead, elbv2::describe_account_limits,
     "the gateway's own limits"},

    {kEc2, "DescribeVpcs", kRead, ec2::describe_vpcs, "those of `network`"},
    {kEc2, "DescribeSubnets", kRead, ec2::describe_subnets, "those of `network`"},
    {kEc2, "DescribeAvailabilityZones", kRead, ec2::describe_availability_zones,
     "those of the subnets of `network`"},
    {kEc2, "DescribeSecurityGroups", kRead, ec2::describe_security_groups,
     "those of `network`; each allows all"},
    {kEc2, "DescribeInstances", kRead, ec2::describe_instances, "those of `network`"},
    {kEc2, "DescribeNetworkInterfaces", kRead, ec2::describe_network_interfaces, "always empty"},
    {kEc2, "DescribePrefixLists", kRead, ec2::describe_prefix_lists, "always empty"},
    {kEc2, "CreateVpcEndpointServiceConfiguration", kWrite,
     ec2::create_vpc_endpoint_service_configuration, "offers one gateway load balancer"},
    {kEc2, "DescribeVpcEndpointServiceConfigurations", kRead,
     ec2::describe_vpc_endpoint_service_configurations, ""},
    {kEc2, "DeleteVpcEndpointServiceConfigurations", kWrite,
     ec2::delete_vpc_endpoint_service_configurations, "not while an endpoint stands on it"},
    {kEc2, "DescribeVpcEndpointServices", kRead, ec2::describe_vpc_endpoint_services, ""},
    {kEc2, "DescribeVpcEndpointServicePermissions", kRead,
     ec2::describe_vpc_endpoint_service_permissions, "always empty"},
    {kEc2, "CreateVpcEndpoint", kWrite, ec2::create_vpc_endpoint,
     "type GatewayLoadBalancer: an attachment at the subnet's pair of interfaces"},
    {kEc2, "DescribeVpcEndpoints", kRead, ec2::describe_vpc_endpoints,
     "all attachments, those of the file too"},
    {kEc2, "ModifyVpcEndpoint", kWrite, ec2::modify_vpc_endpoint,
     "there is nothing to modify; what is asked for is refused by name"},
    {kEc2, "DeleteVpcEndpoints", kWrite, ec2::delete_vpc_endpoints, ""},
    {kEc2, "CreateTags", kWrite, ec2::create_tags, "of endpoints and endpoint services"},
    {kEc2, "DeleteTags", kWrite, ec2::delete_tags, "of endpoints and endpoint services"},
    {kEc2, "DescribeTags", kRead, ec2::describe_tags, "of endpoints and endpoint services"},
    {AwsService::kSts, "GetCallerIdentity", kRead, sts::get_caller_identity,
     "the access key as the user"},
};

}  // namespace

std::span<const ServiceNames> aws_services() { return kServices; }
std::span<const ActionRow> aws_actions() { return kActions; }

}  // namespace sluice::gateway
