// SPDX-License-Identifier: Apache-2.0
// Addresses, routes and neighbours: simple changes by value, and lists of the kernel's own records,
// which keep every attribute (labels, lifetimes, metrics, multipath, source, ...) and can be put
// back unchanged.
#pragma once

#include <string>
#include <vector>

#include "gateway/control/netlink.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// `prefix` is "10.1.0.2/16" or "fd01::2/64"; without a length, a host address. An IPv6 address is
// usable at once (no duplicate address detection).
Result<> add_address(RouteSocket& socket, const std::string& device, const std::string& prefix);
Result<> delete_address(RouteSocket& socket, const std::string& device, const std::string& prefix);
// `to` is a prefix or "default" with the family of `via`.
Result<> add_route(RouteSocket& socket, const std::string& to, const std::string& via);

// Of both families, in the kernel's order. Routes: of every table, without the cached ones.
Result<std::vector<NetlinkRecord>> list_addresses(RouteSocket& socket, int device_index);
Result<std::vector<NetlinkRecord>> list_routes(RouteSocket& socket);
// Permanent and proxy entries only: the others come by themselves.
Result<std::vector<NetlinkRecord>> list_neighbours(RouteSocket& socket, int device_index);

// Equal for two records that mean the same: without counters, ages and state flags, attributes in
// order.
Bytes identity(const NetlinkRecord& record);

// What the kernel accepts as a request for the state in `record`, listed before. Putting what is
// there already is success.
Result<> put_address(RouteSocket& socket, const NetlinkRecord& record);
Result<> put_route(RouteSocket& socket, const NetlinkRecord& record);
Result<> put_neighbour(RouteSocket& socket, const NetlinkRecord& record);
Result<> delete_record(RouteSocket& socket, const NetlinkRecord& record);

// IPv6 routes of metric 0 (local and anycast ones): they come and go with their address, a little
// later than it. Putting one is success without an effect.
bool only_kernel_makes(const NetlinkRecord& route);
// True if the route leaves, or one of its paths does, by the device.
bool route_uses(const NetlinkRecord& route, int device_index);
// True if the route goes by a nexthop object, which is not in the record.
bool route_uses_nexthop_object(const NetlinkRecord& route);

}  // namespace sluice::gateway
