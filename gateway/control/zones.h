// SPDX-License-Identifier: Apache-2.0
// Zones: which targets the flows of an endpoint, or of an NLB address, may go to while cross-zone
// load balancing is off. A zone is a word of `network.subnets`. What stands in no subnet has none:
// a target without a zone is everybody's, an endpoint or address without one uses all targets.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "gateway/control/model.h"

namespace sluice::gateway {

// A zone's number in the tables; 0 for "".
uint64_t zone_id(std::string_view zone);

// The zone of a target: its instance's subnet, or the narrowest subnet that has the address.
std::string_view zone_of_target(const Network& network, const IpAddress& address);

// The zone that flows to `group` are kept in; empty: all.
std::string_view zone_of_endpoint(const Config& config, const Attachment& attachment,
                                  const TargetGroup& group);
std::string_view zone_of_address(const Config& config, const LoadBalancer& owner,
                                 const IpAddress& listener_address, const TargetGroup& group);

// The zones that groups are steered in, by group; groups without one are not there.
using SteeredZones = std::map<std::string, std::set<std::string>, std::less<>>;
SteeredZones steered_zones(const Config& config);

// The group as far as a zone has it: its own targets and those of no zone.
TargetGroup part_in_zone(const TargetGroup& group, const Network& network, std::string_view zone);

}  // namespace sluice::gateway
