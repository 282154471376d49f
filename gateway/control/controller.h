// SPDX-License-Identifier: Apache-2.0
// The gateway's desired state while it runs: the configuration, what was changed by hand since, and
// the health of its targets. Every change ends in one call of the reconciler, a moment later.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gateway/control/model.h"
#include "gateway/control/reconciler.h"
#include "gateway/datapath/host.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/health.h"
#include "gateway/targets/neighbours.h"

namespace sluice::gateway {

class Controller : private World {
 public:
  // All arguments outlive it. `log` gets one line per event worth a person's attention.
  Controller(EventLoop& loop, DataPathHost& host, NextHops& hops,
             std::function<void(const std::string&)> log, HealthOptions health = {});
  ~Controller() override;

  // A whole new configuration. What cannot change while running (name, key, socket, host, flow
  // table, tunnel address) is refused, and then nothing has changed. Targets and attachments that
  // were added by hand and are not in it are forgotten, except attachments of `insert`, which live
  // until `remove`.
  Result<> apply(Config config);

  Result<> register_target(const std::string& group, const Target& target);
  Result<> deregister_target(const std::string& group, const Target& target);
  Result<> attach(const Attachment& attachment);
  Result<> detach(const std::string& name);
  void detach_all() { reconciler_.detach_all(); }

  // Something outside changed (a neighbour, a route): looks again soon.
  void look_again();

  const Config& config() const { return config_; }
  const Reconciler& reconciler() const { return reconciler_; }
  const Tables& tables() const { return host_.tables(); }
  uint64_t now_ms() const { return host_.now_ms(); }
  // As describe-target-health tells it: unused and draining included.
  TargetHealth target_health(const TargetGroup& group, const Target& target) const;

 private:
  TargetHealth health(const TargetName& name) override;
  Result<NextHop> next_hop(const IpAddress& target) override;
  Result<uint32_t> interface_index(const std::string& name) override;

  Result<TargetGroup*> find_group(const std::string& name);
  Result<> reconcile();
  Result<> keep_up();
  void watch_targets();
  void health_changed(const TargetName& name, HealthState before);

  DataPathHost& host_;
  NextHops& hops_;
  std::function<void(const std::string&)> log_;
  Config config_;
  std::vector<Attachment> inserted_;  // by hand
  std::set<TargetName> watched_;
  std::string trouble_;  // what the reconciler said last
  Reconciler reconciler_;
  HealthChecker checker_;
  Timer soon_;
  Timer tick_;  // drains end by time
};

}  // namespace sluice::gateway
