// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"
#include "gateway/control/attributes.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr size_t kSubnetsMax = 20;
constexpr size_t kSecurityGroupsMax = 20;

void read_type_and_scheme(Params& in, LoadBalancer& out) {
  const std::string type =
      in.choice("Type", {"application", "network", "gateway"}).value_or("application");
  out.type = type == "gateway"   ? LoadBalancerType::kGateway
             : type == "network" ? LoadBalancerType::kNetwork
                                 : LoadBalancerType::kApplication;
  const auto scheme = in.choice("Scheme", {"internet-facing", "internal"});
  if (out.type == LoadBalancerType::kGateway && scheme)
    in.fail(kInvalid, "Scheme cannot be specified for a load balancer of type 'gateway'");
  out.scheme = scheme == "internal" || out.type == LoadBalancerType::kGateway
                   ? Scheme::kInternal
                   : Scheme::kInternetFacing;
}

void read_ip_address_type(Params& in) {
  const auto type =
      in.choice("IpAddressType", {"ipv4", "dualstack", "dualstack-without-public-ipv4"});
  if (type && *type != "ipv4")
    in.fail(kConfiguration, "The IP address type '" + *type +
                                "' is not available: the addresses of a load balancer made over "
                                "this API are IPv4");
}

// Of Subnets or SubnetMappings; one of them.
std::vector<SubnetMapping> read_mappings(Params& in) {
  std::vector<SubnetMapping> out;
  for (const std::string& id : in.texts("Subnets", kSubnetsMax)) out.push_back({id, {}});
  if (!out.empty() && in.has("SubnetMappings"))
    in.fail(kInvalid, "Only one of Subnets and SubnetMappings may be specified");
  for (Params& mapping : in.structures("SubnetMappings", kSubnetsMax)) {
    SubnetMapping one{mapping.require("SubnetId"), {}};
    if (const auto text = mapping.text("PrivateIPv4Address")) {
      const auto address = parse_ip_address(*text);
      if (!address || address->version != 4 || !is_host_address(*address))
        mapping.invalid("PrivateIPv4Address", "is no IPv4 address of a host");
      else
        one.address = *address;
    }
    mapping.unavailable("AllocationId", "AllocationIdNotFound", "there are no Elastic IPs here");
    mapping.unavailable("IPv6Address", kConfiguration, "IPv6 addresses are not available here");
    mapping.unavailable("SourceNatIpv6Prefix", kConfiguration,
                        "source NAT is not available: targets see the client's address");
    out.push_back(std::move(one));
  }
  return out;
}

AwsResult<> check_security_groups(const Config& config, const LoadBalancer& balancer) {
  if (balancer.type == LoadBalancerType::kGateway && !balancer.security_groups.empty())
    return refuse(kConfiguration,
                  "Security groups are not supported for load balancers with type 'gateway'");
  for (const std::string& id : balancer.security_groups)
    if (find_security_group(config, id) == nullptr)
      return refuse("InvalidSecurityGroup", "The security group '" + id + "' does not exist");
  return {};
}

// Whether a second creation asks for what is there.
bool same_settings(const LoadBalancer& there, const LoadBalancer& wanted) {
  const auto subnets = [](const LoadBalancer& balancer) {
    std::set<std::string> out;
    for (const SubnetMapping& mapping : balancer.subnet_mappings) out.insert(mapping.subnet);
    return out;
  };
  const auto groups = [](const LoadBalancer& balancer) {
    return std::set(balancer.security_groups.begin(), balancer.security_groups.end());
  };
  return there.type == wanted.type && there.scheme == wanted.scheme &&
         subnets(there) == subnets(wanted) && groups(there) == groups(wanted) &&
         std::ranges::all_of(wanted.subnet_mappings, [&](const SubnetMapping& mapping) {
           return !is_set(mapping.address) ||
                  std::ranges::find(there.subnet_mappings, mapping) != there.subnet_mappings.end();
         });
}

AwsResult<> add_load_balancer(Config& next, LoadBalancer wanted) {
  if (const LoadBalancer* there = next.load_balancer(wanted.name)) {
    if (same_settings(*there, wanted)) return {};
    return refuse("DuplicateLoadBalancerName", "A load balancer with the same name '" +
                                                   wanted.name +
                                                   "' exists, but with different settings");
  }
  if (next.load_balancers.size() >= kLoadBalancersMax)
    return refuse("TooManyLoadBalancers", "no more load balancers can be made");
  SLUICE_TRY_VOID(check_security_groups(next, wanted));
  SLUICE_TRY_VOID(place(next, wanted));
  next.load_balancers.push_back(std::move(wanted));
  return {};
}

// The balancer of LoadBalancerArn in the state to be.
AwsResult<> change(Call& call, const std::string& arn,
                   const std::function<AwsResult<>(Config& next, LoadBalancer& balancer)>& how) {
  return call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const LoadBalancer* found, find_load_balancer(next, call.place, arn));
    return how(next, changeable(next, *found));
  });
}

AwsResult<> check_deletion(const Config& config, const LoadBalancer& balancer) {
  if (deletion_protected(balancer))
    return refuse("OperationNotPermitted", "Load balancer '" + balancer.name +
                                               "' cannot be deleted because deletion protection "
                                               "is enabled");
  const auto stands_on_it = [&](const auto& other) { return other.load_balancer == balancer.name; };
  if (std::ranges::any_of(config.attachments, stands_on_it) ||
      std::ranges::any_of(config.endpoint_services, stands_on_it))
    return refuse("ResourceInUse",
                  "Load balancer '" + balancer.name +
                      "' cannot be deleted because it is currently associated with another "
                      "service: an endpoint or an endpoint service");
  return {};
}

}  // namespace

AwsResult<> create_load_balancer(Call& call) {
  Params& in = call.params;
  LoadBalancer wanted;
  wanted.origin = Origin::kApi;
  wanted.name = read_name(in);
  if (wanted.name.starts_with("internal-")) in.invalid("Name", "must not begin with 'internal-'");
  read_type_and_scheme(in, wanted);
  read_ip_address_type(in);
  wanted.subnet_mappings = read_mappings(in);
  wanted.security_groups = in.texts("SecurityGroups", kSecurityGroupsMax);
  wanted.tags = read_tags(in);
  in.unavailable("CustomerOwnedIpv4Pool", kConfiguration, "address pools are not available here");
  in.unavailable("IpamPools", kConfiguration, "address pools are not available here");
  if (in.choice("EnablePrefixForIpv6SourceNat", {"on", "off"}) == "on")
    in.fail(kConfiguration, "source NAT is not available: targets see the client's address");
  SLUICE_TRY_VOID(in.finish());
  if (wanted.subnet_mappings.empty())
    return refuse(kInvalid, "At least one subnet must be specified");
  SLUICE_TRY_VOID(call.commit([&](Config& next) { return add_load_balancer(next, wanted); }));
  write(add(call.out, "LoadBalancers"), call, *call.config().load_balancer(wanted.name));
  return {};
}

AwsResult<> describe_load_balancers(Call& call) {
  Params& in = call.params;
  const auto arns = in.texts("LoadBalancerArns", kArnsMax);
  const auto names = in.texts("Names", kArnsMax);
  const Page page(in);
  SLUICE_TRY_VOID(in.finish());
  if (!arns.empty() && !names.empty())
    return refuse(kInvalid, "Load balancer names and load balancer ARNs cannot be given together");
  std::vector<const LoadBalancer*> found;
  for (const std::string& arn : arns) {
    SLUICE_TRY(found.emplace_back(), find_load_balancer(call.config(), call.place, arn));
  }
  for (const std::string& name : names) {
    const LoadBalancer* balancer = call.config().load_balancer(name);
    if (balancer == nullptr)
      return refuse("LoadBalancerNotFound", "Load balancers '[" + name + "]' not found");
    found.push_back(balancer);
  }
  if (arns.empty() && names.empty())
    for (const LoadBalancer& balancer : call.config().load_balancers) found.push_back(&balancer);
  auto list = add(call.out, "LoadBalancers");
  page.cut(found, call.out, [](const LoadBalancer* balancer) { return balancer->name; });
  for (const LoadBalancer* balancer : found) write(list, call, *balancer);
  return {};
}

AwsResult<> delete_load_balancer(Call& call) {
  const std::string arn = call.params.require("LoadBalancerArn");
  SLUICE_TRY_VOID(call.params.finish());
  auto done = change(call, arn, [](Config& next, LoadBalancer& balancer) -> AwsResult<> {
    SLUICE_TRY_VOID(check_deletion(next, balancer));
    const std::string name = balancer.name;
    next.load_balancers.erase_if([&](const LoadBalancer& other) { return other.name == name; });
    return {};
  });
  if (!done && done.error().code == "LoadBalancerNotFound") return {};  // gone is gone
  return done;
}

AwsResult<> set_subnets(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("LoadBalancerArn");
  auto mappings = read_mappings(in);
  read_ip_address_type(in);
  if (in.choice("EnablePrefixForIpv6SourceNat", {"on", "off"}) == "on")
    in.fail(kConfiguration, "source NAT is not available: targets see the client's address");
  SLUICE_TRY_VOID(in.finish());
  if (mappings.empty()) return refuse(kInvalid, "At least one subnet must be specified");
  SLUICE_TRY_VOID(change(call, arn, [&](Config& next, LoadBalancer& balancer) -> AwsResult<> {
    for (SubnetMapping& mapping : mappings) {
      // A subnet that stays keeps its address.
      const auto old =
          std::ranges::find(balancer.subnet_mappings, mapping.subnet, &SubnetMapping::subnet);
      if (old != balancer.subnet_mappings.end() && !is_set(mapping.address)) mapping = *old;
    }
    balancer.subnet_mappings = mappings;
    return place(next, balancer);
  }));
  SLUICE_TRY(const LoadBalancer* now, find_load_balancer(call.config(), call.place, arn));
  pugi::xml_document whole;
  write(whole, call, *now);
  call.out.append_copy(whole.child("member").child("AvailabilityZones"));
  add(call.out, "IpAddressType", "ipv4");
  return {};
}

AwsResult<> set_security_groups(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("LoadBalancerArn");
  const auto groups = in.texts("SecurityGroups", kSecurityGroupsMax);
  if (in.choice("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", {"on", "off"}) == "on")
    in.fail(kConfiguration, "security groups allow all here: there are no rules to enforce");
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(change(call, arn, [&](Config& next, LoadBalancer& balancer) -> AwsResult<> {
    balancer.security_groups = groups;
    return check_security_groups(next, balancer);
  }));
  auto list = add(call.out, "SecurityGroupIds");
  for (const std::string& id : groups) add(list, "member", id);
  return {};
}

AwsResult<> set_ip_address_type(Call& call) {
  Params& in = call.params;
  const std::string arn = in.require("LoadBalancerArn");
  (void)in.require("IpAddressType");
  read_ip_address_type(in);
  SLUICE_TRY_VOID(in.finish());
  SLUICE_TRY_VOID(find_load_balancer(call.config(), call.place, arn));
  add(call.out, "IpAddressType", "ipv4");
  return {};
}

}  // namespace sluice::gateway::elbv2
