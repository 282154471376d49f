// SPDX-License-Identifier: Apache-2.0
// What no client may ask for, and the words that it is refused in.
#include "gateway/aws/aws_test_support.h"

namespace sluice::gateway {
namespace {

class Elbv2RefusalsTest : public AwsTest {};

// Each is refused with this code, in words that have this text in them.
TEST_F(Elbv2RefusalsTest, WhatCannotBeIsRefusedByName) {
  const std::string gateway = make_balancer("gw", "gateway");
  const std::string network = make_balancer("nlb", "network");
  const std::string geneve = make_group("fw", "GENEVE", "6081");
  const std::string tcp = make_group("tcp", "TCP", "80");
  const std::string nowhere =
      "arn:aws:elasticloadbalancing:xx-lab-1:000000000000:loadbalancer/gwy/x/0123456789abcdef";
  const Fields lb{{"Name", "x"}, {"Type", "network"}, {"Subnets.member.1", "subnet-a"}};
  const Fields tg{{"Name", "x"}, {"Protocol", "TCP"}, {"Port", "80"}, {"TargetType", "ip"}};
  const auto with = [](Fields fields, const Fields& more) {
    for (const auto& one : more) {
      std::erase_if(fields, [&](const auto& field) { return field.first == one.first; });
      if (one.second != "-") fields.push_back(one);
    }
    return fields;
  };
  const struct {
    const char* action;
    Fields fields;
    const char* code;
    const char* text;
  } cases[] = {
      {"CreateLoadBalancer", with(lb, {{"Type", "bogus"}}), "ValidationError", "must be one of"},
      {"CreateLoadBalancer", with(lb, {{"Name", "-x"}}), "ValidationError", "hyphen"},
      {"CreateLoadBalancer", with(lb, {{"Name", "internal-x"}}), "ValidationError", "internal-"},
      {"CreateLoadBalancer", with(lb, {{"Name", "-"}}), "ValidationError", "'Name' must be given"},
      {"CreateLoadBalancer", with(lb, {{"Subnets.member.1", "-"}}), "ValidationError", "subnet"},
      {"CreateLoadBalancer", with(lb, {{"Subnets.member.1", "subnet-x"}}), "SubnetNotFound",
       "subnet-x"},
      {"CreateLoadBalancer", with(lb, {{"Subnets.member.2", "subnet-c"}}),
       "InvalidConfigurationRequest", "Availability Zone"},
      {"CreateLoadBalancer", with(lb, {{"Subnets.member.2", "subnet-far"}}), "InvalidSubnet",
       "same VPC"},
      {"CreateLoadBalancer", with(lb, {{"SecurityGroups.member.1", "sg-x"}}),
       "InvalidSecurityGroup", "sg-x"},
      {"CreateLoadBalancer", with(lb, {{"Type", "gateway"}, {"Scheme", "internal"}}),
       "ValidationError", "Scheme"},
      {"CreateLoadBalancer", with(lb, {{"IpAddressType", "dualstack"}}),
       "InvalidConfigurationRequest", "dualstack"},
      {"CreateLoadBalancer",
       with(lb, {{"Subnets.member.1", "-"},
                 {"SubnetMappings.member.1.SubnetId", "subnet-a"},
                 {"SubnetMappings.member.1.PrivateIPv4Address", "10.2.0.9"}}),
       "InvalidConfigurationRequest", "10.2.0.9"},
      {"CreateLoadBalancer",
       with(lb, {{"Subnets.member.1", "-"},
                 {"SubnetMappings.member.1.SubnetId", "subnet-a"},
                 {"SubnetMappings.member.1.AllocationId", "eipalloc-1"}}),
       "AllocationIdNotFound", "Elastic"},
      {"CreateLoadBalancer", with(lb, {{"Colour", "red"}}), "ValidationError", "'Colour'"},
      {"DescribeLoadBalancers",
       {{"LoadBalancerArns.member.1", nowhere}},
       "LoadBalancerNotFound",
       "not found"},
      {"DescribeLoadBalancers",
       {{"LoadBalancerArns.member.1", "gw"}},
       "ValidationError",
       "not a valid load balancer ARN"},
      {"CreateTargetGroup", with(tg, {{"Protocol", "TLS"}}), "UnsupportedProtocol", "TLS"},
      {"CreateTargetGroup", with(tg, {{"Protocol", "SCTP"}}), "ValidationError", "GENEVE"},
      {"CreateTargetGroup", with(tg, {{"Protocol", "GENEVE"}}), "ValidationError", "6081"},
      {"CreateTargetGroup", with(tg, {{"TargetType", "lambda"}}), "InvalidConfigurationRequest",
       "lambda"},
      {"CreateTargetGroup", with(tg, {{"VpcId", "vpc-x"}}), "ValidationError", "vpc-x"},
      {"CreateTargetGroup", with(tg, {{"HealthCheckIntervalSeconds", "301"}}), "ValidationError",
       "5 to 300"},
      {"CreateTargetGroup", with(tg, {{"ProtocolVersion", "GRPC"}}), "ValidationError", "HTTP"},
      {"RegisterTargets",
       {{"TargetGroupArn", geneve}, {"Targets.member.1.Id", "i-one"}},
       "InvalidTarget",
       "i-one"},
      {"RegisterTargets",
       {{"TargetGroupArn", geneve}, {"Targets.member.1.Id", "fd00::1"}},
       "InvalidTarget",
       "IP address type"},
      {"RegisterTargets",
       {{"TargetGroupArn", geneve},
        {"Targets.member.1.Id", "10.9.0.2"},
        {"Targets.member.1.Port", "80"}},
       "InvalidTarget",
       "6081"},
      {"RegisterTargets", {{"TargetGroupArn", geneve}}, "ValidationError", "Targets"},
      {"CreateListener",
       {{"LoadBalancerArn", gateway},
        {"Protocol", "TCP"},
        {"Port", "80"},
        {"DefaultActions.member.1.Type", "forward"},
        {"DefaultActions.member.1.TargetGroupArn", geneve}},
       "ValidationError",
       "gateway"},
      {"CreateListener",
       {{"LoadBalancerArn", gateway},
        {"DefaultActions.member.1.Type", "forward"},
        {"DefaultActions.member.1.TargetGroupArn", tcp}},
       "IncompatibleProtocols",
       "GENEVE"},
      {"CreateListener",
       {{"LoadBalancerArn", network},
        {"Protocol", "TLS"},
        {"Port", "443"},
        {"DefaultActions.member.1.Type", "forward"},
        {"DefaultActions.member.1.TargetGroupArn", tcp}},
       "UnsupportedProtocol",
       "TLS"},
      {"CreateListener",
       {{"LoadBalancerArn", network},
        {"Protocol", "TCP"},
        {"Port", "80"},
        {"Certificates.member.1.CertificateArn", "x"},
        {"DefaultActions.member.1.Type", "forward"},
        {"DefaultActions.member.1.TargetGroupArn", tcp}},
       "InvalidConfigurationRequest",
       "TLS"},
      {"CreateListener",
       {{"LoadBalancerArn", network},
        {"Protocol", "TCP"},
        {"Port", "80"},
        {"DefaultActions.member.1.Type", "redirect"},
        {"DefaultActions.member.1.RedirectConfig.Port", "443"},
        {"DefaultActions.member.1.RedirectConfig.StatusCode", "HTTP_301"}},
       "InvalidLoadBalancerAction",
       "redirect"},
      {"CreateListener",
       {{"LoadBalancerArn", network},
        {"Protocol", "TCP"},
        {"Port", "80"},
        {"DefaultActions.member.1.Type", "forward"},
        {"DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn", tcp},
        {"DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn", geneve}},
       "InvalidLoadBalancerAction",
       "Weights"},
      {"DescribeCapacityReservation",
       {{"LoadBalancerArn", gateway}},
       "InvalidAction",
       "DescribeCapacityReservation"},
      {"DescribeSSLPolicies", {{"Names.member.1", "x"}}, "SSLPolicyNotFound", "x"},
      {"DescribeTags", {}, "ValidationError", "ResourceArns"},
  };
  const auto generation = plane.generation();
  for (const auto& one : cases) {
    const AwsAnswer answer = elb(one.action, one.fields);
    EXPECT_EQ(answer.error(), one.code) << one.action << ": " << answer.message();
    EXPECT_EQ(answer.status, 400) << one.action;
    EXPECT_NE(answer.message().find(one.text), std::string::npos)
        << one.action << ": " << answer.message();
  }
  EXPECT_EQ(plane.generation(), generation);
}

}  // namespace
}  // namespace sluice::gateway
