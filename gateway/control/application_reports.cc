// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/application_reports.h"

#include <algorithm>

namespace sluice::gateway {

void ApplicationReports::set_target(uint64_t proxy, const TargetName& name, TargetHealth health) {
  if (health.state == HealthState::kUnused)
    proxies_[proxy].targets.erase(name);
  else
    proxies_[proxy].targets.insert_or_assign(name, std::move(health));
}

void ApplicationReports::set_balancers(uint64_t proxy,
                                       std::map<std::string, ServedListeners> balancers) {
  auto& own = proxies_[proxy].balancers;
  own.clear();
  for (auto& [name, listeners] : balancers) own.emplace(name, std::move(listeners));
}

void ApplicationReports::forget_targets_not_in(const Config& config) {
  for (auto& [number, proxy] : proxies_)
    std::erase_if(proxy.targets, [&](const auto& entry) {
      const auto& [name, health] = entry;
      if (health.state == HealthState::kDraining) return false;
      const TargetGroup* group = config.target_group(name.group);
      return group == nullptr ||
             std::ranges::find(group->targets, name.target) == group->targets.end();
    });
}

size_t ApplicationReports::targets(uint64_t proxy) const {
  const auto at = proxies_.find(proxy);
  return at == proxies_.end() ? 0 : at->second.targets.size();
}

TargetHealth ApplicationReports::health(const Config& config, const TargetGroup& group,
                                        const Target& target) const {
  const auto forwards = [&](const LoadBalancer& balancer) { return uses(balancer, group.name); };
  if (std::ranges::none_of(config.load_balancers, forwards))
    return {HealthState::kUnused, "Target.NotInUse", "no listener forwards to its target group"};
  const TargetHealth* best = nullptr;
  for (const auto& [number, proxy] : proxies_) {
    const auto at = proxy.targets.find({group.name, target});
    if (at == proxy.targets.end() || at->second.state == HealthState::kDraining) continue;
    if (best == nullptr || gets_traffic(at->second.state)) best = &at->second;
  }
  if (best != nullptr) return *best;
  const bool served = std::ranges::any_of(config.load_balancers, [&](const LoadBalancer& balancer) {
    return forwards(balancer) && listeners(balancer.name) != nullptr;
  });
  if (served) return {HealthState::kInitial, "Elb.RegistrationInProgress", "not checked yet"};
  return {HealthState::kUnavailable, "Elb.InternalError",
          "no sluice-proxy serves its load balancer"};
}

bool ApplicationReports::is_draining(const TargetName& name) const {
  return std::ranges::any_of(proxies_, [&](const auto& entry) {
    const auto at = entry.second.targets.find(name);
    return at != entry.second.targets.end() && at->second.state == HealthState::kDraining;
  });
}

const ServedListeners* ApplicationReports::listeners(std::string_view balancer) const {
  for (const auto& [number, proxy] : proxies_) {
    const auto at = proxy.balancers.find(balancer);
    if (at != proxy.balancers.end()) return &at->second;
  }
  return nullptr;
}

BalancerState state_of(const ApplicationReports& reports, const LoadBalancer& balancer) {
  const ServedListeners* listeners = reports.listeners(balancer.name);
  if (listeners == nullptr) return {"provisioning", "no sluice-proxy serves it yet"};
  const auto is_bad = [](const ServedListener& listener) { return !listener.trouble.empty(); };
  const auto bad = std::ranges::find_if(*listeners, is_bad);
  if (bad == listeners->end()) return {"active", ""};
  const bool all = std::ranges::all_of(*listeners, is_bad);
  return {all ? "failed" : "active_impaired", bad->address + ": " + bad->trouble};
}

}  // namespace sluice::gateway
