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
  SLUICE_TRY_VOID(
      check(running.tunnel_address6 == wanted.tunnel_address6, "gateway.tunnel.ipv6_address"));
  return check(running.tunnel_address == wanted.tunnel_address, "gateway.tunnel.address");
}

// What HTTP checks of a network load balancer's groups say in Host: as AWS, the listener.
std::map<std::string, std::string, std::less<>> health_hosts(const Config& config) {
  std::map<std::string, std::string, std::less<>> hosts;
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
      finish_(std::move(senders.finish)),
      redirects_(std::move(senders.redirects)),
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
      watching_(loop, host),
      room_(events),
      soon_(loop, [this] { keep_up_and_tell(); }),
      tick_(loop, [this] {
        tick_.set_after(kTickMs);
        reconciler_.interfaces_changed();
        keep_up_soon();
      }) {}

Controller::~Controller() = default;

Result<> Controller::apply(Config config, OnMissing on_missing) {
  SLUICE_TRY_VOID(check(config, on_missing));
  Config before = std::exchange(config_, std::move(config));
  if (auto result = keep_up(); !result) {
    config_ = std::move(before);
    // Takes back what was written; what an earlier process has left is for the next one to find.
    if (!config_.gateway.name.empty()) (void)keep_up();
    return result;
  }
  watch_targets();
  probe_targets();
  room_stale_ = true;
  tell_room();
  tick_.set_after(kTickMs);
  return {};
}

Result<> Controller::check(const Config& next, OnMissing on_missing) const {
  const bool first = config_.gateway.name.empty();
  if (!first) SLUICE_TRY_VOID(check_same(config_.gateway, next.gateway));
  if (on_missing == OnMissing::kWait) return {};
  const std::string& nlb = next.gateway.nlb_interface;
  if (!first && !nlb.empty() && nlb != config_.gateway.nlb_interface)
    SLUICE_TRY_VOID(hops_.interface_index(nlb));
  return check_new_interfaces(next);
}

Result<> Controller::check_new_interfaces(const Config& next) const {
  if (next.attachments.same_objects(config_.attachments) &&
      next.gateway.tunnel_interfaces == config_.gateway.tunnel_interfaces)
    return {};
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
  if (reconciler_.has_more_to_do()) keep_up_soon();
  tell_lost_groups();
  nudger_.look();
  return result;
}

void Controller::tell_lost_groups() {
  constexpr std::string_view kWhat[] = {"packets go to all its targets", "its packets are dropped",
                                        "its packets pass without inspection"};
  const auto before = std::exchange(lost_groups_, {});
  const auto in_zone = [](const Reconciler::Lost& lost) {
    return lost.group + (lost.zone.empty() ? "" : " in " + lost.zone);
  };
  const auto labels = [](const Reconciler::Lost& lost) {
    std::vector<std::pair<std::string_view, std::string>> out{{"target_group", lost.group}};
    if (!lost.zone.empty()) out.emplace_back("zone", lost.zone);
    return out;
  };
  for (const Reconciler::Lost& lost : reconciler_.lost_groups()) {
    const TargetGroup* group = config_.target_group(lost.group);
    if (group == nullptr) continue;
    const auto what = kWhat[static_cast<int>(failover_of(*group).all_unhealthy)];
    lost_groups_[lost] = what;
    const auto told = before.find(lost);
    if (told != before.end() && told->second == what) continue;
    events_.publish(EventKind::kGroupLost, EventLevel::kError,
                    "no target of " + in_zone(lost) + " is healthy: " + std::string(what),
                    labels(lost));
  }
  for (const auto& [lost, what] : before)
    if (!lost_groups_.contains(lost) && config_.target_group(lost.group) != nullptr)
      events_.publish(EventKind::kGroupBack, EventLevel::kInfo,
                      "target group " + in_zone(lost) + " has a healthy target again",
                      labels(lost));
}

void Controller::tell_room() {
  if (!room_stale_ || reconciler_.has_more_to_do()) return;
  room_stale_ = false;
  room_.look(config_, host_.tables(), hops_);
}

// The tick tries again every second: trouble is told once, and so is its end.
void Controller::keep_up_and_tell() {
  Result<> result = keep_up();
  if (result) result = reconciler_.missing();
  tell_room();
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
  reconciler_.network_changed();
  room_stale_ = true;
  keep_up_soon();
}

void Controller::keep_up_soon() {
  if (!soon_.armed()) soon_.set_after(kSoonMs);
}

// Only those of groups that are not what they were.
void Controller::watch_targets() {
  const auto& groups = config_.target_groups;
  const auto& before = watched_for_.target_groups;
  const bool balancers = !config_.load_balancers.same_objects(watched_for_.load_balancers) ||
                         !(config_.gateway == watched_for_.gateway);
  if (balancers) hosts_ = health_hosts(config_);
  for (size_t i = 0; i < groups.size(); i++) {
    if (!balancers && i < before.size() && &groups[i] == &before[i]) continue;
    const auto host = hosts_.find(groups[i].name);
    if (reconciler_.steers_to(groups[i].name))
      watch_group(groups.shared(i), host == hosts_.end() ? std::string() : host->second);
  }
  std::vector<std::string> gone;
  for (const auto& [name, watched] : watched_)
    if (!reconciler_.steers_to(name)) gone.push_back(name);
  for (const std::string& name : gone) forget_group(name);
  watched_for_ = config_;
}

void Controller::watch_group(const ObjectList<TargetGroup>::Shared& group,
                             const std::string& host) {
  Watched& watched = watched_[group->name];
  if (watched.group == group && watched.host == host) return;
  // Appliances insist on one address for packets and checks.
  const bool appliances = group->protocol == Protocol::kGeneve;
  for (const Target& target : group->targets)
    checker_.watch(
        {group->name, target}, group->health_check,
        appliances ? &config_.gateway.tunnel_address_of(target.address.version) : nullptr, host);
  if (watched.group != nullptr) {
    const std::set<Target> wanted(group->targets.begin(), group->targets.end());
    for (const Target& target : watched.group->targets)
      if (!wanted.contains(target)) checker_.forget({group->name, target});
  }
  watched = {group, host};
}

void Controller::forget_group(std::string_view name) {
  const auto at = watched_.find(name);
  for (const Target& target : at->second.group->targets) checker_.forget({at->first, target});
  watched_.erase(at);
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
  for (const auto& [group, watched] : watched_) {
    const auto& targets = watched.group->targets;
    if (!tunnel_check_of(*watched.group) || std::ranges::find(targets, target) == targets.end())
      continue;
    const TargetName name{group, target};
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
  reconciler_.health_changed(name.group);
  keep_up_soon();
}

TargetHealth Controller::target_health(const TargetGroup& group, const Target& target) const {
  if (group.protocol == Protocol::kHttp) return applications_.health(config_, group, target);
  if (!reconciler_.steers_to(group.name))
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
