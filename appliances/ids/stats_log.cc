// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/stats_log.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "inspect/eve/event.h"
#include "inspect/eve/json_line.h"

namespace sluice::ids {
namespace {

using nlohmann::ordered_json;

ordered_json capture_of(const WorkerStats& now, const WorkerStats* before) {
  ordered_json out{{"kernel_packets", now.packets_received}, {"kernel_drops", now.packets_lost}};
  if (before == nullptr) return out;
  out["kernel_packets_delta"] = now.packets_received - before->packets_received;
  out["kernel_drops_delta"] = now.packets_lost - before->packets_lost;
  return out;
}

// `before`: numbers to tell the growth since, nullptr: none.
void add_counts(ordered_json& out, const WorkerStats& now, const WorkerStats* before) {
  if (now.live) out["capture"] = capture_of(now, before);
  out.update(stats_of(now.numbers, before != nullptr ? &before->numbers : nullptr));
}

void add(WorkerStats& sum, const WorkerStats& part) {
  sum.numbers += part.numbers;
  sum.live = sum.live || part.live;
  sum.packets_received += part.packets_received;
  sum.packets_lost += part.packets_lost;
  // All have the same rules, or will have them soon.
  sum.rules_loaded = part.rules_loaded;
  sum.rules_failed = part.rules_failed;
  sum.rules_skipped = part.rules_skipped;
}

// As Suricata calls its threads.
std::string thread_name(size_t worker) {
  char name[16];
  std::snprintf(name, sizeof(name), "W#%02zu", worker + 1);
  return name;
}

}  // namespace

size_t StatsLog::join() {
  const std::lock_guard lock(mutex_);
  threads_.emplace_back();
  left_++;
  return threads_.size() - 1;
}

void StatsLog::tell(size_t worker, WorkerStats stats, int64_t time_us, inspect::Sink& eve) {
  const std::lock_guard lock(mutex_);
  threads_[worker].now = std::move(stats);
  if (is_due(time_us)) write(time_us, eve);
}

void StatsLog::leave(size_t worker, WorkerStats stats, int64_t time_us, inspect::Sink& eve) {
  const std::lock_guard lock(mutex_);
  threads_[worker].now = std::move(stats);
  if (start_us_ == 0) start_us_ = time_us;
  if (--left_ == 0) write(time_us, eve);
}

bool StatsLog::is_due(int64_t time_us) {
  if (start_us_ == 0) {
    start_us_ = time_us;
    next_us_ = time_us + options_.interval_us;
  }
  if (options_.interval_us == 0 || time_us < next_us_) return false;
  next_us_ = time_us + options_.interval_us;
  return true;
}

void StatsLog::write(int64_t time_us, inspect::Sink& eve) {
  WorkerStats sum;
  WorkerStats sum_before;
  for (const Thread& thread : threads_) {
    add(sum, thread.now);
    add(sum_before, thread.before);
  }
  ordered_json stats{{"uptime", (time_us - start_us_) / 1'000'000}};
  if (options_.totals) {
    add_counts(stats, sum, options_.deltas ? &sum_before : nullptr);
    stats["detect"]["engines"] = ordered_json::array({{{"id", 0},
                                                       {"rules_loaded", sum.rules_loaded},
                                                       {"rules_failed", sum.rules_failed},
                                                       {"rules_skipped", sum.rules_skipped}}});
  }
  if (options_.threads) {
    for (size_t i = 0; i < threads_.size(); i++)
      add_counts(stats["threads"][thread_name(i)], threads_[i].now,
                 options_.deltas ? &threads_[i].before : nullptr);
  }
  inspect::JsonLine line;
  inspect::begin_event(line, time_us, "stats", 0, {});
  line.members("\"stats\":" + stats.dump());
  inspect::end_event(line, sensor_name_, eve);
  for (Thread& thread : threads_) thread.before = thread.now;
}

}  // namespace sluice::ids
