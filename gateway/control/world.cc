// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/world.h"

namespace sluice::gateway {

Result<NextHop> OfflineWorld::next_hop(const IpAddress&) {
  NextHop hop;
  SLUICE_TRY(hop.interface, interface_index(tunnel_interface));
  hop.mtu = mtu;
  hop.to = MacAddress{};
  return hop;
}

Result<uint32_t> OfflineWorld::interface_index(const std::string& name) {
  return interfaces_.try_emplace(name, static_cast<uint32_t>(interfaces_.size() + 1)).first->second;
}

}  // namespace sluice::gateway
