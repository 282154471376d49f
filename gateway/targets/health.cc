// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/health.h"

#include <sys/resource.h>

#include <algorithm>
#include <optional>

#include "gateway/targets/probe_stream.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kAgainMs = 10;  // a check that has not ended when the next is due
constexpr std::string_view kChecking = "Elb.InitialHealthChecking";

std::shared_ptr<const ProbeRequest> make_request(const Target& target, const HealthCheck& check,
                                                 const IpAddress* source, const std::string& host) {
  auto request = std::make_shared<ProbeRequest>();
  request->to = socket_address(target.address, check.port != 0 ? check.port : target.port);
  if (source != nullptr && source->version == target.address.version)
    request->from = socket_address(*source, 0);
  request->protocol = check.protocol;
  request->host = host.empty() ? request->to.text() : host;
  request->path = check.path;
  request->codes = health_codes(check);
  return request;
}

std::string_view reason_of(ProbeOutcome outcome) {
  if (outcome == ProbeOutcome::kMismatch) return "Target.ResponseCodeMismatch";
  return outcome == ProbeOutcome::kTimeout ? "Target.Timeout" : "Target.FailedHealthChecks";
}

}  // namespace

struct HealthChecker::Entry {
  Entry(HealthChecker& owner, const TargetName& target)
      : name(target),
        next(owner.loop_, [&owner, this] { owner.due(*this); }),
        finished(owner.loop_, [&owner, this] { owner.finish(*this); }) {}

  Task<> run(EventLoop& loop, std::shared_ptr<ssl_ctx_st> tls, uint64_t deadline_ms) {
    result = co_await probe(loop, request, std::move(tls), deadline_ms);
  }

  TargetName name;
  HealthCheck check;
  std::optional<IpAddress> source;
  std::string host;
  std::shared_ptr<const ProbeRequest> request;
  TargetHealth health{HealthState::kInitial, "Elb.RegistrationInProgress", "not checked yet"};
  LastCheck last;
  int in_a_row = 0;  // results that contradict the state
  std::optional<std::list<Entry*>::iterator> waiting;
  uint64_t begun_ms = 0;
  uint64_t changed_at_ms = 0;
  ProbeResult result;
  Timer next;
  Timer finished;  // a task cannot be destroyed by what it calls; this comes a moment later
  std::optional<Task<>> running;
};

size_t checks_in_flight_max() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return HealthOptions().in_flight_max;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
  (void)getrlimit(RLIMIT_NOFILE, &files);
  return std::clamp<size_t>(files.rlim_cur / 4, 64, kChecksInFlightMax);
}

std::string_view health_state_name(HealthState state) {
  constexpr std::string_view kNames[] = {"initial", "healthy",  "unhealthy",
                                         "unused",  "draining", "unavailable"};
  return kNames[static_cast<int>(state)];
}

HealthChecker::HealthChecker(EventLoop& loop, Changed changed, HealthOptions options)
    : loop_(loop),
      changed_(std::move(changed)),
      options_(options),
      random_(std::random_device{}()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::watch(const TargetName& name, const HealthCheck& check, const IpAddress* source,
                          const std::string& host) {
  auto [at, added] = entries_.try_emplace(name);
  if (added) {
    at->second = std::make_unique<Entry>(*this, name);
    at->second->changed_at_ms = loop_.now_ms();
  }
  Entry& entry = *at->second;
  const auto from = source != nullptr ? std::optional(*source) : std::nullopt;
  if (!added && entry.check == check && entry.source == from && entry.host == host) return;
  entry.check = check;
  entry.source = from;
  entry.host = host;
  entry.request = make_request(name.target, check, source, host);
  if (check.protocol == HealthProtocol::kHttps && !tls_) tls_ = make_probe_tls();
  if (!check.enabled) {
    stop(entry);
    entry.health.description = "health checks are disabled";
    return set_state(entry, HealthState::kUnavailable, "Target.HealthCheckDisabled");
  }
  const bool was_disabled = entry.health.state == HealthState::kUnavailable;
  if (!added && !was_disabled) return;
  // The first check comes soon, but not that of a thousand targets in the same millisecond.
  entry.next.set_after(random_() % std::max<uint32_t>(1, options_.second_ms / 4));
  if (was_disabled) set_state(entry, HealthState::kInitial, kChecking);
}

void HealthChecker::forget(const TargetName& name) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return;
  stop(*at->second);
  entries_.erase(at);
}

TargetHealth HealthChecker::health(const TargetName& name) const {
  const auto at = entries_.find(name);
  if (at == entries_.end())
    return {HealthState::kUnused, "Target.NotRegistered", "the target is not registered"};
  return at->second->health;
}

LastCheck HealthChecker::last_check(const TargetName& name) const {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return {};
  LastCheck last = at->second->last;
  last.in_state_ms = loop_.now_ms() - at->second->changed_at_ms;
  return last;
}

uint32_t HealthChecker::spread(uint32_t ms) {
  const uint32_t tenth = std::max<uint32_t>(1, ms / 10);
  return ms - tenth / 2 + random_() % tenth;
}

void HealthChecker::due(Entry& entry) {
  if (entry.running) return entry.next.set_after(kAgainMs);
  if (in_flight_ < options_.in_flight_max) return begin(entry);
  counters_.deferred++;
  entry.waiting = waiting_.insert(waiting_.end(), &entry);
}

void HealthChecker::begin(Entry& entry) {
  entry.next.set_after(spread(entry.check.interval_s * options_.second_ms));
  entry.begun_ms = loop_.now_ms();
  in_flight_++;
  // Before the next check is due, whatever the spread made of the interval.
  const uint64_t deadline_ms = std::min<uint64_t>(
      entry.begun_ms + entry.check.timeout_s * options_.second_ms, entry.next.at_ms());
  entry.running.emplace(entry.run(loop_, tls_, deadline_ms));
  entry.running->on_end(&HealthChecker::ended, &entry, 0);
  entry.running->start();
}

void HealthChecker::ended(void* entry, uint64_t) {
  static_cast<Entry*>(entry)->finished.set_after(0);
}

void HealthChecker::finish(Entry& entry) {
  entry.running.reset();
  in_flight_--;
  let_waiting_begin();
  judge(entry, entry.result);
}

void HealthChecker::stop(Entry& entry) {
  entry.next.cancel();
  entry.finished.cancel();
  if (entry.waiting) waiting_.erase(*std::exchange(entry.waiting, std::nullopt));
  if (!entry.running) return;
  entry.running.reset();
  in_flight_--;
  let_waiting_begin();
}

void HealthChecker::let_waiting_begin() {
  while (!waiting_.empty() && in_flight_ < options_.in_flight_max) {
    Entry& first = *waiting_.front();
    waiting_.pop_front();
    first.waiting.reset();
    begin(first);
  }
}

void HealthChecker::count(const ProbeResult& result) {
  uint64_t* const counters[] = {&counters_.succeeded, &counters_.mismatched, &counters_.timed_out,
                                &counters_.failed, &counters_.not_made};
  ++*counters[static_cast<int>(result.outcome)];
}

void HealthChecker::judge(Entry& entry, const ProbeResult& result) {
  count(result);
  entry.health.description = result.description;
  entry.last = {true, result.outcome, result.code, loop_.now_ms() - entry.begun_ms};
  const HealthState before = entry.health.state;
  if (result.outcome == ProbeOutcome::kNotMade) {
    if (before == HealthState::kInitial) entry.health.reason = "Elb.InternalError";
    return;
  }
  const bool good = result.outcome == ProbeOutcome::kSucceeded;
  const int threshold = !good                             ? entry.check.unhealthy_threshold
                        : before == HealthState::kInitial ? 1
                                                          : entry.check.healthy_threshold;
  if (before == HealthState::kInitial) entry.health.reason = kChecking;
  if (before == HealthState::kUnhealthy && !good) entry.health.reason = reason_of(result.outcome);
  if (before != HealthState::kInitial && (before == HealthState::kHealthy) == good) {
    entry.in_a_row = 0;
  } else if (++entry.in_a_row >= threshold) {
    set_state(entry, good ? HealthState::kHealthy : HealthState::kUnhealthy,
              good ? std::string_view() : reason_of(result.outcome));
  }
}

// The last thing to do with an entry: the callback may forget it.
void HealthChecker::set_state(Entry& entry, HealthState state, std::string_view reason) {
  const HealthState before = entry.health.state;
  entry.health.state = state;
  entry.health.reason = reason;
  if (state == before) return;
  entry.in_a_row = 0;
  entry.changed_at_ms = loop_.now_ms();
  if (changed_) changed_(TargetName(entry.name), before);
}

}  // namespace sluice::gateway
