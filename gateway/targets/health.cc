// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/health.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kDeferMs = 20;

SocketAddress socket_address(const IpAddress& address, uint16_t port) {
  sockaddr_storage raw{};
  if (address.version == 4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&raw);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = address.words[0];
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&raw);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    std::memcpy(&in6->sin6_addr, address.words, sizeof(in6->sin6_addr));
  }
  return SocketAddress::from(raw);
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

struct HealthChecker::Entry {
  Entry(HealthChecker& owner, const TargetName& target)
      : name(target),
        next(owner.loop_, [&owner, this] { owner.start(*this); }),
        timeout(owner.loop_, [&owner, this] { owner.finish(*this, ETIMEDOUT); }) {}

  TargetName name;
  HealthCheck check;
  bool has_source = false;
  IpAddress source;
  TargetHealth health{HealthState::kInitial, "Elb.RegistrationInProgress", "not checked yet"};
  int in_a_row = 0;  // results that contradict the state
  bool checking = false;
  Timer next;
  Timer timeout;
  UniqueFd fd;
  Watch watch;  // after fd: leaves the loop first
};

std::string_view health_state_name(HealthState state) {
  constexpr std::string_view kNames[] = {"initial", "healthy", "unhealthy", "unused", "draining"};
  return kNames[static_cast<int>(state)];
}

HealthChecker::HealthChecker(EventLoop& loop, std::function<void(const TargetName&)> changed,
                             uint32_t second_ms)
    : loop_(loop),
      changed_(std::move(changed)),
      second_ms_(second_ms),
      random_(std::random_device{}()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::watch(const TargetName& name, const HealthCheck& check,
                          const IpAddress* source) {
  auto [at, added] = entries_.try_emplace(name);
  if (added) {
    at->second = std::make_unique<Entry>(*this, name);
    // The first check comes soon, but not that of a thousand targets in the same millisecond.
    const uint32_t first_max =
        std::max<uint32_t>(1, std::min(second_ms_, check.interval_s * second_ms_) / 4);
    at->second->next.set_after(random_() % first_max);
  }
  Entry& entry = *at->second;
  entry.check = check;
  entry.has_source = source != nullptr;
  if (source != nullptr) entry.source = *source;
}

void HealthChecker::forget(const TargetName& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return;
  if (at->second->checking) in_flight_--;
  entries_.erase(at);
}

TargetHealth HealthChecker::health(const TargetName& name) const {
  const auto at = entries_.find(name);
  if (at == entries_.end())
    return {HealthState::kUnused, "Target.NotRegistered", "the target is not registered"};
  return at->second->health;
}

uint32_t HealthChecker::spread(uint32_t ms) {
  const uint32_t tenth = std::max<uint32_t>(1, ms / 10);
  return ms - tenth / 2 + random_() % tenth;
}

void HealthChecker::start(Entry& entry) {
  if (in_flight_ >= kInFlightMax) {
    deferred_++;
    entry.next.set_after(kDeferMs);
    return;
  }
  entry.next.set_after(spread(entry.check.interval_s * second_ms_));
  entry.checking = true;
  in_flight_++;
  const Target& target = entry.name.target;
  const SocketAddress to =
      socket_address(target.address, entry.check.port != 0 ? entry.check.port : target.port);
  entry.fd = UniqueFd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!entry.fd) return finish(entry, errno);
  if (entry.has_source) {
    const SocketAddress from = socket_address(entry.source, 0);
    if (from.family() == to.family() && ::bind(entry.fd.get(), from.raw(), from.size()) != 0)
      return finish(entry, errno);
  }
  if (::connect(entry.fd.get(), to.raw(), to.size()) == 0) return finish(entry, 0);
  if (errno != EINPROGRESS) return finish(entry, errno);
  auto started = entry.watch.start(loop_, entry.fd.get(), EPOLLOUT, [this, &entry](uint32_t) {
    finish(entry, pending_error(entry.fd.get()));
  });
  if (!started) return finish(entry, started.error().code.value());
  // Before the next check is due, whatever the spread made of the interval.
  const uint64_t wait_max = entry.next.at_ms() - loop_.now_ms();
  entry.timeout.set_after(std::min<uint64_t>(entry.check.timeout_s * second_ms_, wait_max));
}

// Ends a check. `error` is an errno, 0 for success.
void HealthChecker::finish(Entry& entry, int error) {
  entry.timeout.cancel();
  entry.watch.stop();
  entry.fd = UniqueFd();
  entry.checking = false;
  in_flight_--;
  judge(entry, error);
}

void HealthChecker::judge(Entry& entry, int error) {
  const HealthState before = entry.health.state;
  const bool healthy = before == HealthState::kHealthy;
  const int threshold = error != 0                        ? entry.check.unhealthy_threshold
                        : before == HealthState::kInitial ? 1
                                                          : entry.check.healthy_threshold;
  if (before != HealthState::kInitial && healthy == (error == 0)) {
    entry.in_a_row = 0;
  } else if (++entry.in_a_row >= threshold) {
    entry.in_a_row = 0;
    entry.health.state = error == 0 ? HealthState::kHealthy : HealthState::kUnhealthy;
  }
  if (entry.health.state == HealthState::kHealthy) {
    entry.health.reason = {};
  } else if (entry.health.state == HealthState::kInitial) {
    entry.health.reason = "Elb.InitialHealthChecking";
  } else if (error != 0) {
    entry.health.reason = error == ETIMEDOUT ? "Target.Timeout" : "Target.FailedHealthChecks";
  }
  entry.health.description = error == 0 ? "connected" : std::generic_category().message(error);
  // Last: the callback may forget this entry.
  if (entry.health.state != before && changed_) changed_(TargetName(entry.name));
}

}  // namespace sluice::gateway
