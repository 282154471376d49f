// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/controller.h"

#include <algorithm>

#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kSoonMs = 5;
constexpr uint32_t kTickMs = 1000;

std::string text(const Target& target) {
  const bool six = target.address.version == 6;
  return (six ? "[" : "") + target.address.text() + (six ? "]:" : ":") +
         std::to_string(target.port);
}

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
  SLUICE_TRY_VOID(check(running.flows_max == wanted.flows_max, "gateway.flow_table.flows_max"));
  return check(running.tunnel_address == wanted.tunnel_address, "gateway.tunnel.address");
}

// What HTTP checks of a network load balancer's groups say in Host: as AWS, the listener.
std::map<std::string, std::string> health_hosts(const Config& config) {
  std::map<std::string, std::string> hosts;
  for (const LoadBalancer& lb : config.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners)
      hosts.try_emplace(listener.default_action.target_group,
                        text(Target{listener.address, listener.port}));
  }
  return hosts;
}

}  // namespace

Controller::Controller(EventLoop& loop, DataPathHost& host, NextHops& hops,
                       std::function<void(const std::string&)> log, HealthOptions health)
    : host_(host),
      hops_(hops),
      log_(std::move(log)),
      reconciler_(host),
      checker_(
          loop,
          [this](const TargetName& name, HealthState before) { health_changed(name, before); },
          health),
      soon_(loop,
            [this] {
              Result<> result = keep_up();
              if (result) result = reconciler_.missing();
              // The tick tries again every second: say it once.
              const std::string trouble = result ? "" : result.error().text();
              if (trouble != trouble_ && !result) log_(trouble);
              trouble_ = trouble;
            }),
      tick_(loop, [this] {
        tick_.set_after(kTickMs);
        look_again();
      }) {}

Controller::~Controller() = default;

Result<> Controller::apply(Config config) {
  const bool first = config_.gateway.name.empty();
  if (!first) SLUICE_TRY_VOID(check_same(config_.gateway, config.gateway));
  for (const Attachment& attachment : inserted_) {
    const bool there = std::ranges::find(config.attachments, attachment.name, &Attachment::name) !=
                       config.attachments.end();
    if (there)
      return fail("the configuration has an attachment of the name of an inserted one",
                  "attachment " + attachment.name);
    if (config.load_balancer(attachment.load_balancer) == nullptr)
      return fail("an inserted attachment needs load balancer " + attachment.load_balancer,
                  "attachment " + attachment.name);
    config.attachments.push_back(attachment);
  }
  Config before = std::exchange(config_, std::move(config));
  if (auto result = reconcile(); !result) {
    config_ = std::move(before);
    if (!first) look_again();
    return result;
  }
  watch_targets();
  tick_.set_after(kTickMs);
  return {};
}

Result<> Controller::reconcile() { return reconciler_.reconcile(config_, *this); }

// An interface that was taken away must not keep the other flows from leaving a dead target.
Result<> Controller::keep_up() {
  return reconciler_.reconcile(config_, *this, Reconciler::OnMissing::kGoOn);
}

void Controller::look_again() {
  if (!soon_.armed()) soon_.set_after(kSoonMs);
}

void Controller::watch_targets() {
  std::set<TargetName> wanted;
  const auto steered = steered_groups(config_);
  const auto hosts = health_hosts(config_);
  for (const TargetGroup& group : config_.target_groups) {
    if (!steered.contains(group.name)) continue;
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

void Controller::health_changed(const TargetName& name, HealthState) {
  const TargetHealth now = checker_.health(name);
  log_("target " + text(name.target) + " of " + name.group + " is " +
       std::string(health_state_name(now.state)) + ": " + now.description);
  look_again();
}

Result<TargetGroup*> Controller::find_group(const std::string& name) {
  const auto at = std::ranges::find(config_.target_groups, name, &TargetGroup::name);
  if (at == config_.target_groups.end()) return fail("there is no target group '" + name + "'");
  if (at->protocol == Protocol::kHttp)
    return fail("target group '" + name + "' is of protocol HTTP: sluice-proxy serves it");
  return &*at;
}

Result<> Controller::register_target(const std::string& group_name, const Target& target) {
  SLUICE_TRY(TargetGroup * group, find_group(group_name));
  Target added = target;
  if (added.port == 0) added.port = group->port;
  const bool appliance = group->protocol == Protocol::kGeneve;
  if (appliance && (added.address.version != 4 || added.port != group->port))
    return fail("a GENEVE target has an IPv4 address and port 6081");
  if (std::ranges::find(group->targets, added) != group->targets.end()) return {};
  if (group->targets.size() >= kTargetsPerGroupMax)
    return fail("target group '" + group_name + "' is full");
  group->targets.push_back(added);
  if (auto result = keep_up(); !result) {
    group->targets.pop_back();
    look_again();
    return result;
  }
  watch_targets();
  return {};
}

Result<> Controller::deregister_target(const std::string& group_name, const Target& target) {
  SLUICE_TRY(TargetGroup * group, find_group(group_name));
  Target gone = target;
  if (gone.port == 0) gone.port = group->port;
  const auto at = std::ranges::find(group->targets, gone);
  if (at == group->targets.end())
    return fail("target " + text(gone) + " is not registered in '" + group_name + "'");
  group->targets.erase(at);
  watch_targets();
  return keep_up();
}

Result<> Controller::attach(const Attachment& attachment) {
  const LoadBalancer* lb = config_.load_balancer(attachment.load_balancer);
  if (lb == nullptr || lb->type != LoadBalancerType::kGateway)
    return fail("there is no gateway load balancer '" + attachment.load_balancer + "'");
  if (config_.attachments.size() >= kAttachmentsMax) return fail("there are too many attachments");
  const auto taken = [&](const std::string& interface) {
    return interface == attachment.outside || interface == attachment.inside;
  };
  if (attachment.outside == attachment.inside) return fail("outside and inside are one interface");
  for (const std::string& tunnel : config_.gateway.tunnel_interfaces)
    if (taken(tunnel)) return fail("the interface faces the appliances", tunnel);
  for (const Attachment& other : config_.attachments) {
    if (other.name == attachment.name)
      return fail("attachment '" + other.name + "' is there already");
    if (other.endpoint_id == attachment.endpoint_id)
      return fail("attachment '" + other.name + "' has this endpoint id");
    if (taken(other.outside) || taken(other.inside))
      return fail("attachment '" + other.name + "' has one of these interfaces");
  }
  config_.attachments.push_back(attachment);
  if (auto result = reconcile(); !result) {
    config_.attachments.pop_back();
    (void)keep_up();  // takes back what was written
    return result;
  }
  inserted_.push_back(attachment);
  log_("attachment " + attachment.name + " joined: " + attachment.outside + " and " +
       attachment.inside);
  return {};
}

Result<> Controller::detach(const std::string& name) {
  const auto inserted = std::ranges::find(inserted_, name, &Attachment::name);
  if (inserted == inserted_.end())
    return fail("there is no attachment '" + name + "' that was inserted by hand");
  inserted_.erase(inserted);
  std::erase_if(config_.attachments, [&](const Attachment& a) { return a.name == name; });
  log_("attachment " + name + " left");
  return keep_up();
}

TargetHealth Controller::target_health(const TargetGroup& group, const Target& target) const {
  if (!steered_groups(config_).contains(group.name))
    return {HealthState::kUnused, "Target.NotInUse", "no listener forwards to its target group"};
  return checker_.health({group.name, target});
}

TargetHealth Controller::health(const TargetName& name) { return checker_.health(name); }

Result<NextHop> Controller::next_hop(const IpAddress& target) { return hops_.find(target); }

Result<uint32_t> Controller::interface_index(const std::string& name) {
  return hops_.interface_index(name);
}

}  // namespace sluice::gateway
