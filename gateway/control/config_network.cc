// SPDX-License-Identifier: Apache-2.0
// The section `endpoint_services`, and `network`: the topology that the APIs show and that names
// refer to.
#include <algorithm>
#include <charconv>

#include "gateway/control/config_reader.h"
#include "tunnels/integers.h"

namespace sluice::gateway {
namespace {

constexpr size_t kVpcsMax = 64;
constexpr size_t kSubnetsMax = 256;
constexpr size_t kInstancesMax = 4096;
constexpr size_t kAllGroupsMax = 256;
constexpr size_t kIdMax = 64;

bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= kIdMax && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// "10.0.0.0/16": an IPv4 network, no host bits.
bool is_network(const std::string& cidr) {
  const size_t slash = cidr.find('/');
  if (slash == std::string::npos) return false;
  const auto address = parse_ip_address(cidr.substr(0, slash));
  uint32_t bits = 0;
  const char* end = cidr.data() + cidr.size();
  const auto [stop, error] = std::from_chars(cidr.data() + slash + 1, end, bits);
  if (!address || address->version != 4 || error != std::errc() || stop != end || bits > 32)
    return false;
  const uint64_t number = tunnels::swap_be32(address->words[0]);
  return (number & ((uint64_t{1} << (32 - bits)) - 1)) == 0;
}

template <class Object>
bool contains(const ObjectList<Object>& objects, const std::string& id) {
  return objects.find(id) != nullptr;
}

// AWS makes one with every VPC.
void add_default_groups(Network& network) {
  for (const Vpc& vpc : network.vpcs)
    network.security_groups.push_back(
        {"sg-" + (vpc.id.starts_with("vpc-") ? vpc.id.substr(4) : vpc.id), vpc.id});
}

}  // namespace

void ConfigReader::read_network(const YamlNode& node) {
  YamlMap map(node, errors_);
  Network& network = config_.network;
  // An id that no object of the list has yet.
  const auto read_id = [&](YamlMap& one, const auto& objects, std::string& id) {
    if (!one.require_string("id", id)) return;
    if (!is_id(id))
      errors_.add(*one.node().find("id"), "an id is 1 to 64 letters, digits and hyphens");
    else if (contains(objects, id))
      errors_.add(*one.node().find("id"), "the id '" + id + "' is taken");
  };
  const auto read_cidr = [&](YamlMap& one, std::string& cidr) {
    if (one.require_string("cidr", cidr) && !is_network(cidr))
      errors_.add(*one.node().find("cidr"), "expected an IPv4 network such as 10.1.0.0/24");
  };
  const auto read_reference = [&](YamlMap& one, const char* key, const auto& objects,
                                  std::string& id) {
    if (one.require_string(key, id) && !contains(objects, id))
      errors_.add(*one.node().find(key), "there is no " + std::string(key) + " '" + id + "'");
  };
  map.each("vpcs", kVpcsMax, [&](const YamlNode& n) {
    YamlMap one(n, errors_);
    Vpc vpc;
    read_id(one, network.vpcs, vpc.id);
    read_cidr(one, vpc.cidr);
    one.finish();
    network.vpcs.push_back(std::move(vpc));
  });
  map.each("subnets", kSubnetsMax, [&](const YamlNode& n) {
    YamlMap one(n, errors_);
    Subnet subnet;
    read_id(one, network.subnets, subnet.id);
    read_reference(one, "vpc", network.vpcs, subnet.vpc);
    if (one.require_string("zone", subnet.zone) && !is_id(subnet.zone))
      errors_.add(*n.find("zone"), "a zone is 1 to 64 letters, digits and hyphens");
    read_cidr(one, subnet.cidr);
    const YamlNode* outside = one.find("outside");
    const YamlNode* inside = one.find("inside");
    read_interface(outside, subnet.outside);
    read_interface(inside, subnet.inside);
    if ((outside == nullptr) != (inside == nullptr))
      errors_.add(n, "an endpoint needs both interfaces, 'outside' and 'inside'");
    one.finish();
    network.subnets.push_back(std::move(subnet));
  });
  map.each("instances", kInstancesMax, [&](const YamlNode& n) {
    YamlMap one(n, errors_);
    Instance instance;
    read_id(one, network.instances, instance.id);
    read_address(one.require("address"), instance.address);
    read_reference(one, "subnet", network.subnets, instance.subnet);
    one.finish();
    network.instances.push_back(std::move(instance));
  });
  const bool own_groups = map.find("security_groups") != nullptr;
  map.each("security_groups", kAllGroupsMax, [&](const YamlNode& n) {
    YamlMap one(n, errors_);
    SecurityGroup group;
    read_id(one, network.security_groups, group.id);
    read_reference(one, "vpc", network.vpcs, group.vpc);
    one.finish();
    network.security_groups.push_back(std::move(group));
  });
  if (!own_groups) add_default_groups(network);
  map.finish();
}

void ConfigReader::read_endpoint_service(const YamlNode& node) {
  YamlMap map(node, errors_);
  EndpointService service;
  map.require_string("name", service.name);
  map.require_string("load_balancer", service.load_balancer);
  read_origin(map, service);
  map.finish();
  config_.endpoint_services.push_back(std::move(service));
}

}  // namespace sluice::gateway
