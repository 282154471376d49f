// SPDX-License-Identifier: Apache-2.0
// The network of a lab: namespaces, switches, wires, addresses, routes.
#pragma once

#include <string>
#include <vector>

#include "testbed/lab/topology.h"
#include "tunnels/result.h"

namespace sluice::testbed {

// The namespaces that the lab will have, switches included.
std::vector<std::string> namespace_names(const Topology& topology);

// Makes all of it. What was made before an error stays, for delete_network().
Result<> create_network(const Topology& topology);
// Those of `names` that exist. Devices in them go with them.
Result<> delete_network(const std::vector<std::string>& names);

}  // namespace sluice::testbed
