// SPDX-License-Identifier: Apache-2.0
// The "stats" events: what all workers together have counted, from time to time and at the end.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "appliances/ids/ids_counters.h"
#include "inspect/eve/sink.h"

namespace sluice::ids {

struct StatsOptions {
  // Between two events; 0: only one at the end.
  int64_t interval_us = 8'000'000;
  bool totals = true;
  bool threads = false;  // each worker by itself too
  bool deltas = false;   // beside each number what it has grown by since the event before
};

// What one worker has to tell.
struct WorkerStats {
  IdsNumbers numbers;
  size_t rules_loaded = 0;
  size_t rules_failed = 0;
  size_t rules_skipped = 0;
  bool live = false;              // it receives from the network:
  uint64_t packets_received = 0;  // datagrams
  uint64_t packets_lost = 0;      // in front of it, because it was too slow
};

// Shared by all workers; any thread. Whoever first comes after the time of an event writes it, with
// what the others have last told: none waits for another.
class StatsLog {
 public:
  // `sensor_name` may be empty.
  StatsLog(const StatsOptions& options, std::string sensor_name)
      : options_(options), sensor_name_(std::move(sensor_name)) {}

  // A worker that will tell; before any does. Its number.
  size_t join();
  void tell(size_t worker, WorkerStats stats, int64_t time_us, inspect::Sink& eve);
  // The same for the last time. The last one of all writes the event at the end.
  void leave(size_t worker, WorkerStats stats, int64_t time_us, inspect::Sink& eve);

 private:
  struct Thread {
    WorkerStats now;
    WorkerStats before;  // at the last event
  };
  bool is_due(int64_t time_us);
  void write(int64_t time_us, inspect::Sink& eve);

  const StatsOptions options_;
  const std::string sensor_name_;
  std::mutex mutex_;
  std::vector<Thread> threads_;
  size_t left_ = 0;
  int64_t start_us_ = 0;
  int64_t next_us_ = 0;
};

}  // namespace sluice::ids
