// SPDX-License-Identifier: Apache-2.0
// One load balancer as it is served: it outlives the states that it goes through, so counters and
// connections to targets do.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "gateway/alb/counters.h"
#include "gateway/alb/options.h"
#include "gateway/alb/rules.h"
#include "gateway/alb/target_pool.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

struct ServedBalancer {
  std::string name;
  uint32_t idle_timeout_ms = 0;
  uint32_t client_keep_alive_ms = 0;
  AlbCounters counters;
  size_t clients = 0;
  std::map<std::string, std::shared_ptr<TargetPool>> pools;  // by target group
};

// What a listener does with requests now. A request holds the one that it began with.
struct Site {
  std::shared_ptr<ServedBalancer> balancer;
  RuleTable rules;
};

// A place where clients connect. Their sessions hold it.
struct Frontend {
  SocketAddress wanted;   // as configured
  SocketAddress address;  // as bound: port 0 has become a real one
  std::string address_text, port_text;
  std::shared_ptr<Site> site;
  UniqueFd fd;
  Watch watch;
  std::string trouble;      // why it is not bound; empty: it is
  uint64_t removed_ms = 0;  // not 0: it is no listener any more, since then
};

}  // namespace sluice::gateway
