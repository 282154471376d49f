// SPDX-License-Identifier: Apache-2.0
// From what is served to what is wanted: everything that can fail first, then the rest at once.
#include <algorithm>

#include "gateway/alb/alb.h"
#include "gateway/alb/session.h"
#include "gateway/control/attributes.h"

namespace sluice::gateway {
namespace {

constexpr int kBacklog = 1024;

uint32_t milliseconds(const LoadBalancer& owner, const char* attribute, uint32_t fallback) {
  if (!owner.attributes.contains(attribute)) return fallback;
  return static_cast<uint32_t>(1000 * number_attribute(owner, attribute));
}

}  // namespace

struct Alb::Next {
  struct Place {
    std::shared_ptr<Frontend> frontend;
    std::shared_ptr<Site> site;
  };
  Balancers balancers;
  std::map<std::string, std::map<std::string, std::shared_ptr<TargetPool>>> pools;  // new ones
  std::vector<Place> places;
};

Result<> Alb::apply(const Config& config, OnUnbound on_unbound) {
  SLUICE_TRY(Next next, prepare(config, on_unbound));
  commit(std::move(next), config);
  return {};
}

Result<Alb::Next> Alb::prepare(const Config& config, OnUnbound on_unbound) {
  Next next;
  for (const LoadBalancer& owner : config.load_balancers) {
    if (owner.type != LoadBalancerType::kApplication) continue;
    const auto there = balancers_.find(owner.name);
    auto& balancer = next.balancers[owner.name];
    balancer = there != balancers_.end() ? there->second : std::make_shared<ServedBalancer>();
    balancer->name = owner.name;
    for (const Listener& listener : owner.listeners)
      SLUICE_TRY_VOID(add_listener(next, config, owner, listener, on_unbound));
  }
  return next;
}

Result<> Alb::add_listener(Next& next, const Config& config, const LoadBalancer& owner,
                           const Listener& listener, OnUnbound on_unbound) {
  const auto& balancer = next.balancers[owner.name];
  const auto find_pool = [&](const std::string& group) {
    SLUICE_CHECK(config.target_group(group) != nullptr);  // a valid Config has no dangling names
    const auto old = balancer->pools.find(group);
    if (old != balancer->pools.end()) return old->second;
    auto& pool = next.pools[owner.name][group];
    if (pool == nullptr) pool = std::make_shared<TargetPool>(group);
    return pool;
  };
  for (const IpAddress& address : addresses_of(owner, listener)) {
    SLUICE_TRY(const SocketAddress wanted, SocketAddress::parse(address.text(), listener.port));
    const auto there = std::ranges::find_if(
        frontends_, [&](const auto& frontend) { return frontend->wanted == wanted; });
    std::shared_ptr<Frontend> frontend;
    if (there != frontends_.end()) {
      frontend = *there;
    } else {
      frontend = std::make_shared<Frontend>();
      frontend->wanted = frontend->address = wanted;
      if (auto bound = bind(*frontend); !bound && on_unbound == OnUnbound::kRefuse) return bound;
    }
    next.places.push_back(
        {std::move(frontend), std::make_shared<Site>(balancer, RuleTable(listener, find_pool))});
  }
  return {};
}

Result<> Alb::bind(Frontend& frontend) {
  auto fd = listen_tcp(frontend.wanted, kBacklog);
  if (!fd) {
    frontend.trouble = fd.error().text();
    return tl::make_unexpected(std::move(fd).error());
  }
  frontend.fd = std::move(*fd);
  frontend.address = SocketAddress::local_of(frontend.fd.get());
  frontend.address_text = frontend.address.text();
  frontend.port_text = std::to_string(frontend.address.port());
  frontend.trouble.clear();
  return {};
}

void Alb::commit(Next next, const Config& config) {
  for (auto& [name, balancer] : next.balancers) {
    const LoadBalancer& owner = *config.load_balancer(name);
    balancer->idle_timeout_ms =
        milliseconds(owner, "idle_timeout.timeout_seconds", options_.idle_timeout_ms);
    balancer->client_keep_alive_ms =
        milliseconds(owner, "client_keep_alive.seconds", options_.client_keep_alive_ms);
    balancer->pools.merge(next.pools[name]);
    update_pools(*balancer, owner, config);
  }
  for (const auto& frontend : frontends_)
    if (std::ranges::none_of(next.places, [&](const auto& p) { return p.frontend == frontend; }))
      remove(frontend);
  frontends_.clear();
  for (Next::Place& place : next.places) {
    place.frontend->site = std::move(place.site);
    frontends_.push_back(std::move(place.frontend));
  }
  balancers_ = std::move(next.balancers);
  for (Session* session : sessions_) session->site_changed();
  watch_targets(config);
  if (started_ && !start()) accept_again_.set_after(0);
  if (tell_listeners_) tell_listeners_();
}

// A group that nothing forwards to any more is let go as it is: requests that hold its pool end
// with it.
void Alb::update_pools(ServedBalancer& balancer, const LoadBalancer& owner, const Config& config) {
  std::erase_if(balancer.pools, [&](const auto& entry) { return !uses(owner, entry.first); });
  for (const auto& [name, pool] : balancer.pools) {
    const TargetGroup& group = *config.target_group(name);
    for (auto& target : pool->update(group.targets)) {
      target->close_idle(UINT64_MAX);
      target->leaves_ms = loop_.now_ms() + deregistration_delay_ms(group);
      if (target->in_flight == 0) continue;
      const TargetName leaving{name, target->target()};
      leaving_.push_back({leaving, std::move(target)});
    }
  }
}

// Whoever has connected already is served once more; after a moment of silence they are closed.
void Alb::remove(const std::shared_ptr<Frontend>& frontend) {
  if (frontend->watch.active())
    for (size_t i = 0; i < kBacklog / kAcceptsPerTurnMax; i++) accept_some(frontend);
  frontend->removed_ms = loop_.now_ms();
  frontend->watch.stop();
  frontend->fd = UniqueFd();
  loop_.defer([this] { wake_sessions(); });
}

void Alb::watch_targets(const Config& config) {
  std::set<TargetName> wanted;
  for (const auto& [name, balancer] : balancers_)
    for (const auto& [group_name, pool] : balancer->pools)
      for (const auto& target : pool->targets()) {
        const TargetName key{group_name, target->target()};
        if (wanted.insert(key).second)
          health_.watch(key, config.target_group(group_name)->health_check, nullptr);
        pool->set_healthy(*target, gets_traffic(health_.health(key).state));
      }
  std::set<TargetName> gone;
  std::ranges::set_difference(watched_, wanted, std::inserter(gone, gone.end()));
  watched_ = std::move(wanted);
  for (const TargetName& name : gone) {
    health_.forget(name);
    if (tell_health_) tell_health_(name);
  }
}

}  // namespace sluice::gateway
