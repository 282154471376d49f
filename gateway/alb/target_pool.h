// SPDX-License-Identifier: Apache-2.0
// The targets of one group as one load balancer uses it: whose turn it is, connections kept for the
// next request, and what was counted. Sessions hold the target that they use, so one that leaves
// the group goes on with what it has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/alb/counters.h"
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
  // Only after a whole request and its whole response, and nothing else. A target that has left
  // its group keeps none.
  void keep(std::unique_ptr<Socket> socket, uint64_t until_ms);
  void close_idle(uint64_t now_ms);
  size_t idle() const { return idle_.size(); }
  bool healthy() const { return healthy_; }

  uint64_t requests = 0;
  uint64_t connect_failures = 0;
  size_t in_flight = 0;    // requests that it has now
  uint64_t leaves_ms = 0;  // not 0: has left the group, and requests in flight end by then

 private:
  friend class TargetPool;
  struct Idle {
    std::unique_ptr<Socket> socket;
    uint64_t until_ms;
  };
  Target target_;
  SocketAddress address_;
  std::string text_;
  std::vector<Idle> idle_;
  bool healthy_ = false;
};

class TargetPool {
 public:
  using Targets = std::vector<std::shared_ptr<PooledTarget>>;

  explicit TargetPool(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const Targets& targets() const { return targets_; }
  const std::shared_ptr<PooledTarget>* find(const Target& target) const;
  TargetCounters& counters() { return counters_; }

  // Takes these targets; those that stay keep what they have. Gives back those that have left.
  Targets update(const std::vector<Target>& targets);
  void set_healthy(PooledTarget& target, bool healthy);

  // Round robin among the healthy ones other than `avoid`; among all when none is healthy (the
  // group fails open). Null only without targets.
  std::shared_ptr<PooledTarget> pick(const PooledTarget* avoid);
  bool any_healthy() const { return healthy_ > 0; }

 private:
  std::string name_;
  Targets targets_;
  TargetCounters counters_;
  size_t next_ = 0;
  size_t healthy_ = 0;
};

}  // namespace sluice::gateway
