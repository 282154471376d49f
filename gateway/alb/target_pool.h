// SPDX-License-Identifier: Apache-2.0
// The targets of one group: whose turn it is, and connections kept for the next request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/alb/options.h"
#include "gateway/control/model.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

class PooledTarget {
 public:
  explicit PooledTarget(const Target& target);

  const Target& target() const { return target_; }
  const SocketAddress& address() const { return address_; }
  const std::string& text() const { return text_; }

  // A kept connection that is quiet, the latest used first; null if there is none.
  std::unique_ptr<Socket> take();
  // Only after a whole request and its whole response, and nothing else.
  void keep(std::unique_ptr<Socket> socket, uint64_t until_ms);
  void close_idle(uint64_t now_ms);
  size_t idle() const { return idle_.size(); }

  bool healthy = false;
  uint64_t requests = 0;
  uint64_t connect_failures = 0;

 private:
  struct Idle {
    std::unique_ptr<Socket> socket;
    uint64_t until_ms;
  };
  Target target_;
  SocketAddress address_;
  std::string text_;
  std::vector<Idle> idle_;
};

class TargetPool {
 public:
  explicit TargetPool(const TargetGroup& group);

  const std::string& name() const { return name_; }
  std::vector<PooledTarget>& targets() { return targets_; }
  PooledTarget* find(const Target& target);

  // Round robin among the healthy ones other than `avoid`; among all when none is healthy (the
  // group fails open). Null only without targets.
  PooledTarget* pick(const PooledTarget* avoid);
  bool any_healthy() const;

 private:
  std::string name_;
  std::vector<PooledTarget> targets_;
  size_t next_ = 0;
};

}  // namespace sluice::gateway
