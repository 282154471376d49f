// SPDX-License-Identifier: Apache-2.0
// An application load balancer: listeners, sessions, target groups and their health, on one event
// loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "gateway/alb/access_log.h"
#include "gateway/alb/counters.h"
#include "gateway/alb/options.h"
#include "gateway/alb/rules.h"
#include "gateway/alb/target_pool.h"
#include "gateway/control/model.h"
#include "gateway/proxy/buffer.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"
#include "gateway/targets/health.h"

namespace sluice::gateway {

class Session;

class Alb {
 public:
  struct Frontend {
    SocketAddress address;  // as bound: port 0 has become a real one
    std::string port_text;
    RuleTable rules;
    UniqueFd fd;
    Watch watch;
  };

  // Binds every listener of the load balancer, accepts nothing yet. The config is not kept.
  static Result<std::unique_ptr<Alb>> create(EventLoop& loop, const Config& config,
                                             const LoadBalancer& load_balancer,
                                             const AlbOptions& options, AccessLog log);
  ~Alb();

  Result<> start();

  // Stops accepting; requests in flight end, kept connections close; then calls `done`, at the
  // latest after options().drain_ms.
  void drain(std::function<void()> done);
  bool draining() const { return draining_; }

  const std::string& name() const { return name_; }
  const std::vector<std::unique_ptr<Frontend>>& frontends() const { return frontends_; }
  std::vector<TargetPool>& pools() { return pools_; }
  const AlbOptions& options() const { return options_; }
  size_t clients() const { return sessions_.size(); }
  TargetHealth health(const TargetPool& pool, const PooledTarget& target) const;

  // For sessions.
  EventLoop& loop() { return loop_; }
  AlbCounters& counters() { return counters_; }
  BufferPool& buffers() { return buffers_; }
  AccessLog& log() { return log_; }
  RequestHead& request_scratch() { return request_scratch_; }
  ResponseHead& response_scratch() { return response_scratch_; }
  std::string make_trace_id(uint64_t epoch_seconds);
  void session_begins(Session* session) { sessions_.insert(session); }
  void session_ends(Session* session);

 private:
  Alb(EventLoop& loop, std::string name, const AlbOptions& options, AccessLog log);
  Result<> listen(const Config& config, const Listener& listener, const IpAddress& at);
  size_t pool_number(const Config& config, const std::string& group);
  void accept_some(Frontend& frontend);
  void accept_failed(int error);
  void health_changed(const TargetName& name);
  void sweep();
  void finish_drain();

  EventLoop& loop_;
  std::string name_;
  AlbOptions options_;
  AccessLog log_;
  AlbCounters counters_;
  BufferPool buffers_;
  RequestHead request_scratch_;  // large, and needed only between two waits
  ResponseHead response_scratch_;
  std::mt19937_64 random_;
  std::vector<TargetPool> pools_;
  HealthChecker health_;
  std::vector<std::unique_ptr<Frontend>> frontends_;
  std::unordered_set<Session*> sessions_;
  Timer sweeper_;
  Timer accept_again_;
  Timer drain_limit_;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace sluice::gateway
