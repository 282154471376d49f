// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/latency.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace sluice::inspect {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

}  // namespace

int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t thread_cpu_ns() {
  timespec worked{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
  return worked.tv_sec * kSecondNs + worked.tv_nsec;
}

void LatencyGuard::begin_packet() {
  packet_began_ns_ = options_.now_ns();
  worked_before_ns_ = options_.worked_ns();
  over_ = false;
}

bool LatencyGuard::may_try(uint64_t rule) {
  if (over_) return false;
  if (slow_.empty()) return true;
  const auto found = slow_.find(rule);
  if (found == slow_.end() || found->second.suspended_until_ns == 0) return true;
  if (found->second.suspended_until_ns > packet_began_ns_) return false;
  slow_.erase(found);
  return true;
}

// The clock is read each time, what the thread has worked, which costs a system call, only when the
// clock says that it may be too much. Before the rule it cannot have worked longer than the clock
// ran.
void LatencyGuard::end_rule(uint64_t rule) {
  const int64_t now_ns = options_.now_ns();
  if (now_ns - packet_began_ns_ <= limit_ns()) return;
  const int64_t worked_ns = options_.worked_ns() - worked_before_ns_;
  if (worked_ns - (rule_began_ns_ - packet_began_ns_) > limit_ns()) note_timeout(rule, now_ns);
  if (worked_ns <= limit_ns() || over_) return;
  over_ = true;
  counters_.fast_pathed++;
}

void LatencyGuard::note_timeout(uint64_t rule, int64_t now_ns) {
  counters_.rule_timeouts++;
  if (slow_.size() == kSlowRulesMax && !slow_.contains(rule)) return;
  State& state = slow_[rule];
  if (++state.timeouts < options_.timeouts_max) return;
  state.suspended_until_ns = now_ns + options_.suspend_seconds * kSecondNs;
  counters_.suspensions++;
}

std::vector<LatencyGuard::SlowRule> LatencyGuard::suspended() const {
  std::vector<SlowRule> out;
  const int64_t now_ns = options_.now_ns();
  for (const auto& [rule, state] : slow_) {
    if (state.suspended_until_ns <= now_ns) continue;
    out.push_back({rule, static_cast<uint32_t>((state.suspended_until_ns - now_ns) / kSecondNs)});
  }
  std::ranges::sort(out, {}, &SlowRule::rule);
  return out;
}

}  // namespace sluice::inspect
