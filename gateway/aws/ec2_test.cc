// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/arn.h"
#include "gateway/aws/aws_test_support.h"

namespace sluice::gateway {
namespace {

class Ec2Test : public AwsTest {
 protected:
  AwsAnswer make_service(const std::string& token = "") {
    const std::string arn = make_balancer("gw", "gateway");
    Fields fields{{"GatewayLoadBalancerArn.1", arn}, {"AcceptanceRequired", "false"}};
    if (!token.empty()) fields.emplace_back("ClientToken", token);
    return ec2("CreateVpcEndpointServiceConfiguration", fields);
  }
  Fields endpoint(const std::string& service, const std::string& subnet = "subnet-a") {
    return {{"VpcEndpointType", "GatewayLoadBalancer"},
            {"VpcId", "vpc-lab"},
            {"ServiceName", service},
            {"SubnetId.1", subnet},
            {"TagSpecification.1.ResourceType", "vpc-endpoint"},
            {"TagSpecification.1.Tag.1.Key", "team"},
            {"TagSpecification.1.Tag.1.Value", "net"}};
  }
};

TEST_F(Ec2Test, AnEndpointIsAnAttachment) {
  const AwsAnswer service = make_service();
  EXPECT_EQ(service.error(), "") << service.message();
  const std::string name = service.at("serviceConfiguration/serviceName");
  const std::string service_id = service.at("serviceConfiguration/serviceId");
  EXPECT_TRUE(name.starts_with("com.amazonaws.vpce.xx-lab-1.vpce-svc-0")) << name;
  EXPECT_EQ(ec2("DescribeVpcEndpointServices").all("serviceNameSet/item"), name);

  const AwsAnswer made = ec2("CreateVpcEndpoint", endpoint(name));
  EXPECT_EQ(made.error(), "") << made.message();
  const std::string id = made.at("vpcEndpoint/vpcEndpointId");
  ASSERT_EQ(plane.config().attachments.size(), 1u);
  const Attachment& attachment = plane.config().attachments[0];
  EXPECT_EQ(attachment.outside, "out0");
  EXPECT_EQ(attachment.inside, "in0");
  EXPECT_EQ(attachment.load_balancer, "gw");
  char digits[24];
  std::snprintf(digits, sizeof digits, "vpce-0%016llx",
                static_cast<unsigned long long>(attachment.endpoint_id));
  EXPECT_EQ(id, digits);  // what appliances see in every packet

  const AwsAnswer told = ec2("DescribeVpcEndpoints", {{"VpcEndpointId.1", id}});
  EXPECT_EQ(told.at("vpcEndpointSet/item/state"), "available");
  EXPECT_EQ(told.at("vpcEndpointSet/item/serviceName"), name);
  EXPECT_EQ(told.at("vpcEndpointSet/item/tagSet/item/value"), "net");
  EXPECT_EQ(ec2("DescribeVpcEndpoints", {{"Filter.1.Name", "tag:team"}, {"Filter.1.Value.1", "n*"}})
                .count("vpcEndpointSet/item"),
            1u);
  EXPECT_EQ(ec2("DescribeVpcEndpoints", {{"Filter.1.Name", "tag:team"}, {"Filter.1.Value.1", "x"}})
                .count("vpcEndpointSet/item"),
            0u);

  const std::string arn =
      arn_of(Place{"xx-lab-1", "000000000000"}, *plane.config().load_balancer("gw"));
  EXPECT_EQ(elb("DeleteLoadBalancer", {{"LoadBalancerArn", arn}}).error(), "ResourceInUse");
  EXPECT_EQ(ec2("DeleteVpcEndpointServiceConfigurations", {{"ServiceId.1", service_id}})
                .at("unsuccessful/item/error/code"),
            "ExistingVpcEndpointConnections");
  EXPECT_EQ(ec2("DeleteVpcEndpoints", {{"VpcEndpointId.1", id}}).count("unsuccessful/item"), 0u);
  EXPECT_TRUE(plane.config().attachments.empty());
  EXPECT_EQ(ec2("DeleteVpcEndpoints", {{"VpcEndpointId.1", id}}).at("unsuccessful/item/error/code"),
            "InvalidVpcEndpointId.NotFound");
  EXPECT_EQ(ec2("DeleteVpcEndpointServiceConfigurations", {{"ServiceId.1", service_id}})
                .count("unsuccessful/item"),
            0u);
  EXPECT_EQ(elb("DeleteLoadBalancer", {{"LoadBalancerArn", arn}}).error(), "");
}

TEST_F(Ec2Test, AClientTokenMakesItOnce) {
  const std::string id = make_service("t1").at("serviceConfiguration/serviceId");
  EXPECT_EQ(make_service("t1").at("serviceConfiguration/serviceId"), id);
  EXPECT_NE(make_service("t2").at("serviceConfiguration/serviceId"), id);
  const std::string name = ec2("DescribeVpcEndpointServices").at("serviceNameSet/item");
  Fields fields = endpoint(name);
  fields.emplace_back("ClientToken", "e1");
  const std::string one = ec2("CreateVpcEndpoint", fields).at("vpcEndpoint/vpcEndpointId");
  EXPECT_EQ(ec2("CreateVpcEndpoint", fields).at("vpcEndpoint/vpcEndpointId"), one);
  EXPECT_EQ(plane.config().attachments.size(), 1u);
  fields = endpoint(name, "subnet-c");
  fields.emplace_back("ClientToken", "e1");
  EXPECT_EQ(ec2("CreateVpcEndpoint", fields).error(), "IdempotentParameterMismatch");
}

TEST_F(Ec2Test, WhatCannotBeIsRefusedByName) {
  const std::string name = make_service().at("serviceConfiguration/serviceName");
  const auto refused = [&](Fields fields, const std::string& field, const std::string& value) {
    std::erase_if(fields, [&](const auto& one) { return one.first == field; });
    if (value != "-") fields.emplace_back(field, value);
    return ec2("CreateVpcEndpoint", fields).error();
  };
  const Fields good = endpoint(name);
  EXPECT_EQ(refused(good, "VpcEndpointType", "Interface"), "UnsupportedOperation");
  EXPECT_EQ(refused(good, "VpcId", "-"), "MissingParameter");
  EXPECT_EQ(refused(good, "VpcId", "vpc-x"), "InvalidVpcId.NotFound");
  EXPECT_EQ(refused(good, "VpcId", "vpc-other"), "InvalidParameterValue");
  EXPECT_EQ(refused(good, "SubnetId.1", "subnet-x"), "InvalidSubnetId.NotFound");
  EXPECT_EQ(refused(good, "SubnetId.1", "subnet-b"), "InvalidParameterValue");  // no interfaces
  EXPECT_EQ(refused(good, "SubnetId.2", "subnet-c"), "InvalidParameterValue");
  EXPECT_EQ(refused(good, "ServiceName", "com.amazonaws.s3"), "InvalidServiceName");
  EXPECT_EQ(refused(good, "SecurityGroupId.1", "sg-lab"), "UnsupportedOperation");
  EXPECT_EQ(refused(good, "DryRun", "true"), "DryRunOperation");
  EXPECT_TRUE(plane.config().attachments.empty());
  EXPECT_EQ(ec2("CreateVpcEndpoint", good).error(), "");
  EXPECT_EQ(ec2("CreateVpcEndpoint", good).error(), "InvalidParameterValue");  // interfaces taken
}

TEST_F(Ec2Test, TheNetworkIsTheFiles) {
  EXPECT_EQ(ec2("DescribeSubnets", {{"Filter.1.Name", "vpc-id"}, {"Filter.1.Value.1", "vpc-lab"}})
                .all("subnetSet/item/subnetId"),
            "subnet-a subnet-b subnet-c");
  EXPECT_EQ(ec2("DescribeSubnets", {{"Filter.1.Name", "x"}, {"Filter.1.Value.1", "y"}}).error(),
            "InvalidParameterValue");
  EXPECT_EQ(ec2("DescribeAvailabilityZones").all("availabilityZoneInfo/item/zoneName"),
            "zone-a zone-b zone-c");
  EXPECT_EQ(ec2("DescribeSecurityGroups").all("securityGroupInfo/item/groupId"), "sg-lab sg-other");
  EXPECT_EQ(ec2("DescribeInstances", {{"InstanceId.1", "i-two"}})
                .at("reservationSet/item/instancesSet/item/privateIpAddress"),
            "10.1.0.12");
  EXPECT_EQ(ec2("DescribeInstances", {{"InstanceId.1", "i-x"}}).error(),
            "InvalidInstanceID.NotFound");
  EXPECT_EQ(ec2("DescribeNetworkInterfaces").count("networkInterfaceSet"), 1u);
  EXPECT_EQ(ec2("DescribePrefixLists").count("prefixListSet"), 1u);
  const AwsAnswer first = ec2("DescribeInstances", {{"MaxResults", "5"}});
  EXPECT_EQ(first.at("nextToken"), "");
}

TEST_F(Ec2Test, TagsOfEndpointsAndServices) {
  const std::string id = make_service().at("serviceConfiguration/serviceId");
  EXPECT_EQ(ec2("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "a"}, {"Tag.1.Value", "b"}})
                .at("return"),
            "true");
  EXPECT_EQ(ec2("DescribeTags", {{"Filter.1.Name", "resource-id"}, {"Filter.1.Value.1", id}})
                .at("tagSet/item/value"),
            "b");
  EXPECT_EQ(
      ec2("DeleteTags", {{"ResourceId.1", id}, {"Tag.1.Key", "a"}, {"Tag.1.Value", "c"}}).error(),
      "");
  EXPECT_EQ(ec2("DescribeTags").count("tagSet/item"), 1u);
  ec2("DeleteTags", {{"ResourceId.1", id}, {"Tag.1.Key", "a"}});
  EXPECT_EQ(ec2("DescribeTags").count("tagSet/item"), 0u);
  EXPECT_EQ(ec2("CreateTags", {{"ResourceId.1", "vpc-lab"}, {"Tag.1.Key", "a"}}).error(),
            "InvalidID");
}

}  // namespace
}  // namespace sluice::gateway
