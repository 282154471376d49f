// SPDX-License-Identifier: Apache-2.0
// The topology, and what refers to it.
#include "gateway/control/validator.h"

namespace sluice::gateway {
namespace {

constexpr size_t kIdMax = 64;

// Each id once; where the error is said.
template <class Object, class Say>
void check_ids(const ObjectList<Object>& objects, Say say) {
  for (size_t i = 0; i < objects.size(); i++) {
    const std::string& id = objects[i].id;
    if (id.empty() || id.size() > kIdMax)
      say(i, "an id has 1 to 64 characters");
    else if (objects.find(id) != &objects[i])
      say(i, "the id '" + id + "' is taken");
  }
}

}  // namespace

void Validator::check_network() {
  const Network& network = config_.network;
  const auto say_in = [&](const char* list) {
    return
        [this, list](size_t i, std::string what) { say(Path(list, i) + ".id", std::move(what)); };
  };
  check_ids(network.vpcs, say_in("network.vpcs"));
  check_ids(network.subnets, say_in("network.subnets"));
  check_ids(network.instances, say_in("network.instances"));
  check_ids(network.security_groups, say_in("network.security_groups"));
  const auto check_vpc = [&](const Path& path, const std::string& vpc) {
    if (network.vpcs.find(vpc) == nullptr) say(path + ".vpc", "there is no VPC '" + vpc + "'");
  };
  for (size_t i = 0; i < network.vpcs.size(); i++)
    if (auto cidr = parse_prefix(network.vpcs[i].cidr); !cidr)
      say(Path("network.vpcs", i) + ".cidr", cidr.error().what);
  for (size_t i = 0; i < network.subnets.size(); i++) {
    const Subnet& subnet = network.subnets[i];
    const Path path("network.subnets", i);
    check_vpc(path, subnet.vpc);
    if (auto cidr = parse_prefix(subnet.cidr); !cidr) say(path + ".cidr", cidr.error().what);
    for (const auto& [key, name] :
         {std::pair{".outside", &subnet.outside}, std::pair{".inside", &subnet.inside}})
      if (!name->empty() && !is_interface_name(*name))
        say(path + key, "no name of an interface (1 to 15 characters)");
    if (subnet.outside.empty() != subnet.inside.empty())
      say(path.text(), "outside and inside belong together");
  }
  std::set<IpAddress> addresses;
  for (size_t i = 0; i < network.instances.size(); i++) {
    const Path path("network.instances", i);
    find_subnet(path.at("subnet"), network.instances[i].subnet);
    if (!addresses.insert(network.instances[i].address).second)
      say(path + ".address", "another instance has this address");
  }
  for (size_t i = 0; i < network.security_groups.size(); i++)
    check_vpc(Path("network.security_groups", i), network.security_groups[i].vpc);
}

const Subnet* Validator::find_subnet(const Path& path, const std::string& id) {
  if (const Subnet* found = config_.network.subnets.find(id)) return found;
  say(path.text(), "there is no subnet '" + id + "' in network.subnets");
  return nullptr;
}

bool Validator::is_instance(const IpAddress& address) {
  if (!instance_addresses_) {
    instance_addresses_.emplace();
    for (const Instance& instance : config_.network.instances)
      instance_addresses_->insert(instance.address);
  }
  return instance_addresses_->contains(address);
}

void Validator::check_subnet_mappings(const Path& path, const LoadBalancer& lb) {
  if (lb.scheme == Scheme::kInternetFacing && lb.type == LoadBalancerType::kGateway)
    say(path + ".scheme", "a gateway load balancer has no scheme");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < lb.subnet_mappings.size(); i++) {
    const SubnetMapping& mapping = lb.subnet_mappings[i];
    const Path where = path.at("subnet_mappings", i);
    const Subnet* subnet = find_subnet(where.at("subnet"), mapping.subnet);
    if (!seen.insert(mapping.subnet).second)
      say(where + ".subnet", "the subnet '" + mapping.subnet + "' is there twice");
    if (!is_set(mapping.address)) continue;
    if (lb.type == LoadBalancerType::kGateway) {
      say(where + ".address", "a gateway load balancer has no address");
      continue;
    }
    if (subnet == nullptr) continue;
    const auto prefix = parse_prefix(subnet->cidr);
    if (prefix && !prefix->contains(mapping.address))
      say(where + ".address", mapping.address.text() + " is not in " + subnet->cidr);
  }
  for (size_t i = 0; i < lb.security_groups.size(); i++)
    if (config_.network.security_groups.find(lb.security_groups[i]) == nullptr)
      say(path.at("security_groups", i).text(),
          "there is no security group '" + lb.security_groups[i] + "' in network.security_groups");
}

}  // namespace sluice::gateway
