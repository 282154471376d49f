// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "gateway/aws/arn.h"
#include "gateway/aws/ec2.h"
#include "gateway/aws/ec2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::ec2 {
namespace {

constexpr const char* kNotFound = "InvalidVpcEndpointServiceId.NotFound";

void write_zones(pugi::xml_node item, const Config& config, const EndpointService& service) {
  auto zones = add(item, "availabilityZoneSet");
  const LoadBalancer* balancer = config.load_balancer(service.load_balancer);
  if (balancer == nullptr) return;
  for (const SubnetMapping& mapping : balancer->subnet_mappings)
    if (const Subnet* subnet = find_subnet(config, mapping.subnet))
      add(zones, "item", subnet->zone);
}

void write_common(pugi::xml_node item, const Call& call, const EndpointService& service) {
  add(add(add(item, "serviceType"), "item"), "serviceType", "GatewayLoadBalancer");
  add(item, "serviceId", service_id(service));
  add(item, "serviceName", service_name(call.place, service));
  write_zones(item, call.config(), service);
  add(item, "acceptanceRequired", false);
  add(item, "managesVpcEndpoints", false);
  write_tags(item, service.tags);
}

void write_configuration(pugi::xml_node item, const Call& call, const EndpointService& service) {
  write_common(item, call, service);
  add(item, "serviceState", "Available");
  auto arns = add(item, "gatewayLoadBalancerArnSet");
  if (const LoadBalancer* balancer = call.config().load_balancer(service.load_balancer))
    add(arns, "item", arn_of(call.place, *balancer));
}

AwsResult<> add_service(const Call& call, Config& next, const std::string& arn,
                        EndpointService service) {
  SLUICE_TRY(const LoadBalancer* balancer, find_load_balancer(next, call.place, arn));
  if (balancer->type != LoadBalancerType::kGateway)
    return refuse(kInvalid, "'" + arn + "' is not a gateway load balancer");
  service.load_balancer = balancer->name;
  if (const EndpointService* there = find_service(next, service_id(service))) {
    if (there->load_balancer == service.load_balancer) return {};
    return refuse("IdempotentParameterMismatch", "the client token was used for another service");
  }
  if (next.endpoint_services.size() >= kEndpointServicesMax)
    return refuse("VpcEndpointServiceLimitExceeded", "no more endpoint services can be made");
  next.endpoint_services.push_back(std::move(service));
  return {};
}

}  // namespace

AwsResult<> create_vpc_endpoint_service_configuration(Call& call) {
  Params& in = call.params;
  const auto arns = in.texts("GatewayLoadBalancerArn", kIdsMax);
  if (in.boolean("AcceptanceRequired").value_or(false))
    in.fail(kUnsupported, "endpoints need no acceptance here: AcceptanceRequired must be false");
  in.unavailable("NetworkLoadBalancerArn", kUnsupported,
                 "endpoints lead to gateway load balancers only");
  in.unavailable("PrivateDnsName", kUnsupported, "this gateway answers no DNS");
  for (const std::string& type : in.texts("SupportedIpAddressType", 2))
    if (type != "ipv4")
      in.invalid("SupportedIpAddressType", "is ipv4: appliances have such addresses");
  const std::string token = in.text("ClientToken").value_or("");
  EndpointService service;
  service.origin = Origin::kApi;
  service.id = new_id(token);
  service.name = service_id(service);
  service.tags = read_tag_specifications(in, "vpc-endpoint-service");
  SLUICE_TRY_VOID(in.finish());
  if (arns.size() != 1) return refuse(kInvalid, "exactly one gateway load balancer must be given");
  const std::string id = service_id(service);
  SLUICE_TRY_VOID(
      call.commit([&](Config& next) { return add_service(call, next, arns[0], service); }));
  write_configuration(add(call.out, "serviceConfiguration"), call,
                      *find_service(call.config(), id));
  if (!token.empty()) add(call.out, "clientToken", token);
  return {};
}

AwsResult<> describe_vpc_endpoint_service_configurations(Call& call) {
  const auto ids = call.params.texts("ServiceId", kIdsMax);
  const Filters filters(call.params, {"service-id", "service-name", "service-state"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(auto found, by_ids(call.config().endpoint_services, ids, service_id, kNotFound));
  std::erase_if(found, [&](const EndpointService* service) {
    return !filters.pass({{"service-id", service_id(*service)},
                          {"service-name", service_name(call.place, *service)},
                          {"service-state", "Available"}},
                         service->tags);
  });
  auto set = add(call.out, "serviceConfigurationSet");
  page.cut(found, call.out, [](const EndpointService* service) { return service_id(*service); });
  for (const EndpointService* service : found)
    write_configuration(add(set, "item"), call, *service);
  return {};
}

AwsResult<> delete_vpc_endpoint_service_configurations(Call& call) {
  const auto ids = call.params.texts("ServiceId", kIdsMax);
  SLUICE_TRY_VOID(call.params.finish());
  return delete_each(call, ids, [](Config& next, const std::string& id) -> AwsResult<> {
    const EndpointService* service = find_service(next, id);
    if (service == nullptr)
      return refuse(kNotFound, "The VpcEndpointService ID '" + id + "' does not exist");
    const std::string name = service->name;
    for (const Attachment& attachment : next.attachments)
      if (attachment.service == name)
        return refuse("ExistingVpcEndpointConnections",
                      "the endpoint " + endpoint_id(attachment) + " stands on the service");
    next.endpoint_services.erase_if(
        [&](const EndpointService& other) { return other.name == name; });
    return {};
  });
}

AwsResult<> describe_vpc_endpoint_services(Call& call) {
  const auto names = call.params.texts("ServiceName", kIdsMax);
  const Filters filters(call.params, {"service-name", "service-type", "owner"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  const auto name_of = [&](const EndpointService& service) {
    return service_name(call.place, service);
  };
  SLUICE_TRY(auto found,
             by_ids(call.config().endpoint_services, names, name_of, "InvalidServiceName"));
  std::erase_if(found, [&](const EndpointService* service) {
    return !filters.pass({{"service-name", name_of(*service)},
                          {"service-type", "GatewayLoadBalancer"},
                          {"owner", call.place.account}},
                         service->tags);
  });
  auto all_names = add(call.out, "serviceNameSet");
  auto details = add(call.out, "serviceDetailSet");
  page.cut(found, call.out, [&](const EndpointService* service) { return name_of(*service); });
  for (const EndpointService* service : found) {
    add(all_names, "item", name_of(*service));
    auto item = add(details, "item");
    write_common(item, call, *service);
    add(item, "owner", call.place.account);
    add(item, "vpcEndpointPolicySupported", false);
  }
  return {};
}

// Whoever may make an endpoint at all may make one to any service of this gateway.
AwsResult<> describe_vpc_endpoint_service_permissions(Call& call) {
  const std::string id = call.params.require("ServiceId");
  const Filters filters(call.params, {"principal", "principal-type"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  if (find_service(call.config(), id) == nullptr)
    return refuse(kNotFound, "The VpcEndpointService ID '" + id + "' does not exist");
  add(call.out, "allowedPrincipals");
  return {};
}

}  // namespace sluice::gateway::ec2
