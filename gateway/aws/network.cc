// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/network.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "tunnels/integers.h"

namespace sluice::gateway {
namespace {

uint32_t number_of(const IpAddress& address) { return tunnels::swap_be32(address.words[0]); }

IpAddress address_of(uint32_t number) {
  IpAddress out;
  out.words[0] = tunnels::swap_be32(number);
  return out;
}

// Every IPv4 address that the configuration knows of, but for those of `except`.
std::set<uint32_t> taken_addresses(const Config& config, std::string_view except) {
  std::set<uint32_t> taken;
  const auto take = [&](const IpAddress& address) {
    if (address.version == 4) taken.insert(number_of(address));
  };
  take(config.gateway.tunnel_address);
  for (const Instance& instance : config.network.instances) take(instance.address);
  for (const TargetGroup& group : config.target_groups)
    for (const Target& target : group.targets) take(target.address);
  for (const LoadBalancer& balancer : config.load_balancers) {
    if (balancer.name == except) continue;
    for (const SubnetMapping& mapping : balancer.subnet_mappings) take(mapping.address);
    for (const Listener& listener : balancer.listeners) take(listener.address);
  }
  return taken;
}

AwsResult<> check_subnets(const Config& config, const LoadBalancer& balancer) {
  std::set<std::string_view> zones;
  for (const SubnetMapping& mapping : balancer.subnet_mappings) {
    const Subnet* subnet = find_subnet(config, mapping.subnet);
    if (subnet == nullptr)
      return refuse("SubnetNotFound", "The subnet ID '" + mapping.subnet + "' does not exist");
    if (subnet->vpc != find_subnet(config, balancer.subnet_mappings[0].subnet)->vpc)
      return refuse("InvalidSubnet", "All subnets must belong to the same VPC");
    if (!zones.insert(subnet->zone).second)
      return refuse("InvalidConfigurationRequest",
                    "A load balancer cannot be attached to multiple subnets in the same "
                    "Availability Zone");
  }
  return {};
}

AwsResult<> find_address(const Subnet& subnet, std::set<uint32_t>& taken, IpAddress& address) {
  const auto range = parse_cidr(subnet.cidr);
  if (!range || range->last - range->first < 3)
    return refuse("InvalidSubnet", "The subnet '" + subnet.id + "' has no IPv4 addresses to give");
  if (is_set(address)) {
    const uint32_t wanted = number_of(address);
    if (wanted <= range->first || wanted >= range->last)
      return refuse("InvalidConfigurationRequest",
                    "The address " + address.text() + " is not of the subnet '" + subnet.id + "'");
    if (!taken.insert(wanted).second)
      return refuse("InvalidConfigurationRequest",
                    "The address " + address.text() + " is in use already");
    return {};
  }
  // From the top: routers and hosts that nobody has told us of mostly stand at the bottom. As many
  // steps as there are taken addresses, at most.
  for (uint32_t candidate = range->last - 1; candidate > range->first; candidate--) {
    if (!taken.insert(candidate).second) continue;
    address = address_of(candidate);
    return {};
  }
  return refuse("InvalidSubnet", "The subnet '" + subnet.id + "' has no free address left");
}

}  // namespace

const Vpc* find_vpc(const Config& config, std::string_view id) {
  return config.network.vpcs.find(id);
}
const Subnet* find_subnet(const Config& config, std::string_view id) {
  return config.network.subnets.find(id);
}
const Instance* find_instance(const Config& config, std::string_view id) {
  return config.network.instances.find(id);
}
const SecurityGroup* find_security_group(const Config& config, std::string_view id) {
  return config.network.security_groups.find(id);
}

const Instance* find_instance(const Config& config, const IpAddress& address) {
  const auto& all = config.network.instances;
  const auto at = std::ranges::find(all, address, &Instance::address);
  return at == all.end() ? nullptr : &*at;
}

std::string vpc_of(const Config& config, const LoadBalancer& balancer) {
  if (balancer.subnet_mappings.empty()) return {};
  const Subnet* subnet = find_subnet(config, balancer.subnet_mappings[0].subnet);
  return subnet == nullptr ? "" : subnet->vpc;
}

std::optional<Ipv4Range> parse_cidr(const std::string& cidr) {
  const size_t slash = cidr.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto address = parse_ip_address(cidr.substr(0, slash));
  uint32_t bits = 0;
  const char* end = cidr.data() + cidr.size();
  const auto [stop, error] = std::from_chars(cidr.data() + slash + 1, end, bits);
  if (!address || address->version != 4 || error != std::errc() || stop != end || bits > 32)
    return std::nullopt;
  const uint32_t host = bits == 0 ? UINT32_MAX : (uint32_t{1} << (32 - bits)) - 1;
  const uint32_t first = number_of(*address) & ~host;
  return Ipv4Range{first, first | host};
}

AwsResult<> place(const Config& config, LoadBalancer& balancer) {
  SLUICE_TRY_VOID(check_subnets(config, balancer));
  if (balancer.type == LoadBalancerType::kGateway) return {};
  std::set<uint32_t> taken = taken_addresses(config, balancer.name);
  // Those that are given first, so that no other gets them.
  for (const bool given : {true, false})
    for (SubnetMapping& mapping : balancer.subnet_mappings)
      if (is_set(mapping.address) == given)
        SLUICE_TRY_VOID(find_address(*find_subnet(config, mapping.subnet), taken, mapping.address));
  return {};
}

}  // namespace sluice::gateway
