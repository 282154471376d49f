// SPDX-License-Identifier: Apache-2.0
// Whether what comes to the attachments fits the tunnels to the appliances (docs/features/mtu.md),
// told by name when it changes.
#pragma once

#include <map>
#include <string>

#include "gateway/control/events.h"
#include "gateway/control/model.h"
#include "gateway/datapath/host.h"
#include "gateway/targets/neighbours.h"

namespace sluice::gateway {

class TunnelRoom {
 public:
  explicit TunnelRoom(EventBus& events) : events_(events) {}

  // `tables`: with the appliances as they are now.
  void look(const Config& config, const Tables& tables, NextHops& hops);

 private:
  EventBus& events_;
  std::map<std::string, std::string> told_;  // what, by attachment
};

}  // namespace sluice::gateway
