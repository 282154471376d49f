// SPDX-License-Identifier: Apache-2.0
// The topology, and what refers to it.
#include "gateway/control/validator.h"

namespace sluice::gateway {
namespace {

constexpr size_t kIdMax = 64;

// Each id once; where the error is said.
template <class Object, class Say>
void by_id(const ObjectList<Object>& objects, std::map<std::string_view, size_t>& out, Say say) {
  for (size_t i = 0; i < objects.size(); i++) {
    const std::string& id = objects[i].id;
    if (id.empty() || id.size() > kIdMax)
      say(i, "an id has 1 to 64 characters");
    else if (!out.emplace(id, i).second)
      say(i, "the id '" + id + "' is taken");
  }
}

}  // namespace

void Validator::check_network() {
  const Network& network = config_.network;
  const auto say_in = [&](const char* list) {
    return [this, list](size_t i, std::string what) {
      say(at(std::string("network.") + list, i) + ".id", std::move(what));
    };
  };
  by_id(network.vpcs, vpcs_, say_in("vpcs"));
  by_id(network.subnets, subnets_, say_in("subnets"));
  by_id(network.instances, instances_, say_in("instances"));
  by_id(network.security_groups, security_groups_, say_in("security_groups"));
  const auto check_vpc = [&](const std::string& path, const std::string& vpc) {
    if (!vpcs_.contains(vpc)) say(path + ".vpc", "there is no VPC '" + vpc + "'");
  };
  for (size_t i = 0; i < network.vpcs.size(); i++)
    if (auto cidr = parse_prefix(network.vpcs[i].cidr); !cidr)
      say(at("network.vpcs", i) + ".cidr", cidr.error().what);
  for (size_t i = 0; i < network.subnets.size(); i++) {
    const Subnet& subnet = network.subnets[i];
    const std::string path = at("network.subnets", i);
    check_vpc(path, subnet.vpc);
    if (auto cidr = parse_prefix(subnet.cidr); !cidr) say(path + ".cidr", cidr.error().what);
    for (const auto& [key, name] :
         {std::pair{".outside", &subnet.outside}, std::pair{".inside", &subnet.inside}})
      if (!name->empty() && !is_interface_name(*name))
        say(path + key, "no name of an interface (1 to 15 characters)");
    if (subnet.outside.empty() != subnet.inside.empty())
      say(path, "outside and inside belong together");
  }
  for (size_t i = 0; i < network.instances.size(); i++) {
    const std::string path = at("network.instances", i);
    find_subnet(path + ".subnet", network.instances[i].subnet);
    if (!instance_addresses_.insert(network.instances[i].address).second)
      say(path + ".address", "another instance has this address");
  }
  for (size_t i = 0; i < network.security_groups.size(); i++)
    check_vpc(at("network.security_groups", i), network.security_groups[i].vpc);
}

const Subnet* Validator::find_subnet(const std::string& path, const std::string& id) {
  const auto found = subnets_.find(id);
  if (found != subnets_.end()) return &config_.network.subnets[found->second];
  say(path, "there is no subnet '" + id + "' in network.subnets");
  return nullptr;
}

void Validator::check_subnet_mappings(const std::string& path, const LoadBalancer& lb) {
  if (lb.scheme == Scheme::kInternetFacing && lb.type == LoadBalancerType::kGateway)
    say(path + ".scheme", "a gateway load balancer has no scheme");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < lb.subnet_mappings.size(); i++) {
    const SubnetMapping& mapping = lb.subnet_mappings[i];
    const std::string where = at(path + ".subnet_mappings", i);
    const Subnet* subnet = find_subnet(where + ".subnet", mapping.subnet);
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
    if (!security_groups_.contains(lb.security_groups[i]))
      say(at(path + ".security_groups", i),
          "there is no security group '" + lb.security_groups[i] + "' in network.security_groups");
}

}  // namespace sluice::gateway
