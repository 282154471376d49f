// SPDX-License-Identifier: Apache-2.0
// Whether a state can run: names, references, ranges across objects, limits of the tables. The same
// for every way in; what one value may look like is checked by whoever reads it.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "gateway/control/model.h"
#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr size_t kLoadBalancersMax = 256;
inline constexpr size_t kTargetGroupsMax = 2048;
inline constexpr size_t kTargetsPerGroupMax = 1024;
inline constexpr size_t kRegisteredTargetsMax = 32'768;  // in all groups together
// Half of the places in the tables of the packet path, so that a replaced set of targets finds room
// while the old one drains.
inline constexpr size_t kRegisteredAppliancesMax = 2048;
inline constexpr size_t kRegisteredNetworkTargetsMax = 20'480;
inline constexpr size_t kNlbFrontendsMax = 2048;  // addresses and ports of NLB listeners
inline constexpr size_t kListenersPerLoadBalancerMax = 50;
inline constexpr size_t kEndpointServicesMax = 256;
inline constexpr size_t kRulesMax = 100;  // of a load balancer, without the default ones
inline constexpr size_t kConditionsMax = 5;
inline constexpr size_t kTagsMax = 50;
inline constexpr size_t kSubnetMappingsMax = 16;
inline constexpr size_t kSecurityGroupsMax = 16;
inline constexpr size_t kNetworkObjectsMax = 1024;  // of each kind

// Everything that is wrong, each error's `where` the path of the object or value
// ("target_groups[0].targets[2].id"). `broken` tells paths whose value is known to be wrong
// already: nothing is said that could only follow from that.
using Broken = std::function<bool(std::string_view path)>;
std::vector<Error> validate(const Config& config, const Broken& broken = {});

// The same for a state that came of `before`, which is valid: objects that they share are not
// judged again, but for what others may have changed about them.
std::vector<Error> validate_change(const Config& before, const Config& config);

}  // namespace sluice::gateway
