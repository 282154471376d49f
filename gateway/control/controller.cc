// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/controller.h"

#include <algorithm>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kSoonMs = 5;
constexpr uint32_t kTickMs = 1000;

Result<> check_same(const Gateway& running, const Gateway& wanted) {
  const auto check = [](bool same, const char* what) -> Result<> {
    if (same) return {};
    return fail("cannot change while the gateway runs; restart it", what);
  };
  SLUICE_TRY_VOID(check(running.name == wanted.name, "gateway.name"));
  SLUICE_TRY_VOID(
      check(running.key.k0 == wanted.key.k0 && running.key.k1 == wanted.key.k1, "gateway.key"));
  SLUICE_TRY_VOID(check(running.socket == wanted.socket, "gateway.socket"));
  SLUICE_TRY_VOID(check(running.host == wanted.host, "gateway.host"));
  SLUICE_TRY_VOID(
      check(running.log_format == wanted.log_format && running.log_level == wanted.log_level,
            "gateway.log"));
  SLUICE_TRY_VOID(check(running.flows_max == wanted.flows_max, "gateway.flow_table.flows_max"));
  SLUICE_TRY_VOID(check(running.store == wanted.store, "gateway.store"));
  SLUICE_TRY_VOID(check(running.proxies_socket == wanted.proxies_socket &&
                            running.proxies_user == wanted.proxies_user,
                        "gateway.proxies"));
  SLUICE_TRY_VOID(check(running.pinned == wanted.pinned, "gateway.pinned"));
  SLUICE_TRY_VOID(check(running.region == wanted.region, "gateway.region"));
  SLUICE_TRY_VOID(check(running.account == wanted.account, "gateway.account"));
  SLUICE_TRY_VOID(check(running.api == wanted.api, "gateway.api"));
  return check(running.tunnel_address == wanted.tunnel_address, "gateway.tunnel.address");
}

// What HTTP checks of a network load balancer's groups say in Host: as AWS, the listener.
std::map<std::string, std::string> health_hosts(const Config& config) {
  std::map<std::string, std::string> hosts;
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners)
      for (const IpAddress& address : addresses_of(lb, listener))
        hosts.try_emplace(listener.default_action.target_group,
                          Target{address, listener.port}.text());
  }
  return hosts;
}

std::set<std::string> interfaces_of(const Config& config) {
  std::set<std::string> out(config.gateway.tunnel_interfaces.begin(),
                            config.gateway.tunnel_interfaces.end());
  for (const Attachment& attachment : config.attachments)
    out.insert({attachment.outside, attachment.inside});
  return out;
}

}  // namespace

Controller::Controller(EventLoop& loop, DataPathHost& host, NextHops& hops, EventBus& events,
                       HealthOptions health, Senders senders)
    : host_(host),
      hops_(hops),
      events_(events),
      reconciler_(host),
      checker_(
          loop,
          [this](const TargetName& name, HealthState before) { health_changed(name, before); },
          health),
      prober_(
          loop, {host.tables().tunnel_probes, kTargetsMax},
          senders.probe ? std::move(senders.probe) : [](const auto&, auto) { return false; },
          [this](const Target& target, HealthState before) { probes_changed(target, before); }),
      nudger_(
          loop, host,
          senders.frame ? std::move(senders.frame) : [](uint32_t, auto) { return false; }),
      soon_(loop, [this] { keep_up_and_tell(); }),
      tick_(loop, [this] {
        tick_.set_after(kTickMs);
        look_again();
      }) {}

Controller::~Controller() = default;

Result<> Controller::apply(Config config, OnMissing on_missing) {
  const bool first = config_.gateway.name.empty();
  if (!first) SLUICE_TRY_VOID(check_same(config_.gateway, config.gateway));
  if (on_missing == OnMissing::kRefuse) SLUICE_TRY_VOID(check_new_interfaces(config));
  Config before = std::exchange(config_, std::move(config));
  if (auto result = keep_up(); !result) {
    config_ = std::move(before);
    (void)keep_up();  // takes back what was written
    return result;
  }
  watch_targets();
  probe_targets();
  tick_.set_after(kTickMs);
  return {};
}

Result<> Controller::check_new_interfaces(const Config& next) {
  const std::set<std::string> known = interfaces_of(config_);
  for (const std::string& name : interfaces_of(next)) {
    if (known.contains(name)) continue;
    SLUICE_TRY(const uint32_t index, hops_.interface_index(name));
    if (index == 0 || index >= kPortsMax)
      return fail(
          "its index " + std::to_string(index) + " is not below " + std::to_string(kPortsMax),
          "interface " + name);
  }
  return {};
}

// An interface that was taken away must not keep the other flows from leaving a dead target.
Result<> Controller::keep_up() {
  Result<> result = reconciler_.reconcile(config_, *this, Reconciler::OnMissing::kGoOn);
  tell_lost_groups();
  nudger_.look();
  return result;
}

void Controller::tell_lost_groups() {
  constexpr std::string_view kWhat[] = {"packets go to all its targets", "its packets are dropped",
                                        "its packets pass without inspection"};
  const auto before = std::exchange(lost_groups_, {});
  for (const std::string& name : reconciler_.lost_groups()) {
    const TargetGroup* group = config_.target_group(name);
    if (group == nullptr) continue;
    const auto what = kWhat[static_cast<int>(failover_of(*group).all_unhealthy)];
    lost_groups_[name] = what;
    const auto told = before.find(name);
    if (told != before.end() && told->second == what) continue;
    events_.publish(EventKind::kGroupLost, EventLevel::kError,
                    "no target of " + name + " is healthy: " + std::string(what),
                    {{"target_group", name}});
  }
  for (const auto& [name, what] : before)
    if (!lost_groups_.contains(name) && config_.target_group(name) != nullptr)
      events_.publish(EventKind::kGroupBack, EventLevel::kInfo,
                      "target group " + name + " has a healthy target again",
                      {{"target_group", name}});
}

// The tick tries again every second: trouble is told once, and so is its end.
void Controller::keep_up_and_tell() {
  Result<> result = keep_up();
  if (result) result = reconciler_.missing();
  const std::string trouble = result ? "" : result.error().text();
  if (trouble == trouble_) return;
  trouble_ = trouble;
  if (result)
    events_.publish(EventKind::kInterfaceBack, EventLevel::kInfo, "the data path is whole again");
  else
    events_.publish(EventKind::kInterfaceMissing, EventLevel::kWarning, trouble,
                    {{"what", result.error().what}, {"where", result.error().where}});
}

void Controller::look_again() {
  if (!soon_.armed()) soon_.set_after(kSoonMs);
}

void Controller::watch_targets() {
  std::set<TargetName> wanted;
  steered_ = steered_groups(config_);
  const auto hosts = health_hosts(config_);
  for (const TargetGroup& group : config_.target_groups) {
    if (!steered_.contains(group.name)) continue;
    const bool appliance = group.protocol == Protocol::kGeneve;
    const auto host = hosts.find(group.name);
    for (const Target& target : group.targets) {
      const TargetName name{group.name, target};
      // Appliances insist on one address for packets and checks.
      checker_.watch(name, group.health_check,
                     appliance ? &config_.gateway.tunnel_address : nullptr,
                     host == hosts.end() ? std::string() : host->second);
      wanted.insert(name);
    }
  }
  for (const TargetName& name : watched_)
    if (!wanted.contains(name)) checker_.forget(name);
  watched_ = std::move(wanted);
}

void Controller::probe_targets() {
  std::map<Target, TunnelProbe> wanted = tunnel_probes_of(config_, reconciler_);
  prober_.set_key(derive_key(config_.gateway.key, KeyUse::kTunnelProbe));
  for (const auto& [target, probe] : probed_)
    if (!wanted.contains(target)) prober_.forget(target);
  for (const auto& [target, probe] : wanted) prober_.watch(target, probe);
  probed_ = std::move(wanted);
}

TargetHealth Controller::judge(const TargetName& name, const TargetHealth& checked) const {
  const TargetGroup* group = config_.target_group(name.group);
  if (group == nullptr || !tunnel_check_of(*group)) return checked;
  return with_tunnel(checked, prober_.state(name.target));
}

void Controller::health_changed(const TargetName& name, HealthState before) {
  const TargetHealth checked_before{before, {}, {}};
  state_is(name, judge(name, checked_before).state, judge(name, checker_.health(name)));
}

void Controller::probes_changed(const Target& target, HealthState before) {
  for (const TargetName& name : watched_) {
    const TargetGroup* group = config_.target_group(name.group);
    if (name.target != target || group == nullptr || !tunnel_check_of(*group)) continue;
    const TargetHealth checked = checker_.health(name);
    state_is(name, with_tunnel(checked, before).state, judge(name, checked));
  }
}

void tell_health(EventBus& events, const TargetName& name, HealthState before,
                 const TargetHealth& now) {
  const std::string state(health_state_name(now.state));
  events.publish(EventKind::kHealth,
                 gets_traffic(now.state) ? EventLevel::kInfo : EventLevel::kWarning,
                 "target " + name.target.text() + " of " + name.group + " is " + state + ": " +
                     now.description,
                 {{"target_group", name.group},
                  {"target", name.target.text()},
                  {"from", std::string(health_state_name(before))},
                  {"to", state},
                  {"reason", std::string(now.reason)}});
}

void Controller::state_is(const TargetName& name, HealthState before, const TargetHealth& now) {
  if (now.state == before) return;
  tell_health(events_, name, before, now);
  look_again();
}

TargetHealth Controller::target_health(const TargetGroup& group, const Target& target) const {
  if (group.protocol == Protocol::kHttp) return applications_.health(config_, group, target);
  if (!steered_.contains(group.name))
    return {HealthState::kUnused, "Target.NotInUse", "no listener forwards to its target group"};
  const TargetName name{group.name, target};
  return judge(name, checker_.health(name));
}

TargetHealth Controller::health(const TargetName& name) {
  return judge(name, checker_.health(name));
}

Result<NextHop> Controller::next_hop(const IpAddress& target) { return hops_.find(target); }

Result<uint32_t> Controller::interface_index(const std::string& name) {
  return hops_.interface_index(name);
}

}  // namespace sluice::gateway
