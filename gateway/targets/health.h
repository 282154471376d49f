// SPDX-License-Identifier: Apache-2.0
// Whether targets work: a check of each, again and again, all on one event loop.
//
// A new target is `initial` until one check has succeeded (then it is healthy) or
// unhealthy_threshold checks have failed. After that a change takes as many equal results in a row
// as the threshold says. Checks are spread over the interval by a random tenth, so that they never
// march in step. At most in_flight_max are under way; more wait in line for their turn.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "gateway/control/model.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/probe.h"

namespace sluice::gateway {

enum class HealthState { kInitial, kHealthy, kUnhealthy, kUnused, kDraining, kUnavailable };
std::string_view health_state_name(HealthState state);  // "healthy"

// Unavailable: nobody checks, so nobody knows anything against it.
inline bool gets_traffic(HealthState state) {
  return state == HealthState::kHealthy || state == HealthState::kUnavailable;
}

struct TargetHealth {
  HealthState state = HealthState::kInitial;
  std::string_view reason;  // ELBv2 reason code; empty when healthy
  std::string description;  // for a person: what the last check saw
  bool operator==(const TargetHealth&) const = default;
};

// Which target of which group.
struct TargetName {
  std::string group;
  Target target;
  auto operator<=>(const TargetName&) const = default;
};

struct LastCheck {
  bool any = false;  // false: none has ended yet
  ProbeOutcome outcome = ProbeOutcome::kFailed;
  int code = -1;  // as ProbeResult::code
  uint64_t took_ms = 0;
  uint64_t in_state_ms = 0;  // for how long the state has been what it is
};

struct HealthCounters {
  uint64_t succeeded = 0;
  uint64_t mismatched = 0;
  uint64_t timed_out = 0;
  uint64_t failed = 0;
  uint64_t not_made = 0;  // for want of descriptors, ports or memory here
  uint64_t deferred = 0;  // had to wait in line first
};

struct HealthOptions {
  uint32_t second_ms = 1000;    // shortens tests
  size_t in_flight_max = 1024;  // descriptors that checks take
};

// For a daemon with many targets: lets the process have as many files as it may, and gives a
// quarter of them, at most kChecksInFlightMax, to checks.
constexpr size_t kChecksInFlightMax = 4096;
size_t checks_in_flight_max();

class HealthChecker {
 public:
  // Called from the loop when a target's state is another than `before`.
  using Changed = std::function<void(const TargetName& name, HealthState before)>;

  HealthChecker(EventLoop& loop, Changed changed, HealthOptions options = {});
  ~HealthChecker();

  // Starts checking; a target that is watched already keeps its state. `source`: the address that
  // checks come from, or nullptr for the kernel's choice. `host`: what HTTP and gRPC checks say in
  // Host; the checked address and port when empty. Copies its arguments.
  void watch(const TargetName& name, const HealthCheck& check, const IpAddress* source,
             const std::string& host = {});
  void forget(const TargetName& name);
  bool watches(const TargetName& name) const { return entries_.contains(name); }
  size_t size() const { return entries_.size(); }
  size_t in_flight() const { return in_flight_; }
  // kUnused with Target.NotRegistered when it is not watched.
  TargetHealth health(const TargetName& name) const;
  LastCheck last_check(const TargetName& name) const;
  const HealthCounters& counters() const { return counters_; }

 private:
  struct Entry;
  void due(Entry& entry);
  void begin(Entry& entry);
  void finish(Entry& entry);
  void judge(Entry& entry, const ProbeResult& result);
  void count(const ProbeResult& result);
  void set_state(Entry& entry, HealthState state, std::string_view reason);
  void stop(Entry& entry);
  void let_waiting_begin();
  uint32_t spread(uint32_t ms);
  static void ended(void* entry, uint64_t);

  EventLoop& loop_;
  Changed changed_;
  HealthOptions options_;
  std::shared_ptr<ssl_ctx_st> tls_;  // made with the first HTTPS check
  size_t in_flight_ = 0;
  HealthCounters counters_;
  std::minstd_rand random_;
  std::list<Entry*> waiting_;
  std::map<TargetName, std::unique_ptr<Entry>> entries_;
};

}  // namespace sluice::gateway
