// SPDX-License-Identifier: Apache-2.0
// The gateway's desired state in effect: brings the data path to it, and keeps it there as targets
// become healthy or sick and interfaces come and go. ControlPlane is who changes the state.
#pragma once

#include <memory>
#include <string>

#include "gateway/control/application_reports.h"
#include "gateway/control/events.h"
#include "gateway/control/model.h"
#include "gateway/control/nudger.h"
#include "gateway/control/reconciler.h"
#include "gateway/control/tunnel_checks.h"
#include "gateway/control/tunnel_room.h"
#include "gateway/control/watching.h"
#include "gateway/datapath/host.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/health.h"
#include "gateway/targets/neighbours.h"

namespace sluice::gateway {

class Controller : private World {
 public:
  // How it speaks itself. Without `frame` flows of lost targets are reset when their ends speak;
  // without `probe` nobody is probed through the tunnel. `finish` and `redirects`: finish_packets()
  // and check_redirects() of World.
  struct Senders {
    SendFrame frame;
    SendProbe probe;
    std::function<Result<>(const std::string& interface, bool finish)> finish;
    std::function<Result<>(const std::string& interface)> redirects;
  };
  // All arguments outlive it. `events` hears of targets, attachments and missing interfaces.
  Controller(EventLoop& loop, DataPathHost& host, NextHops& hops, EventBus& events,
             HealthOptions health, Senders senders);
  Controller(EventLoop& loop, DataPathHost& host, NextHops& hops, EventBus& events,
             HealthOptions health = {})
      : Controller(loop, host, hops, events, health, Senders()) {}
  ~Controller() override;

  // A whole new state, valid as a whole (validate.h): all of it, or an error and everything is as
  // it was. What cannot change while running (docs/features/configuration.md lists it) is refused.
  // An interface that no earlier state named must be there; one that went away meanwhile is waited
  // for.
  enum class OnMissing { kRefuse, kWait };
  Result<> apply(Config config, OnMissing on_missing = OnMissing::kRefuse);

  // What apply() would refuse before it touches anything.
  Result<> check(const Config& next, OnMissing on_missing = OnMissing::kRefuse) const;

  void detach_all() { reconciler_.detach_all(); }

  // The network changed (a neighbour, a route, an interface): looks again soon.
  void look_again();

  const Config& config() const { return config_; }
  const Reconciler& reconciler() const { return reconciler_; }
  EventBus& events() const { return events_; }
  const HealthChecker& checker() const { return checker_; }
  ApplicationReports& applications() { return applications_; }
  const ApplicationReports& applications() const { return applications_; }
  const TunnelProber& prober() const { return prober_; }
  Watching& watching() { return watching_; }
  const Tables& tables() const { return host_.tables(); }
  uint64_t now_ms() const { return host_.now_ms(); }
  // As describe-target-health tells it: unused and draining included. Of HTTP targets what the
  // proxies say.
  TargetHealth target_health(const TargetGroup& group, const Target& target) const;

 private:
  TargetHealth health(const TargetName& name) override;
  Result<NextHop> next_hop(const IpAddress& target) override;
  Result<uint32_t> interface_index(const std::string& name) override;
  Result<> finish_packets(const std::string& interface, bool finish) override {
    return finish_ ? finish_(interface, finish) : Result<>();
  }
  Result<> check_redirects(const std::string& interface) override {
    return redirects_ ? redirects_(interface) : Result<>();
  }

  Result<> check_new_interfaces(const Config& next) const;
  Result<> keep_up();
  void keep_up_and_tell();
  void tell_lost_groups();
  void tell_room();
  void keep_up_soon();
  void watch_targets();
  void probe_targets();
  // By its checks, and by probes if its group wants them.
  TargetHealth judge(const TargetName& name, const TargetHealth& checked) const;
  void watch_group(const ObjectList<TargetGroup>::Shared& group, const std::string& host);
  void forget_group(std::string_view name);
  void health_changed(const TargetName& name, HealthState before);
  void probes_changed(const Target& target, HealthState before);
  void state_is(const TargetName& name, HealthState before, const TargetHealth& now);

  DataPathHost& host_;
  NextHops& hops_;
  EventBus& events_;
  Config config_;
  struct Watched {
    ObjectList<TargetGroup>::Shared group;
    std::string host;
  };
  std::map<std::string, Watched, std::less<>> watched_;
  Config watched_for_;                                     // the state that watched_ is of
  std::map<std::string, std::string, std::less<>> hosts_;  // health_hosts() of it
  std::string trouble_;                                    // what the reconciler said last
  // Groups without a healthy target that were told of, and what was said of them.
  std::map<Reconciler::Lost, std::string_view> lost_groups_;
  std::function<Result<>(const std::string&, bool)> finish_;
  std::function<Result<>(const std::string&)> redirects_;
  Reconciler reconciler_;
  HealthChecker checker_;
  std::map<Target, TunnelProbe> probed_;
  TunnelProber prober_;
  Nudger nudger_;
  ApplicationReports applications_;
  Watching watching_;
  TunnelRoom room_;
  bool room_stale_ = true;
  Timer soon_;
  Timer tick_;  // drains end by time
};

void tell_health(EventBus& events, const TargetName& name, HealthState before,
                 const TargetHealth& now);

}  // namespace sluice::gateway
