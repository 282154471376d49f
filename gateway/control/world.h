// SPDX-License-Identifier: Apache-2.0
// What the reconciler has to know besides the configuration. The daemon's answers come from health
// checks and the kernel; replay's from OfflineWorld.
#pragma once

#include <map>
#include <string>

#include "gateway/targets/health.h"
#include "gateway/targets/neighbours.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class World {
 public:
  virtual ~World() = default;
  virtual TargetHealth health(const TargetName& name) = 0;
  virtual Result<NextHop> next_hop(const IpAddress& target) = 0;
  virtual Result<uint32_t> interface_index(const std::string& name) = 0;
  // Whether packets leave the kernel by the interface as they will be on the wire, one by one and
  // with their checksums, or the rest of that is left to the interface.
  virtual Result<> finish_packets(const std::string& /*interface*/, bool /*finish*/) { return {}; }
  // An error if what XDP sends to the interface, which has no XDP program, is lost.
  virtual Result<> check_redirects(const std::string& /*interface*/) { return {}; }
};

// Every target is healthy and reached without a MAC address; interfaces are numbered from 1 as they
// are asked for: per attachment outside, inside, and then the tunnel's.
class OfflineWorld : public World {
 public:
  TargetHealth health(const TargetName&) override {
    return {HealthState::kHealthy, {}, "not checked"};
  }
  Result<NextHop> next_hop(const IpAddress& target) override;
  Result<uint32_t> interface_index(const std::string& name) override;

  // Packets to appliances leave by the first tunnel interface.
  std::string tunnel_interface;
  uint16_t mtu = 65535;

 private:
  std::map<std::string, uint32_t> interfaces_;
};

}  // namespace sluice::gateway
