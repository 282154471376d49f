// SPDX-License-Identifier: Apache-2.0
// The `network` section of the configuration, as EC2 tells it.
#include <set>

#include "gateway/aws/ec2.h"
#include "gateway/aws/ec2_parts.h"
#include "gateway/aws/network.h"
#include "gateway/aws/xml.h"

namespace sluice::gateway::ec2 {
namespace {

const Tags kNoTags;

// Reads the parameters of a Describe action, picks the objects, and writes each of the page.
// `facts(object)` are for the filters, `write(item, object)` fills its element.
template <class Objects, class FactsOf, class Write>
AwsResult<> describe(Call& call, const Objects& all, const char* ids_name, const char* not_found,
                     const char* set_name, std::initializer_list<std::string_view> filter_names,
                     const FactsOf& facts, const Write& write) {
  using Object = typename Objects::value_type;
  const auto ids = call.params.texts(ids_name, kIdsMax);
  const Filters filters(call.params, filter_names);
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(auto found, by_ids(
                             all, ids, [](const Object& one) { return one.id; }, not_found));
  std::erase_if(found, [&](const Object* one) { return !filters.pass(facts(*one), kNoTags); });
  auto set = add(call.out, set_name);
  page.cut(found, call.out, [](const Object* one) { return one->id; });
  for (const Object* one : found) write(add(set, "item"), *one);
  return {};
}

void write_allow_all(pugi::xml_node item, const char* name) {
  auto permission = add(add(item, name), "item");
  add(permission, "ipProtocol", "-1");
  add(add(add(permission, "ipRanges"), "item"), "cidrIp", "0.0.0.0/0");
  add(add(add(permission, "ipv6Ranges"), "item"), "cidrIpv6", "::/0");
}

}  // namespace

AwsResult<> describe_vpcs(Call& call) {
  return describe(
      call, call.config().network.vpcs, "VpcId", "InvalidVpcID.NotFound", "vpcSet",
      {"vpc-id", "cidr", "cidr-block", "owner-id", "state", "is-default", "isDefault"},
      [&](const Vpc& vpc) {
        return Facts{{"vpc-id", vpc.id},       {"cidr", vpc.cidr},
                     {"cidr-block", vpc.cidr}, {"owner-id", call.place.account},
                     {"state", "available"},   {"is-default", "false"},
                     {"isDefault", "false"}};
      },
      [&](pugi::xml_node item, const Vpc& vpc) {
        add(item, "vpcId", vpc.id);
        add(item, "ownerId", call.place.account);
        add(item, "state", "available");
        add(item, "cidrBlock", vpc.cidr);
        auto block = add(add(item, "cidrBlockAssociationSet"), "item");
        add(block, "cidrBlock", vpc.cidr);
        add(block, "associationId", "vpc-cidr-assoc-" + vpc.id);
        add(add(block, "cidrBlockState"), "state", "associated");
        add(item, "instanceTenancy", "default");
        add(item, "isDefault", false);
        write_tags(item, kNoTags);
      });
}

AwsResult<> describe_subnets(Call& call) {
  return describe(
      call, call.config().network.subnets, "SubnetId", "InvalidSubnetID.NotFound", "subnetSet",
      {"subnet-id", "vpc-id", "availability-zone", "availabilityZone", "cidr", "cidr-block",
       "cidrBlock", "owner-id", "state", "default-for-az", "defaultForAz"},
      [&](const Subnet& subnet) {
        return Facts{{"subnet-id", subnet.id},
                     {"vpc-id", subnet.vpc},
                     {"availability-zone", subnet.zone},
                     {"availabilityZone", subnet.zone},
                     {"cidr", subnet.cidr},
                     {"cidr-block", subnet.cidr},
                     {"cidrBlock", subnet.cidr},
                     {"owner-id", call.place.account},
                     {"state", "available"},
                     {"default-for-az", "false"},
                     {"defaultForAz", "false"}};
      },
      [&](pugi::xml_node item, const Subnet& subnet) {
        add(item, "subnetId", subnet.id);
        add(item, "subnetArn",
            "arn:aws:ec2:" + call.place.region + ":" + call.place.account + ":subnet/" + subnet.id);
        add(item, "state", "available");
        add(item, "ownerId", call.place.account);
        add(item, "vpcId", subnet.vpc);
        add(item, "cidrBlock", subnet.cidr);
        add(item, "availabilityZone", subnet.zone);
        add(item, "availabilityZoneId", subnet.zone);
        add(item, "defaultForAz", false);
        add(item, "mapPublicIpOnLaunch", false);
        write_tags(item, kNoTags);
      });
}

AwsResult<> describe_availability_zones(Call& call) {
  struct Zone {
    std::string id;
  };
  std::set<std::string> names;
  for (const Subnet& subnet : call.config().network.subnets) names.insert(subnet.zone);
  std::vector<Zone> zones;
  zones.reserve(names.size());
  for (const std::string& name : names) zones.push_back({name});
  (void)call.params.boolean("AllAvailabilityZones");
  return describe(
      call, zones, "ZoneName", kInvalid, "availabilityZoneInfo",
      {"zone-name", "zone-id", "region-name", "state", "zone-type", "opt-in-status"},
      [&](const Zone& zone) {
        return Facts{{"zone-name", zone.id},
                     {"zone-id", zone.id},
                     {"region-name", call.place.region},
                     {"state", "available"},
                     {"zone-type", "availability-zone"},
                     {"opt-in-status", "opt-in-not-required"}};
      },
      [&](pugi::xml_node item, const Zone& zone) {
        add(item, "zoneName", zone.id);
        add(item, "zoneId", zone.id);
        add(item, "zoneState", "available");
        add(item, "regionName", call.place.region);
        add(item, "groupName", call.place.region);
        add(item, "zoneType", "availability-zone");
        add(item, "optInStatus", "opt-in-not-required");
        add(item, "messageSet");
      });
}

AwsResult<> describe_security_groups(Call& call) {
  return describe(
      call, call.config().network.security_groups, "GroupId", "InvalidGroup.NotFound",
      "securityGroupInfo", {"group-id", "group-name", "vpc-id", "owner-id"},
      [&](const SecurityGroup& group) {
        return Facts{{"group-id", group.id},
                     {"group-name", group.id},
                     {"vpc-id", group.vpc},
                     {"owner-id", call.place.account}};
      },
      [&](pugi::xml_node item, const SecurityGroup& group) {
        add(item, "ownerId", call.place.account);
        add(item, "groupId", group.id);
        add(item, "groupName", group.id);
        add(item, "groupDescription", "allows all: this gateway has no other security groups");
        add(item, "vpcId", group.vpc);
        write_allow_all(item, "ipPermissions");
        write_allow_all(item, "ipPermissionsEgress");
        write_tags(item, kNoTags);
      });
}

AwsResult<> describe_instances(Call& call) {
  const Config& config = call.config();
  const auto vpc_and_zone = [&](const Instance& instance) {
    const Subnet* subnet = find_subnet(config, instance.subnet);
    return subnet == nullptr ? std::pair<std::string, std::string>()
                             : std::pair(subnet->vpc, subnet->zone);
  };
  return describe(
      call, config.network.instances, "InstanceId", "InvalidInstanceID.NotFound", "reservationSet",
      {"instance-id", "private-ip-address", "subnet-id", "vpc-id", "availability-zone",
       "instance-state-name"},
      [&](const Instance& instance) {
        const auto [vpc, zone] = vpc_and_zone(instance);
        return Facts{
            {"instance-id", instance.id},   {"private-ip-address", instance.address.text()},
            {"subnet-id", instance.subnet}, {"vpc-id", vpc},
            {"availability-zone", zone},    {"instance-state-name", "running"}};
      },
      [&](pugi::xml_node item, const Instance& instance) {
        const auto [vpc, zone] = vpc_and_zone(instance);
        add(item, "reservationId", "r-" + instance.id);
        add(item, "ownerId", call.place.account);
        auto one = add(add(item, "instancesSet"), "item");
        add(one, "instanceId", instance.id);
        auto state = add(one, "instanceState");
        add_number(state, "code", 16);
        add(state, "name", "running");
        add(add(one, "placement"), "availabilityZone", zone);
        add(one, "subnetId", instance.subnet);
        add(one, "vpcId", vpc);
        add(one, "privateIpAddress", instance.address.text());
        write_tags(one, kNoTags);
      });
}

// Interfaces have no ids here, so there is never one to tell; clients ask for those that a load
// balancer left behind.
AwsResult<> describe_network_interfaces(Call& call) {
  const auto ids = call.params.texts("NetworkInterfaceId", kIdsMax);
  const Filters filters(
      call.params, {"attachment.instance-owner-id", "description", "group-id", "vpc-id",
                    "subnet-id", "network-interface-id", "status", "requester-id", "interface-type",
                    "addresses.private-ip-address", "private-ip-address", "attachment.instance-id",
                    "availability-zone", "requester-managed"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  if (!ids.empty())
    return refuse("InvalidNetworkInterfaceID.NotFound",
                  "The networkInterface ID '" + ids[0] + "' does not exist");
  add(call.out, "networkInterfaceSet");
  return {};
}

AwsResult<> describe_prefix_lists(Call& call) {
  const auto ids = call.params.texts("PrefixListId", kIdsMax);
  const Filters filters(call.params, {"prefix-list-id", "prefix-list-name", "owner-id"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  if (!ids.empty())
    return refuse("InvalidPrefixListId.NotFound",
                  "The prefix list ID '" + ids[0] + "' does not exist");
  add(call.out, "prefixListSet");
  return {};
}

}  // namespace sluice::gateway::ec2
