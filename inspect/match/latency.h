// SPDX-License-Identifier: Apache-2.0
// Keeps packets from waiting for rules: over a limit of time the other rules are not tried on a
// packet, and a rule that takes so long itself again and again is not tried for a while.
//
// What is not tried does not match: the guard trades detection for latency, so it is off unless
// somebody asks for it (Snort's fastpath and suspend are off, too). Only the time that its thread
// has worked counts: a processor that others keep busy leads around no rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sluice::inspect {

// The longest limit: a second.
inline constexpr uint32_t kLatencyMaxUs = 1'000'000;
// Rules whose timeouts are remembered at once; over it a further one is not.
inline constexpr size_t kSlowRulesMax = 1024;

int64_t monotonic_ns();
// What this thread has worked.
int64_t thread_cpu_ns();

struct LatencyOptions {
  // Of one packet, and of one rule on one packet; 0: no limit.
  uint32_t max_us = 0;
  // So many timeouts of a rule suspend it for so long.
  uint32_t timeouts_max = 5;
  uint32_t suspend_seconds = 30;
  int64_t (*now_ns)() = monotonic_ns;
  int64_t (*worked_ns)() = thread_cpu_ns;
};

struct LatencyCounters {
  uint64_t fast_pathed = 0;    // packets over the limit
  uint64_t rule_timeouts = 0;  // rules that took longer alone
  uint64_t suspensions = 0;
};

// One per worker.
class LatencyGuard {
 public:
  explicit LatencyGuard(const LatencyOptions& options) : options_(options) {}

  void begin_packet();
  // False: not on this packet, or not now. Rules are known by Rule::id().
  bool may_try(uint64_t rule);
  // Rules that were not tried on the packet in hand wait for the next one.
  bool over() const { return over_; }
  // Around the work on a rule that may be tried.
  void begin_rule() { rule_began_ns_ = options_.now_ns(); }
  void end_rule(uint64_t rule);

  struct SlowRule {
    uint64_t rule;
    uint32_t seconds_left;  // of its suspension
  };
  std::vector<SlowRule> suspended() const;
  const LatencyCounters& counters() const { return counters_; }

 private:
  struct State {
    uint32_t timeouts = 0;
    int64_t suspended_until_ns = 0;
  };
  int64_t limit_ns() const { return int64_t{options_.max_us} * 1000; }
  void note_timeout(uint64_t rule, int64_t now_ns);

  const LatencyOptions options_;
  int64_t packet_began_ns_ = 0;
  int64_t worked_before_ns_ = 0;  // before the packet
  int64_t rule_began_ns_ = 0;
  bool over_ = false;
  std::unordered_map<uint64_t, State> slow_;
  LatencyCounters counters_;
};

}  // namespace sluice::inspect
