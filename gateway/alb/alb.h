// SPDX-License-Identifier: Apache-2.0
// Application load balancers: listeners, sessions, target groups and their health, on one event
// loop. What is served is replaced as a whole while requests go on: each request ends with the
// rules that it began with, the next one on its connection takes the new ones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "gateway/alb/access_log.h"
#include "gateway/alb/options.h"
#include "gateway/alb/served.h"
#include "gateway/control/model.h"
#include "gateway/proxy/buffer.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/http1.h"
#include "gateway/targets/health.h"

namespace sluice::gateway {

class Session;

class Alb {
 public:
  // What becomes of a listener whose address cannot be bound: nothing changes, or the rest is
  // served and the address is tried again every second.
  enum class OnUnbound { kRefuse, kWait };

  Alb(EventLoop& loop, const AlbOptions& options, AccessLog log);
  ~Alb();

  // Serves every application load balancer of the (valid) config, which is not kept, from now on;
  // on an error everything is as it was. Binds; nothing is accepted before start().
  Result<> apply(const Config& config, OnUnbound on_unbound = OnUnbound::kRefuse);
  Result<> start();

  // Stops accepting; requests in flight end, kept connections close; then calls `done`, at the
  // latest after options().drain_ms.
  void drain(std::function<void()> done);
  bool draining() const { return draining_; }

  // Hears of targets whose state has changed, and of listeners: bound, unbound, come or gone.
  void on_health(std::function<void(const TargetName&)> heard) { tell_health_ = std::move(heard); }
  void on_listeners(std::function<void()> heard) { tell_listeners_ = std::move(heard); }

  using Balancers = std::map<std::string, std::shared_ptr<ServedBalancer>>;
  const Balancers& balancers() const { return balancers_; }
  const std::vector<std::shared_ptr<Frontend>>& frontends() const { return frontends_; }
  const AlbOptions& options() const { return options_; }
  size_t clients() const { return sessions_.size(); }
  const std::set<TargetName>& targets() const { return watched_; }  // of all groups
  // Draining while requests of a target that was deregistered have not ended.
  TargetHealth health(const TargetName& name) const;

  // For sessions.
  EventLoop& loop() { return loop_; }
  BufferPool& buffers() { return buffers_; }
  AccessLog& log() { return log_; }
  RequestHead& request_scratch() { return request_scratch_; }
  ResponseHead& response_scratch() { return response_scratch_; }
  std::string make_trace_id(uint64_t epoch_seconds);
  void session_begins(Session* session) { sessions_.insert(session); }
  void session_ends(Session* session);

 private:
  struct Leaving {
    TargetName name;
    std::shared_ptr<PooledTarget> target;
  };
  struct Next;  // a state that is not served yet

  // apply.cc
  Result<Next> prepare(const Config& config, OnUnbound on_unbound);
  Result<> add_listener(Next& next, const Config& config, const LoadBalancer& owner,
                        const Listener& listener, OnUnbound on_unbound);
  void commit(Next next, const Config& config);
  void update_pools(ServedBalancer& balancer, const LoadBalancer& owner, const Config& config);
  void remove(const std::shared_ptr<Frontend>& frontend);
  void watch_targets(const Config& config);
  Result<> bind(Frontend& frontend);

  void accept_some(const std::shared_ptr<Frontend>& frontend);
  void accept_failed(Frontend& frontend, int error);
  void health_changed(const TargetName& name);
  void sweep();
  void sweep_leaving();
  void bind_missing();
  void wake_sessions();
  void finish_drain();

  EventLoop& loop_;
  AlbOptions options_;
  AccessLog log_;
  BufferPool buffers_;
  RequestHead request_scratch_;  // large, and needed only between two waits
  ResponseHead response_scratch_;
  std::mt19937_64 random_;
  HealthChecker health_;
  Balancers balancers_;
  std::vector<std::shared_ptr<Frontend>> frontends_;
  std::set<TargetName> watched_;
  std::vector<Leaving> leaving_;
  std::unordered_set<Session*> sessions_;
  std::function<void(const TargetName&)> tell_health_;
  std::function<void()> tell_listeners_;
  Timer sweeper_;
  Timer accept_again_;
  Timer drain_limit_;
  bool started_ = false;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace sluice::gateway
