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
    {kElb, kWrite, "CreateLoadBalancer", elbv2::create_load_balancer,
     "addresses come from the subnets of `network`. One of type application is `provisioning` "
     "until "
     "a sluice-proxy serves it"},
    {kElb, kRead, "DescribeLoadBalancers", elbv2::describe_load_balancers,
     "`DNSName` is the first address: there is no name server"},
    {kElb, kWrite, "DeleteLoadBalancer", elbv2::delete_load_balancer,
     "with its listeners; not while an endpoint stands on it"},
    {kElb, kWrite, "ModifyLoadBalancerAttributes", elbv2::modify_load_balancer_attributes, ""},
    {kElb, kRead, "DescribeLoadBalancerAttributes", elbv2::describe_load_balancer_attributes, ""},
    {kElb, kWrite, "SetSubnets", elbv2::set_subnets, "subnets that stay keep their addresses"},
    {kElb, kWrite, "SetSecurityGroups", elbv2::set_security_groups,
     "those of `network`, which allow all"},
    {kElb, kWrite, "SetIpAddressType", elbv2::set_ip_address_type, "ipv4 only"},
    {kElb, kWrite, "CreateTargetGroup", elbv2::create_target_group,
     "protocols GENEVE, TCP, UDP, HTTP; targets by address or by a name of `network`"},
    {kElb, kRead, "DescribeTargetGroups", elbv2::describe_target_groups, ""},
    {kElb, kWrite, "ModifyTargetGroup", elbv2::modify_target_group, "health checks"},
    {kElb, kWrite, "DeleteTargetGroup", elbv2::delete_target_group,
     "not while a listener or rule forwards to it"},
    {kElb, kWrite, "ModifyTargetGroupAttributes", elbv2::modify_target_group_attributes, ""},
    {kElb, kRead, "DescribeTargetGroupAttributes", elbv2::describe_target_group_attributes, ""},
    {kElb, kWrite, "RegisterTargets", elbv2::register_targets, ""},
    {kElb, kWrite, "DeregisterTargets", elbv2::deregister_targets,
     "flows stay until the deregistration delay has passed"},
    {kElb, kRead, "DescribeTargetHealth", elbv2::describe_target_health,
     "a draining target is told when it is asked for by name; of HTTP targets what sluice-proxy "
     "says"},
    {kElb, kWrite, "CreateListener", elbv2::create_listener,
     "a gateway's has no protocol and port, a network's TCP or UDP, an application's HTTP; one "
     "action: forward, for gateways and applications also weighted, for applications also "
     "redirect, fixed-response"},
    {kElb, kRead, "DescribeListeners", elbv2::describe_listeners, ""},
    {kElb, kWrite, "ModifyListener", elbv2::modify_listener, ""},
    {kElb, kWrite, "DeleteListener", elbv2::delete_listener, ""},
    {kElb, kRead, "DescribeListenerAttributes", elbv2::describe_listener_attributes, ""},
    {kElb, kWrite, "ModifyListenerAttributes", elbv2::modify_listener_attributes, ""},
    {kElb, kWrite, "CreateRule", elbv2::create_rule,
     "of application load balancers; conditions and actions of [ALB](features/alb.md#rules)"},
    {kElb, kRead, "DescribeRules", elbv2::describe_rules, ""},
    {kElb, kWrite, "ModifyRule", elbv2::modify_rule, ""},
    {kElb, kWrite, "DeleteRule", elbv2::delete_rule, ""},
    {kElb, kWrite, "SetRulePriorities", elbv2::set_rule_priorities, ""},
    {kElb, kWrite, "AddTags", elbv2::add_tags, ""},
    {kElb, kWrite, "RemoveTags", elbv2::remove_tags, ""},
    {kElb, kRead, "DescribeTags", elbv2::describe_tags, ""},
    {kElb, kWrite, "AddListenerCertificates", elbv2::add_listener_certificates,
     "refused: TLS is not terminated here"},
    {kElb, kWrite, "RemoveListenerCertificates", elbv2::remove_listener_certificates,
     "refused: TLS is not terminated here"},
    {kElb, kRead, "DescribeListenerCertificates", elbv2::describe_listener_certificates,
     "always empty"},
    {kElb, kRead, "DescribeSSLPolicies", elbv2::describe_ssl_policies, "always empty"},
    {kElb, kRead, "DescribeAccountLimits", elbv2::describe_account_limits,
     "the gateway's own limits"},

    {kEc2, kRead, "DescribeVpcs", ec2::describe_vpcs, "those of `network`"},
    {kEc2, kRead, "DescribeSubnets", ec2::describe_subnets, "those of `network`"},
    {kEc2, kRead, "DescribeAvailabilityZones", ec2::describe_availability_zones,
     "those of the subnets of `network`"},
    {kEc2, kRead, "DescribeSecurityGroups", ec2::describe_security_groups,
     "those of `network`; each allows all"},
    {kEc2, kRead, "DescribeInstances", ec2::describe_instances, "those of `network`"},
    {kEc2, kRead, "DescribeNetworkInterfaces", ec2::describe_network_interfaces, "always empty"},
    {kEc2, kRead, "DescribePrefixLists", ec2::describe_prefix_lists, "always empty"},
    {kEc2, kWrite, "CreateVpcEndpointServiceConfiguration",
     ec2::create_vpc_endpoint_service_configuration, "offers one gateway load balancer"},
    {kEc2, kRead, "DescribeVpcEndpointServiceConfigurations",
     ec2::describe_vpc_endpoint_service_configurations, ""},
    {kEc2, kWrite, "DeleteVpcEndpointServiceConfigurations",
     ec2::delete_vpc_endpoint_service_configurations, "not while an endpoint stands on it"},
    {kEc2, kRead, "DescribeVpcEndpointServices", ec2::describe_vpc_endpoint_services, ""},
    {kEc2, kRead, "DescribeVpcEndpointServicePermissions",
     ec2::describe_vpc_endpoint_service_permissions, "always empty"},
    {kEc2, kWrite, "CreateVpcEndpoint", ec2::create_vpc_endpoint,
     "type GatewayLoadBalancer: an attachment at the subnet's pair of interfaces"},
    {kEc2, kRead, "DescribeVpcEndpoints", ec2::describe_vpc_endpoints,
     "all attachments, those of the file too"},
    {kEc2, kWrite, "ModifyVpcEndpoint", ec2::modify_vpc_endpoint,
     "there is nothing to modify; what is asked for is refused by name"},
    {kEc2, kWrite, "DeleteVpcEndpoints", ec2::delete_vpc_endpoints, ""},
    {kEc2, kWrite, "CreateTags", ec2::create_tags, "of endpoints and endpoint services"},
    {kEc2, kWrite, "DeleteTags", ec2::delete_tags, "of endpoints and endpoint services"},
    {kEc2, kRead, "DescribeTags", ec2::describe_tags, "of endpoints and endpoint services"},
    {AwsService::kSts, kRead, "GetCallerIdentity", sts::get_caller_identity,
     "the access key as the user"},
};

}  // namespace

std::span<const ServiceNames> aws_services() { return kServices; }
std::span<const ActionRow> aws_actions() { return kActions; }

}  // namespace sluice::gateway
