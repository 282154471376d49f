// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/alb.h"

#include "gateway/alb/rewrite.h"
#include "gateway/alb/session.h"

namespace sluice::gateway {
namespace {

constexpr int kBacklog = 1024;
constexpr uint32_t kSweepMs = 1000;
constexpr uint32_t kAcceptPauseMs = 100;  // after EMFILE and the like

}  // namespace

Alb::Alb(EventLoop& loop, std::string name, const AlbOptions& options, AccessLog log)
    : loop_(loop),
      name_(std::move(name)),
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

Result<std::unique_ptr<Alb>> Alb::create(EventLoop& loop, const Config& config,
                                         const LoadBalancer& load_balancer,
                                         const AlbOptions& options, AccessLog log) {
  std::unique_ptr<Alb> alb(new Alb(loop, load_balancer.name, options, std::move(log)));
  for (const Listener& listener : load_balancer.listeners)
    for (const IpAddress& address : addresses_of(load_balancer, listener))
      SLUICE_TRY_VOID(alb->listen(config, listener, address));
  return alb;
}

Result<> Alb::listen(const Config& config, const Listener& listener, const IpAddress& at) {
  SLUICE_TRY(SocketAddress address, SocketAddress::parse(at.text(), listener.port));
  SLUICE_TRY(UniqueFd fd, listen_tcp(address, kBacklog));
  frontends_.push_back(std::make_unique<Frontend>());
  Frontend& frontend = *frontends_.back();
  frontend.address = SocketAddress::local_of(fd.get());
  frontend.port_text = std::to_string(frontend.address.port());
  frontend.rules =
      RuleTable(listener, [&](const std::string& group) { return pool_number(config, group); });
  frontend.fd = std::move(fd);
  return {};
}

// A group that several rules name is one pool, checked once.
size_t Alb::pool_number(const Config& config, const std::string& group) {
  for (size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i].name() == group) return i;
  }
  const TargetGroup* found = config.target_group(group);
  SLUICE_CHECK(found != nullptr);  // a Config has no dangling names
  pools_.emplace_back(*found);
  for (const Target& target : found->targets) {
    health_.watch({group, target}, found->health_check, nullptr);
  }
  return pools_.size() - 1;
}

Result<> Alb::start() {
  for (auto& frontend : frontends_) {
    Frontend* self = frontend.get();
    if (self->watch.active()) continue;
    SLUICE_TRY_VOID(self->watch.start(loop_, self->fd.get(), EPOLLIN,
                                      [this, self](uint32_t) { accept_some(*self); }));
  }
  if (!sweeper_.armed()) sweeper_.set_after(kSweepMs);
  return {};
}

void Alb::accept_some(Frontend& frontend) {
  for (size_t i = 0; i < kAcceptsPerTurnMax; ++i) {
    SocketAddress peer;
    auto fd = accept_tcp(frontend.fd.get(), &peer);
    if (!fd) return accept_failed(fd.error().code.value());
    ++counters_.connections_accepted;
    if (sessions_.size() >= options_.clients_max) {
      ++counters_.connections_refused;
      continue;
    }
    auto socket = Socket::create(loop_, std::move(*fd));
    if (!socket) {
      ++counters_.accept_failures;
      continue;
    }
    loop_.spawn(serve_client(*this, frontend, std::move(*socket), peer), this);
  }
}

// Out of descriptors, the listener would be ready again at once, for ever: look away for a moment.
void Alb::accept_failed(int error) {
  if (error == EAGAIN || error == ECONNABORTED || error == EINTR) return;
  ++counters_.accept_failures;
  for (auto& frontend : frontends_) frontend->watch.stop();
  accept_again_.set_after(kAcceptPauseMs);
}

void Alb::health_changed(const TargetName& name) {
  for (TargetPool& pool : pools_) {
    PooledTarget* target = pool.name() == name.group ? pool.find(name.target) : nullptr;
    if (target == nullptr) continue;
    target->healthy = gets_traffic(health_.health(name).state);
    if (!target->healthy) target->close_idle(UINT64_MAX);
  }
}

TargetHealth Alb::health(const TargetPool& pool, const PooledTarget& target) const {
  return health_.health({pool.name(), target.target()});
}

void Alb::sweep() {
  for (TargetPool& pool : pools_) {
    for (PooledTarget& target : pool.targets()) target.close_idle(loop_.now_ms());
  }
  sweeper_.set_after(kSweepMs);
}

std::string Alb::make_trace_id(uint64_t epoch_seconds) {
  return new_trace_id(epoch_seconds, random_(), static_cast<uint32_t>(random_()));
}

void Alb::session_ends(Session* session) {
  sessions_.erase(session);
  if (draining_ && sessions_.empty()) finish_drain();
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
  std::vector<Session*> sessions(sessions_.begin(), sessions_.end());
  for (Session* session : sessions) {
    if (sessions_.contains(session)) session->wake();
  }
  if (sessions_.empty()) finish_drain();
}

void Alb::finish_drain() {
  drain_limit_.cancel();
  auto done = std::move(drained_);
  drained_ = nullptr;
  if (done) done();
}

}  // namespace sluice::gateway
