// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/zones.h"

#include <algorithm>

#include "gateway/control/attributes.h"
#include "gateway/control/policy_writer.h"

namespace sluice::gateway {
namespace {

std::string_view zone_of_subnet(const Network& network, const std::string& id) {
  const Subnet* subnet = network.subnets.find(id);
  return subnet == nullptr ? std::string_view() : std::string_view(subnet->zone);
}

}  // namespace

// FNV-1a: a name for the tables, not a secret.
uint64_t zone_id(std::string_view zone) {
  if (zone.empty()) return 0;
  uint64_t out = 0xcbf29ce484222325;
  for (const char c : zone) out = (out ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return out == 0 ? 1 : out;
}

std::string_view zone_of_target(const Network& network, const IpAddress& address) {
  for (const Instance& instance : network.instances)
    if (instance.address == address) return zone_of_subnet(network, instance.subnet);
  const Subnet* best = nullptr;
  uint32_t best_length = 0;
  for (const Subnet& subnet : network.subnets) {
    const auto prefix = parse_prefix(subnet.cidr);
    if (!prefix || !prefix->contains(address)) continue;
    if (best != nullptr && prefix->length <= best_length) continue;
    best = &subnet;
    best_length = prefix->length;
  }
  return best == nullptr ? std::string_view() : std::string_view(best->zone);
}

std::string_view zone_of_endpoint(const Config& config, const Attachment& attachment,
                                  const TargetGroup& group) {
  const LoadBalancer* owner = config.load_balancer(attachment.load_balancer);
  if (owner == nullptr || crosses_zones(*owner, group)) return {};
  return zone_of_subnet(config.network, attachment.subnet);
}

std::string_view zone_of_address(const Config& config, const LoadBalancer& owner,
                                 const IpAddress& listener_address, const TargetGroup& group) {
  if (crosses_zones(owner, group)) return {};
  const auto mapping =
      std::ranges::find(owner.subnet_mappings, listener_address, &SubnetMapping::address);
  if (mapping == owner.subnet_mappings.end()) return {};
  return zone_of_subnet(config.network, mapping->subnet);
}

SteeredZones steered_zones(const Config& config) {
  SteeredZones out;
  if (config.network.subnets.empty()) return out;
  const auto add = [&](const TargetGroup& group, std::string_view zone) {
    if (!zone.empty()) out[group.name].emplace(zone);
  };
  for (const Attachment& attachment : config.attachments) {
    const LoadBalancer* owner = config.load_balancer(attachment.load_balancer);
    if (owner == nullptr) continue;
    std::set<std::string> groups = policy_groups(config, &attachment);
    if (!owner->listeners.empty())
      for (const WeightedGroup& weighted : groups_of(owner->listeners[0].default_action))
        groups.insert(weighted.target_group);
    for (const std::string& name : groups)
      if (const auto* group = config.target_group(name))
        add(*group, zone_of_endpoint(config, attachment, *group));
  }
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners)
      if (const auto* group = config.target_group(listener.default_action.target_group))
        for (const IpAddress& address : addresses_of(lb, listener))
          add(*group, zone_of_address(config, lb, address, *group));
  }
  return out;
}

TargetGroup part_in_zone(const TargetGroup& group, const Network& network, std::string_view zone) {
  TargetGroup out = group;
  std::erase_if(out.targets, [&](const Target& target) {
    const std::string_view its = zone_of_target(network, target.address);
    return !its.empty() && its != zone;
  });
  return out;
}

}  // namespace sluice::gateway
