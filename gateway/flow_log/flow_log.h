// SPDX-License-Identifier: Apache-2.0
// gateway.flow_log at work: sweeps the flow table a little at a time, and hands lines to a file.
#pragma once

#include <functional>
#include <memory>

#include "gateway/control/controller.h"
#include "gateway/flow_log/flow_sweep.h"
#include "gateway/flow_log/log_file.h"
#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

// Buckets of the table that one turn looks at, each kFlowLogTickMs: a table of two million flows is
// looked at once a second, larger ones less often.
inline constexpr uint32_t kFlowLogBucketsPerTurn = 1 << 15;
inline constexpr uint64_t kFlowLogTickMs = 100;
inline constexpr uint64_t kFlowLogSweepMs = 1000;

class FlowLog {
 public:
  using Clock = std::function<int64_t()>;  // milliseconds since 1970
  static int64_t unix_time_ms();

  // Writes nothing until follow(). `controller` outlives it.
  FlowLog(EventLoop& loop, const Controller& controller, Clock clock = unix_time_ms);
  ~FlowLog();  // tells of the flows that live

  // Takes the running configuration's settings, or those of the one that is to run. On an error
  // everything stays as it was.
  Result<> follow();
  Result<> follow(const FlowLogSettings& wanted);
  // Somebody may have moved the file away.
  void reopen();

  // The whole table, now.
  void sweep();

  bool enabled() const { return file_ != nullptr; }
  uint64_t lines_written() const;
  uint64_t lines_lost() const;
  uint64_t unseen() const { return unseen_before_ + (sweep_ ? sweep_->unseen() : 0); }

 private:
  void end();
  void turn();
  void tell(const FlowReport& report);

  const Controller& controller_;
  Clock clock_;
  FlowLogSettings settings_;
  std::unique_ptr<LogFile> file_;
  std::unique_ptr<FlowSweep> sweep_;
  uint64_t unseen_before_ = 0, written_before_ = 0, lost_before_ = 0;  // of former files
  Timer timer_;
};

}  // namespace sluice::gateway
