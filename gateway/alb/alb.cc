// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/alb.h"

#include <algorithm>

#include "gateway/alb/rewrite.h"
#include "gateway/alb/session.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kSweepMs = 1000;
constexpr uint32_t kAcceptPauseMs = 100;  // after EMFILE and the like

}  // namespace

Alb::Alb(EventLoop& loop, const AlbOptions& options, AccessLog log)
    : loop_(loop),
      options_(options),
      log_(std::move(log)),
      random_(std::random_device{}()),
      health_(loop, [this](const TargetName& changed, HealthState) { health_changed(changed); },
              {.second_ms = options.health_second_ms, .in_flight_max = kAlbChecksInFlightMax}),
      sweeper_(loop, [this] { sweep(); }),
      accept_again_(loop,
                    [this] {
                      auto started = start();
                      if (!started) accept_again_.set_after(kAcceptPauseMs);
                    }),
      drain_limit_(loop, [this] { finish_drain(); }) {}

// Sessions use all of the above, so they go first.
Alb::~Alb() {
  drained_ = nullptr;
  loop_.cancel_tasks_of(this);
}

Result<> Alb::start() {
  started_ = true;
  for (auto& frontend : frontends_) {
    if (frontend->watch.active() || !frontend->fd) continue;
    SLUICE_TRY_VOID(frontend->watch.start(
        loop_, frontend->fd.get(), EPOLLIN,
        [this, weak = std::weak_ptr(frontend)](uint32_t) { accept_some(weak.lock()); }));
  }
  if (!sweeper_.armed()) sweeper_.set_after(kSweepMs);
  return {};
}

void Alb::accept_some(const std::shared_ptr<Frontend>& frontend) {
  AlbCounters& counters = frontend->site->balancer->counters;
  for (size_t i = 0; i < kAcceptsPerTurnMax; ++i) {
    SocketAddress peer;
    auto fd = accept_tcp(frontend->fd.get(), &peer);
    if (!fd) return accept_failed(*frontend, fd.error().code.value());
    ++counters.connections_accepted;
    if (sessions_.size() >= options_.clients_max) {
      ++counters.connections_refused;
      continue;
    }
    auto socket = Socket::create(loop_, std::move(*fd));
    if (!socket) {
      ++counters.accept_failures;
      continue;
    }
    loop_.spawn(serve_client(*this, frontend, std::move(*socket), peer), this);
  }
}

// Out of descriptors, the listener would be ready again at once, for ever: look away for a moment.
void Alb::accept_failed(Frontend& frontend, int error) {
  if (error == EAGAIN || error == ECONNABORTED || error == EINTR) return;
  ++frontend.site->balancer->counters.accept_failures;
  for (auto& each : frontends_) each->watch.stop();
  accept_again_.set_after(kAcceptPauseMs);
}

void Alb::health_changed(const TargetName& name) {
  const bool healthy = gets_traffic(health_.health(name).state);
  for (const auto& [balancer_name, balancer] : balancers_) {
    const auto pool = balancer->pools.find(name.group);
    if (pool == balancer->pools.end()) continue;
    const auto* target = pool->second->find(name.target);
    if (target == nullptr) continue;
    pool->second->set_healthy(**target, healthy);
    if (!healthy) (*target)->close_idle(UINT64_MAX);
  }
  if (tell_health_) tell_health_(name);
}

TargetHealth Alb::health(const TargetName& name) const {
  if (watched_.contains(name)) return health_.health(name);
  if (std::ranges::any_of(leaving_, [&](const Leaving& leaving) { return leaving.name == name; }))
    return {HealthState::kDraining, "Target.DeregistrationInProgress",
            "Target deregistration is in progress"};
  return health_.health(name);
}

void Alb::sweep() {
  for (const auto& [name, balancer] : balancers_)
    for (const auto& [group, pool] : balancer->pools)
      for (const auto& target : pool->targets()) target->close_idle(loop_.now_ms());
  sweep_leaving();
  bind_missing();
  sweeper_.set_after(kSweepMs);
}

// Whose requests have ended is forgotten; whose time is over, its requests are ended.
void Alb::sweep_leaving() {
  std::vector<Session*> late;
  for (Session* session : sessions_)
    if (session->is_late()) late.push_back(session);
  for (Session* session : late)
    if (sessions_.contains(session)) session->give_up_target();
  std::vector<TargetName> gone;
  std::erase_if(leaving_, [&](const Leaving& leaving) {
    const bool idle = leaving.target->in_flight == 0;
    if (idle) gone.push_back(leaving.name);
    return idle;
  });
  for (const TargetName& name : gone)
    if (tell_health_) tell_health_(name);
}

void Alb::bind_missing() {
  bool changed = false;
  for (const auto& frontend : frontends_)
    if (!frontend->fd && !draining_ && bind(*frontend)) changed = true;
  if (!changed) return;
  if (!start()) accept_again_.set_after(kAcceptPauseMs);
  if (tell_listeners_) tell_listeners_();
}

std::string Alb::make_trace_id(uint64_t epoch_seconds) {
  return new_trace_id(epoch_seconds, random_(), static_cast<uint32_t>(random_()));
}

void Alb::session_ends(Session* session) {
  sessions_.erase(session);
  if (draining_ && sessions_.empty()) finish_drain();
}

void Alb::wake_sessions() {
  std::vector<Session*> sessions(sessions_.begin(), sessions_.end());
  for (Session* session : sessions) {
    if (sessions_.contains(session)) session->wake();
  }
}

void Alb::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  accept_again_.cancel();
  for (auto& frontend : frontends_) {
    frontend->watch.stop();
    frontend->fd = UniqueFd();
  }
  drain_limit_.set_after(options_.drain_ms);
  wake_sessions();
  if (sessions_.empty()) finish_drain();
}

void Alb::finish_drain() {
  drain_limit_.cancel();
  auto done = std::move(drained_);
  drained_ = nullptr;
  if (done) done();
}

}  // namespace sluice::gateway
