// SPDX-License-Identifier: Apache-2.0
// Whether targets work: a TCP connection to each, again and again, on one event loop.
//
// A new target is `initial` until one check has succeeded (then it is healthy) or
// unhealthy_threshold checks have failed. After that a change takes as many equal results in a row
// as the threshold says. Checks are spread over the interval by a random tenth, so that they never
// march in step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "gateway/control/model.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

enum class HealthState { kInitial, kHealthy, kUnhealthy, kUnused, kDraining };
std::string_view health_state_name(HealthState state);  // "healthy"

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

class HealthChecker {
 public:
  static constexpr size_t kInFlightMax = 256;  // further checks wait a moment
  static constexpr uint32_t kSecondMs = 1000;

  // `changed` is called when a target's state changes, from the loop. `second_ms` shortens tests.
  HealthChecker(EventLoop& loop, std::function<void(const TargetName&)> changed,
                uint32_t second_ms = kSecondMs);
  ~HealthChecker();

  // Starts checking; a target that is watched already keeps its state. `source`: the address that
  // checks come from, or nullptr for the kernel's choice. Copies its arguments.
  void watch(const TargetName& name, const HealthCheck& check, const IpAddress* source);
  void forget(const TargetName& name);
  bool watches(const TargetName& name) const { return entries_.contains(name); }
  size_t size() const { return entries_.size(); }
  // kUnused with Target.NotRegistered when it is not watched.
  TargetHealth health(const TargetName& name) const;
  uint64_t checks_deferred() const { return deferred_; }

 private:
  struct Entry;
  void start(Entry& entry);
  void finish(Entry& entry, int error);
  void judge(Entry& entry, int error);
  uint32_t spread(uint32_t ms);

  EventLoop& loop_;
  std::function<void(const TargetName&)> changed_;
  uint32_t second_ms_;
  size_t in_flight_ = 0;
  uint64_t deferred_ = 0;
  std::minstd_rand random_;
  std::map<TargetName, std::unique_ptr<Entry>> entries_;
};

}  // namespace sluice::gateway
