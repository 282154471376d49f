// SPDX-License-Identifier: Apache-2.0
// VPC endpoints of type GatewayLoadBalancer: attachments.
#include <algorithm>
#include <charconv>

#include "gateway/aws/ec2.h"
#include "gateway/aws/ec2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/datapath/tables.h"

namespace sluice::gateway::ec2 {
namespace {

constexpr const char* kNotFound = "InvalidVpcEndpointId.NotFound";

// The service that an endpoint stands on: the one that it was made through, or for one of the file
// the first of its load balancer.
const EndpointService* service_of(const Config& config, const Attachment& attachment) {
  const auto at =
      std::ranges::find_if(config.endpoint_services, [&](const EndpointService& service) {
        return attachment.service.empty() ? service.load_balancer == attachment.load_balancer
                                          : service.name == attachment.service;
      });
  return at == config.endpoint_services.end() ? nullptr : &*at;
}

std::string vpc_of(const Config& config, const Attachment& attachment) {
  const Subnet* subnet = find_subnet(config, attachment.subnet);
  return subnet == nullptr ? "" : subnet->vpc;
}

std::string service_name_of(const Call& call, const Attachment& attachment) {
  const EndpointService* service = service_of(call.config(), attachment);
  return service == nullptr ? "" : service_name(call.place, *service);
}

void write(pugi::xml_node item, const Call& call, const Attachment& attachment) {
  add(item, "vpcEndpointId", endpoint_id(attachment));
  add(item, "vpcEndpointType", "GatewayLoadBalancer");
  add(item, "vpcId", vpc_of(call.config(), attachment));
  add(item, "serviceName", service_name_of(call, attachment));
  add(item, "state", "available");
  add(item, "ownerId", call.place.account);
  add(item, "creationTimestamp", iso_time(attachment.created_ms));
  auto subnets = add(item, "subnetIdSet");
  if (!attachment.subnet.empty()) add(subnets, "item", attachment.subnet);
  add(item, "routeTableIdSet");
  add(item, "groupSet");
  add(item, "networkInterfaceIdSet");
  add(item, "ipAddressType", "ipv4");
  add(item, "privateDnsEnabled", false);
  add(item, "requesterManaged", false);
  write_tags(item, attachment.tags);
}

struct Wanted {
  std::string vpc, service_name;
  std::vector<std::string> subnets;
};

Wanted read_wanted(Params& in) {
  Wanted out;
  const std::string type =
      in.choice("VpcEndpointType",
                {"Interface", "Gateway", "GatewayLoadBalancer", "Resource", "ServiceNetwork"})
          .value_or("Gateway");
  if (type != "GatewayLoadBalancer")
    in.fail(kUnsupported, "endpoints are of VpcEndpointType GatewayLoadBalancer here");
  out.vpc = in.require("VpcId");
  out.service_name = in.require("ServiceName");
  out.subnets = in.texts("SubnetId", kIdsMax);
  if (in.choice("IpAddressType", {"ipv4", "dualstack", "ipv6"}).value_or("ipv4") != "ipv4")
    in.fail(kUnsupported, "an endpoint has no address here: leave IpAddressType at ipv4");
  if (in.boolean("PrivateDnsEnabled").value_or(false))
    in.fail(kUnsupported, "this gateway answers no DNS");
  for (const char* name :
       {"PolicyDocument", "SecurityGroupId", "RouteTableId", "DnsOptions", "SubnetConfiguration"})
    in.unavailable(name, kUnsupported,
                   std::string(name) + " is not for gateway load balancer endpoints");
  return out;
}

AwsResult<> add_endpoint(const Call& call, Config& next, const Wanted& wanted,
                         Attachment attachment) {
  if (find_vpc(next, wanted.vpc) == nullptr)
    return refuse("InvalidVpcId.NotFound", "The VPC ID '" + wanted.vpc + "' does not exist");
  if (wanted.subnets.size() != 1)
    return refuse(kInvalid, "a gateway load balancer endpoint has exactly one subnet");
  const Subnet* subnet = find_subnet(next, wanted.subnets[0]);
  if (subnet == nullptr)
    return refuse("InvalidSubnetId.NotFound",
                  "The subnet ID '" + wanted.subnets[0] + "' does not exist");
  if (subnet->vpc != wanted.vpc)
    return refuse(kInvalid,
                  "The subnet '" + subnet->id + "' is not of the VPC '" + wanted.vpc + "'");
  if (subnet->outside.empty() || subnet->inside.empty())
    return refuse(kInvalid,
                  "The subnet '" + subnet->id +
                      "' has no pair of interfaces (`outside`, `inside`) for an endpoint");
  const auto service =
      std::ranges::find_if(next.endpoint_services, [&](const EndpointService& one) {
        return service_name(call.place, one) == wanted.service_name;
      });
  if (service == next.endpoint_services.end())
    return refuse("InvalidServiceName",
                  "The Vpc Endpoint Service '" + wanted.service_name + "' does not exist");
  attachment.load_balancer = service->load_balancer;
  attachment.service = service->name;
  attachment.subnet = subnet->id;
  attachment.outside = subnet->outside;
  attachment.inside = subnet->inside;
  if (const Attachment* there = find_endpoint(next, endpoint_id(attachment))) {
    if (there->service == attachment.service && there->subnet == attachment.subnet) return {};
    return refuse("IdempotentParameterMismatch", "the client token was used for another endpoint");
  }
  for (const Attachment& other : next.attachments)
    if (other.outside == attachment.outside || other.inside == attachment.inside)
      return refuse(kInvalid, "The endpoint " + endpoint_id(other) +
                                  " stands at the interfaces of the subnet '" + subnet->id + "'");
  if (next.attachments.size() >= kAttachmentsMax)
    return refuse("VpcEndpointLimitExceeded", "no more endpoints can be made");
  next.attachments.push_back(std::move(attachment));
  return {};
}

}  // namespace

AwsResult<> create_vpc_endpoint(Call& call) {
  Params& in = call.params;
  const Wanted wanted = read_wanted(in);
  const std::string token = in.text("ClientToken").value_or("");
  Attachment attachment;
  attachment.origin = Origin::kApi;
  attachment.id = new_id(token);
  attachment.name = endpoint_id(attachment);
  const std::string& digits = attachment.id;
  std::from_chars(digits.data(), digits.data() + digits.size(), attachment.endpoint_id, 16);
  attachment.tags = read_tag_specifications(in, "vpc-endpoint");
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(
      call.commit([&](Config& next) { return add_endpoint(call, next, wanted, attachment); }));
  write(add(call.out, "vpcEndpoint"), call, *find_endpoint(call.config(), endpoint_id(attachment)));
  if (!token.empty()) add(call.out, "clientToken", token);
  return {};
}

AwsResult<> describe_vpc_endpoints(Call& call) {
  const auto ids = call.params.texts("VpcEndpointId", kIdsMax);
  const Filters filters(call.params, {"vpc-endpoint-id", "vpc-id", "service-name",
                                      "vpc-endpoint-state", "vpc-endpoint-type"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(auto found, by_ids(call.config().attachments, ids, endpoint_id, kNotFound));
  std::erase_if(found, [&](const Attachment* one) {
    return !filters.pass({{"vpc-endpoint-id", endpoint_id(*one)},
                          {"vpc-id", vpc_of(call.config(), *one)},
                          {"service-name", service_name_of(call, *one)},
                          {"vpc-endpoint-state", "available"},
                          {"vpc-endpoint-type", "GatewayLoadBalancer"}},
                         one->tags);
  });
  auto set = add(call.out, "vpcEndpointSet");
  page.cut(found, call.out, [](const Attachment* one) { return endpoint_id(*one); });
  for (const Attachment* one : found) write(add(set, "item"), call, *one);
  return {};
}

// Nothing about a gateway load balancer endpoint can be changed; what is asked for is refused by
// name, and a call that asks for nothing succeeds.
AwsResult<> modify_vpc_endpoint(Call& call) {
  const std::string id = call.params.require("VpcEndpointId");
  SLUICE_TRY_VOID(call.params.finish());
  if (find_endpoint(call.config(), id) == nullptr)
    return refuse(kNotFound, "The Vpc Endpoint Id '" + id + "' does not exist");
  add(call.out, "return", true);
  return {};
}

AwsResult<> delete_vpc_endpoints(Call& call) {
  const auto ids = call.params.texts("VpcEndpointId", kIdsMax);
  SLUICE_TRY_VOID(call.params.finish());
  return delete_each(call, ids, [](Config& next, const std::string& id) -> AwsResult<> {
    const Attachment* attachment = find_endpoint(next, id);
    if (attachment == nullptr)
      return refuse(kNotFound, "The Vpc Endpoint Id '" + id + "' does not exist");
    const std::string name = attachment->name;
    next.attachments.erase_if([&](const Attachment& other) { return other.name == name; });
    return {};
  });
}

}  // namespace sluice::gateway::ec2
