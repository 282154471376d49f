// SPDX-License-Identifier: Apache-2.0
// The way to a target: interface, next hop and its MAC address, from the kernel's routes and
// neighbours.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/control/address.h"
#include "gateway/targets/header.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class EventLoop;

struct NextHop {
  uint32_t interface = 0;        // index
  uint16_t mtu = 0;              // of the interface, or less if the route says so
  MacAddress from{};             // of the interface
  std::optional<MacAddress> to;  // of the target or the router to it; nothing until it is known
};

// Where the reconciler asks; a fake stands here in tests and in replay.
class NextHops {
 public:
  virtual ~NextHops() = default;
  virtual Result<NextHop> find(const IpAddress& target) = 0;
  virtual Result<uint32_t> interface_index(const std::string& name) = 0;
  virtual Result<uint32_t> interface_mtu(const std::string& name) = 0;
};

// The kernel's view of the network namespace that it was created in. It sends nothing: a neighbour
// becomes known when somebody (a health check) talks to it. An address once seen stays known until
// another takes its place, since the kernel forgets quiet neighbours that work.
class KernelNextHops : public NextHops {
 public:
  // `changed` is called from the loop after any change of neighbours, routes or links.
  static Result<std::unique_ptr<KernelNextHops>> create(EventLoop& loop,
                                                        std::function<void()> changed);
  ~KernelNextHops() override;
  Result<NextHop> find(const IpAddress& target) override;
  Result<uint32_t> interface_index(const std::string& name) override;
  Result<uint32_t> interface_mtu(const std::string& name) override;

 private:
  struct State;
  explicit KernelNextHops(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sluice::gateway
