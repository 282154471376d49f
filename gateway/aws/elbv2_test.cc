// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/aws_test_support.h"

namespace sluice::gateway {
namespace {

class Elbv2Test : public AwsTest {};

TEST_F(Elbv2Test, AGatewayIsMadeFedListedAndTakenAway) {
  const std::string balancer = make_balancer("gw", "gateway");
  EXPECT_TRUE(balancer.starts_with(
      "arn:aws:elasticloadbalancing:xx-lab-1:000000000000:loadbalancer/gwy/gw/"))
      << balancer;
  const std::string group = make_group("fw", "GENEVE", "6081");
  const AwsAnswer listener = make_listener(balancer, group);
  EXPECT_EQ(listener.error(), "") << listener.message();
  EXPECT_EQ(listener.at("Listeners/member/DefaultActions/member/TargetGroupArn"), group);
  EXPECT_EQ(listener.count("Listeners/member/Port"), 0u);
  EXPECT_EQ(listener.count("Listeners/member/Protocol"), 0u);

  EXPECT_EQ(
      elb("RegisterTargets", {{"TargetGroupArn", group}, {"Targets.member.1.Id", "10.9.0.20"}})
          .error(),
      "");
  ASSERT_EQ(plane.config().target_group("fw")->targets.size(), 1u);
  EXPECT_TRUE(controller.reconciler().group_index("fw"));  // it reached the data path
  const AwsAnswer health = elb("DescribeTargetHealth", {{"TargetGroupArn", group}});
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/Target/Id"), "10.9.0.20");
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/Target/Port"), "6081");
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/HealthCheckPort"), "80");
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/TargetHealth/State"), "initial");

  const AwsAnswer listed = elb("DescribeLoadBalancers");
  EXPECT_EQ(listed.all("LoadBalancers/member/LoadBalancerName"), "from-file gw");
  EXPECT_EQ(listed.all("LoadBalancers/member/State/Code"), "active active");
  EXPECT_EQ(listed.at("LoadBalancers/member[2]/VpcId"), "vpc-lab");
  EXPECT_EQ(listed.at("LoadBalancers/member[2]/AvailabilityZones/member/ZoneName"), "zone-a");
  EXPECT_EQ(listed.count("LoadBalancers/member[2]/Scheme"), 0u);
  EXPECT_EQ(elb("DescribeTargetGroups", {{"LoadBalancerArn", balancer}})
                .at("TargetGroups/member/TargetGroupName"),
            "fw");

  EXPECT_EQ(elb("DeleteTargetGroup", {{"TargetGroupArn", group}}).error(), "ResourceInUse");
  EXPECT_EQ(elb("DeleteLoadBalancer", {{"LoadBalancerArn", balancer}}).error(), "");
  EXPECT_EQ(elb("DeleteLoadBalancer", {{"LoadBalancerArn", balancer}}).error(), "");
  EXPECT_EQ(elb("DeleteTargetGroup", {{"TargetGroupArn", group}}).error(), "");
  EXPECT_EQ(elb("DeleteTargetGroup", {{"TargetGroupArn", group}}).error(), "");
  EXPECT_EQ(elb("DescribeLoadBalancers", {{"Names.member.1", "gw"}}).error(),
            "LoadBalancerNotFound");
}

TEST_F(Elbv2Test, ANetworkLoadBalancerGetsItsAddressesFromItsSubnets) {
  const AwsAnswer made =
      elb("CreateLoadBalancer", {{"Name", "nlb"},
                                 {"Type", "network"},
                                 {"Scheme", "internal"},
                                 {"SubnetMappings.member.1.SubnetId", "subnet-a"},
                                 {"SubnetMappings.member.2.SubnetId", "subnet-b"},
                                 {"SubnetMappings.member.2.PrivateIPv4Address", "10.2.0.3"}});
  EXPECT_EQ(made.error(), "") << made.message();
  EXPECT_EQ(made.at("LoadBalancers/member/DNSName"), "10.1.0.254");
  EXPECT_EQ(made.at("LoadBalancers/member/Scheme"), "internal");
  EXPECT_EQ(made.all("LoadBalancers/member/AvailabilityZones/member/LoadBalancerAddresses/member/"
                     "PrivateIPv4Address"),
            "10.1.0.254 10.2.0.3");
  const std::string arn = made.at("LoadBalancers/member/LoadBalancerArn");
  const std::string group = make_group("tcp", "TCP", "80", "instance");
  EXPECT_EQ(
      elb("RegisterTargets", {{"TargetGroupArn", group}, {"Targets.member.1.Id", "i-one"}}).error(),
      "");
  EXPECT_EQ(elb("DescribeTargetHealth", {{"TargetGroupArn", group}})
                .at("TargetHealthDescriptions/member/Target/Id"),
            "i-one");
  const AwsAnswer listener = make_listener(arn, group, {{"Protocol", "TCP"}, {"Port", "80"}});
  EXPECT_EQ(listener.error(), "") << listener.message();
  EXPECT_EQ(listener.at("Listeners/member/Port"), "80");

  // The next one gets others, and one subnet may go.
  EXPECT_EQ(elb("SetSubnets", {{"LoadBalancerArn", arn}, {"Subnets.member.1", "subnet-a"}})
                .all("AvailabilityZones/member/LoadBalancerAddresses/member/PrivateIPv4Address"),
            "10.1.0.254");
  make_balancer("second", "network");
  EXPECT_EQ(plane.config().load_balancer("second")->subnet_mappings[0].address.text(),
            "10.1.0.253");
}

TEST_F(Elbv2Test, WhatIsMadeTwiceTheSameIsTheSame) {
  const std::string arn = make_balancer("gw", "gateway");
  const auto generation = plane.generation();
  EXPECT_EQ(make_balancer("gw", "gateway"), arn);
  EXPECT_EQ(plane.generation(), generation);
  EXPECT_EQ(elb("CreateLoadBalancer",
                {{"Name", "gw"}, {"Type", "gateway"}, {"Subnets.member.1", "subnet-b"}})
                .error(),
            "DuplicateLoadBalancerName");
  const std::string group = make_group("fw", "GENEVE", "6081");
  EXPECT_EQ(make_group("fw", "GENEVE", "6081"), group);
  EXPECT_EQ(elb("CreateTargetGroup", {{"Name", "fw"},
                                      {"Protocol", "TCP"},
                                      {"Port", "80"},
                                      {"TargetType", "ip"},
                                      {"VpcId", "vpc-lab"}})
                .error(),
            "DuplicateTargetGroupName");
  const std::string listener = make_listener(arn, group).at("Listeners/member/ListenerArn");
  EXPECT_EQ(make_listener(arn, group).at("Listeners/member/ListenerArn"), listener);
  const std::string other = make_group("fw2", "GENEVE", "6081");
  EXPECT_EQ(make_listener(arn, other).error(), "TooManyListeners");
}

TEST_F(Elbv2Test, AttributesActOrAreRefusedInTheWordsClientsKnow) {
  const std::string arn = make_balancer("gw", "gateway");
  const AwsAnswer before = elb("DescribeLoadBalancerAttributes", {{"LoadBalancerArn", arn}});
  EXPECT_EQ(before.at("Attributes/member[Key='deletion_protection.enabled']/Value"), "false");
  EXPECT_EQ(elb("ModifyLoadBalancerAttributes",
                {{"LoadBalancerArn", arn},
                 {"Attributes.member.1.Key", "deletion_protection.enabled"},
                 {"Attributes.member.1.Value", "true"},
                 {"Attributes.member.2.Key", "load_balancing.cross_zone.enabled"},
                 {"Attributes.member.2.Value", "false"}})
                .at("Attributes/member[Key='deletion_protection.enabled']/Value"),
            "true");
  EXPECT_EQ(elb("DeleteLoadBalancer", {{"LoadBalancerArn", arn}}).error(), "OperationNotPermitted");
  const AwsAnswer unknown =
      elb("ModifyLoadBalancerAttributes", {{"LoadBalancerArn", arn},
                                           {"Attributes.member.1.Key", "routing.http2.enabled"},
                                           {"Attributes.member.1.Value", "true"}});
  EXPECT_EQ(unknown.message(),
            "Load balancer attribute key 'routing.http2.enabled' is not recognized");

  const std::string group = make_group("fw", "GENEVE", "6081");
  EXPECT_EQ(elb("ModifyTargetGroupAttributes",
                {{"TargetGroupArn", group},
                 {"Attributes.member.1.Key", "deregistration_delay.timeout_seconds"},
                 {"Attributes.member.1.Value", "5000"}})
                .error(),
            "InvalidConfigurationRequest");
  EXPECT_EQ(elb("ModifyTargetGroupAttributes",
                {{"TargetGroupArn", group},
                 {"Attributes.member.1.Key", "deregistration_delay.timeout_seconds"},
                 {"Attributes.member.1.Value", "5"}})
                .at("Attributes/member[Key='deregistration_delay.timeout_seconds']/Value"),
            "5");
  const std::string listener = make_listener(arn, group).at("Listeners/member/ListenerArn");
  EXPECT_EQ(
      elb("ModifyListenerAttributes", {{"ListenerArn", listener},
                                       {"Attributes.member.1.Key", "tcp.idle_timeout.seconds"},
                                       {"Attributes.member.1.Value", "600"}})
          .at("Attributes/member[Key='tcp.idle_timeout.seconds']/Value"),
      "600");
  EXPECT_EQ(elb("DescribeListenerAttributes", {{"ListenerArn", listener}})
                .at("Attributes/member[Key='tcp.idle_timeout.seconds']/Value"),
            "600");
  // The data path has one: another listener shows it, and sets it for all.
  const std::string other = make_balancer("gw2", "gateway");
  const std::string second = make_listener(other, group).at("Listeners/member/ListenerArn");
  const auto shown = [&](const std::string& one) {
    return elb("DescribeListenerAttributes", {{"ListenerArn", one}})
        .at("Attributes/member[Key='tcp.idle_timeout.seconds']/Value");
  };
  EXPECT_EQ(shown(second), "600");
  for (const std::string& one : {second, listener}) {
    const std::string value = one == second ? "700" : "350";
    EXPECT_EQ(
        elb("ModifyListenerAttributes", {{"ListenerArn", one},
                                         {"Attributes.member.1.Key", "tcp.idle_timeout.seconds"},
                                         {"Attributes.member.1.Value", value}})
            .error(),
        "");
    EXPECT_EQ(shown(listener), value);
    EXPECT_EQ(shown(second), value);
  }
}

TEST_F(Elbv2Test, DeregisteredTargetsAreTold) {
  const std::string balancer = make_balancer("gw", "gateway");
  const std::string group = make_group("fw", "GENEVE", "6081");
  make_listener(balancer, group);
  const Fields target{{"TargetGroupArn", group}, {"Targets.member.1.Id", "10.9.0.20"}};
  EXPECT_EQ(elb("DeregisterTargets", target).error(), "");  // of an unknown one
  EXPECT_EQ(
      elb("DescribeTargetHealth", target).at("TargetHealthDescriptions/member/TargetHealth/Reason"),
      "Target.NotRegistered");
  elb("RegisterTargets", target);
  EXPECT_EQ(elb("RegisterTargets", target).error(), "");
  EXPECT_EQ(elb("DeregisterTargets", target).error(), "");
  EXPECT_EQ(
      elb("DescribeTargetHealth", target).at("TargetHealthDescriptions/member/TargetHealth/State"),
      "draining");
  EXPECT_EQ(
      elb("DescribeTargetHealth", {{"TargetGroupArn", group}}).count("TargetHealthDescriptions"),
      1u);  // an empty list, not none
}

TEST_F(Elbv2Test, TagsOfEveryKindOfObject) {
  const std::string balancer = make_balancer("gw", "gateway");
  const std::string group = make_group("fw", "GENEVE", "6081");
  const std::string listener = make_listener(balancer, group).at("Listeners/member/ListenerArn");
  for (const std::string& arn : {balancer, group, listener}) {
    EXPECT_EQ(elb("AddTags", {{"ResourceArns.member.1", arn},
                              {"Tags.member.1.Key", "team"},
                              {"Tags.member.1.Value", "a & <b>"}})
                  .error(),
              "");
    EXPECT_EQ(elb("DescribeTags", {{"ResourceArns.member.1", arn}})
                  .at("TagDescriptions/member/Tags/member[Key='team']/Value"),
              "a & <b>");
    EXPECT_EQ(
        elb("RemoveTags", {{"ResourceArns.member.1", arn}, {"TagKeys.member.1", "team"}}).error(),
        "");
    EXPECT_EQ(elb("DescribeTags", {{"ResourceArns.member.1", arn}})
                  .count("TagDescriptions/member/Tags/member"),
              0u);
  }
  EXPECT_EQ(elb("AddTags", {{"ResourceArns.member.1", group},
                            {"Tags.member.1.Key", "a"},
                            {"Tags.member.2.Key", "a"}})
                .error(),
            "DuplicateTagKeys");
  Fields many{{"ResourceArns.member.1", group}};
  for (int i = 1; i <= 51; i++)
    many.emplace_back("Tags.member." + std::to_string(i) + ".Key", "k" + std::to_string(i));
  EXPECT_EQ(elb("AddTags", many).error(), "TooManyTags");
}

TEST_F(Elbv2Test, PagesFollowOnEachOtherAndEnd) {
  for (int i = 0; i < 5; i++) make_group("g" + std::to_string(i), "UDP", "53");
  std::string names, marker;
  int pages = 0;
  do {
    Fields fields{{"PageSize", "2"}};
    if (!marker.empty()) fields.emplace_back("Marker", marker);
    const AwsAnswer page = elb("DescribeTargetGroups", fields);
    names += page.all("TargetGroups/member/TargetGroupName") + " ";
    marker = page.at("NextMarker");
    pages++;
  } while (!marker.empty());
  EXPECT_EQ(names, "g0 g1 g2 g3 g4 ids ");
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(elb("DescribeTargetGroups", {{"PageSize", "401"}}).error(), "ValidationError");
  EXPECT_EQ(elb("DescribeTargetGroups", {{"PageSize", "0"}}).error(), "ValidationError");
}

TEST_F(Elbv2Test, AModifiedTargetGroupIsCheckedInAnotherWay) {
  const std::string group = make_group("fw", "GENEVE", "6081");
  const AwsAnswer now = elb("ModifyTargetGroup", {{"TargetGroupArn", group},
                                                  {"HealthCheckProtocol", "HTTP"},
                                                  {"HealthCheckPath", "/up"},
                                                  {"HealthCheckPort", "8080"},
                                                  {"Matcher.HttpCode", "200-299"},
                                                  {"HealthyThresholdCount", "3"}});
  EXPECT_EQ(now.error(), "") << now.message();
  EXPECT_EQ(now.at("TargetGroups/member/HealthCheckPath"), "/up");
  EXPECT_EQ(now.at("TargetGroups/member/Matcher/HttpCode"), "200-299");
  EXPECT_EQ(plane.config().target_group("fw")->health_check.port, 8080);
  EXPECT_EQ(elb("ModifyTargetGroup", {{"TargetGroupArn", group}, {"Matcher.HttpCode", "200-499"}})
                .error(),
            "ValidationError");
}

TEST_F(Elbv2Test, AGroupThatFollowsASourceTakesNoTargetsByHand) {
  const std::string group = elb("DescribeTargetGroups", {{"Names.member.1", "ids"}})
                                .at("TargetGroups/member/TargetGroupArn");
  const auto set = [&](const char* value) {
    return elb("ModifyTargetGroupAttributes", {{"TargetGroupArn", group},
                                               {"Attributes.member.1.Key", "sluice.discover.file"},
                                               {"Attributes.member.1.Value", value}});
  };
  EXPECT_EQ(set("relative").error(), "InvalidConfigurationRequest");
  EXPECT_EQ(set("/run/ids").error(), "");
  EXPECT_NE(elb("DescribeTargetGroupAttributes", {{"TargetGroupArn", group}})
                .all("Attributes/member/Key")
                .find("sluice.discover.file"),
            std::string::npos);
  const Fields target = {{"TargetGroupArn", group}, {"Targets.member.1.Id", "10.9.0.20"}};
  EXPECT_EQ(elb("RegisterTargets", target).error(), "OperationNotPermitted");
  EXPECT_EQ(elb("DeregisterTargets", target).error(), "OperationNotPermitted");
  EXPECT_EQ(set("").error(), "");
  EXPECT_EQ(elb("RegisterTargets", target).error(), "");
}

std::string with_tunnel_over_ipv6() {
  std::string yaml = kAwsTestYaml;
  const std::string_view address = "address: 10.9.0.1";
  yaml.insert(yaml.find(address) + address.size(), ", ipv6_address: \"fd09::1\"");
  return yaml;
}

const std::vector<std::pair<std::string, std::string>> kGroupOverIpv6 = {
    {"Name", "six"},      {"Protocol", "GENEVE"}, {"Port", "6081"},
    {"TargetType", "ip"}, {"VpcId", "vpc-lab"},   {"IpAddressType", "ipv6"}};

class Elbv2OverIpv6Test : public AwsTest {
 protected:
  Elbv2OverIpv6Test()
      : AwsTest({{"xx-lab-1", "000000000000"}, {}, true}, with_tunnel_over_ipv6()) {}
};

TEST_F(Elbv2OverIpv6Test, AppliancesHaveIpv6Addresses) {
  const AwsAnswer made = elb("CreateTargetGroup", kGroupOverIpv6);
  ASSERT_EQ(made.error(), "") << made.message();
  EXPECT_EQ(made.at("TargetGroups/member/IpAddressType"), "ipv6");
  const std::string group = made.at("TargetGroups/member/TargetGroupArn");
  ASSERT_EQ(make_listener(make_balancer("gw", "gateway"), group).error(), "");
  const auto registered = [&](const char* id) {
    return elb("RegisterTargets", {{"TargetGroupArn", group}, {"Targets.member.1.Id", id}});
  };
  EXPECT_EQ(registered("fd09::11").error(), "");
  const TargetGroup& there = *plane.config().target_group("six");
  ASSERT_EQ(there.targets.size(), 1u);
  const auto index = controller.reconciler().target_index(Protocol::kGeneve, there.targets[0]);
  ASSERT_TRUE(index);
  EXPECT_EQ(controller.tables().targets[*index].version, 6);
  const AwsAnswer health = elb("DescribeTargetHealth", {{"TargetGroupArn", group}});
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/Target/Id"), "fd09::11");
  EXPECT_EQ(health.at("TargetHealthDescriptions/member/Target/Port"), "6081");
  EXPECT_EQ(registered("10.9.0.12").error(), "InvalidTarget");
  const AwsAnswer link_local = registered("fe80::12");
  EXPECT_EQ(link_local.error(), "InvalidConfigurationRequest");
  EXPECT_NE(link_local.message().find("fe80::12 is no global or unique local IPv6 address"),
            std::string::npos)
      << link_local.message();
  EXPECT_EQ(
      elb("DeregisterTargets", {{"TargetGroupArn", group}, {"Targets.member.1.Id", "fd09::11"}})
          .error(),
      "");
  EXPECT_TRUE(plane.config().target_group("six")->targets.empty());
}

TEST_F(Elbv2Test, AppliancesOverIpv6NeedAnAddressOfTheGateway) {
  const AwsAnswer refused = elb("CreateTargetGroup", kGroupOverIpv6);
  EXPECT_EQ(refused.error(), "InvalidConfigurationRequest");
  EXPECT_NE(refused.message().find("appliances with IPv6 addresses need "
                                   "gateway.tunnel.ipv6_address"),
            std::string::npos)
      << refused.message();
}

}  // namespace
}  // namespace sluice::gateway
