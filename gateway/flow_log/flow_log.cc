// SPDX-License-Identifier: Apache-2.0
#include "gateway/flow_log/flow_log.h"

#include <algorithm>
#include <chrono>

#include "gateway/flow_log/flow_line.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kTurnsPerSweep = kFlowLogSweepMs / kFlowLogTickMs;

}  // namespace

int64_t FlowLog::unix_time_ms() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

FlowLog::FlowLog(EventLoop& loop, const Controller& controller, Clock clock)
    : controller_(controller), clock_(std::move(clock)), timer_(loop, [this] { turn(); }) {}

FlowLog::~FlowLog() { end(); }

Result<> FlowLog::follow() { return follow(controller_.config().gateway.flow_log); }

Result<> FlowLog::follow(const FlowLogSettings& wanted) {
  if (wanted == settings_) return {};
  std::unique_ptr<LogFile> file;
  if (!wanted.file.empty()) {
    const bool vpc = wanted.format == FlowLogFormat::kVpc;
    SLUICE_TRY(file, LogFile::open({wanted.file, vpc ? std::string(kVpcHeader) : std::string(),
                                    wanted.rotate_bytes, wanted.rotate_keep}));
  }
  end();
  settings_ = wanted;
  file_ = std::move(file);
  if (!file_) return {};
  sweep_ = std::make_unique<FlowSweep>(controller_.tables(), settings_.interval_s * uint64_t{1000},
                                       controller_.now_ms(),
                                       [this](const FlowReport& report) { tell(report); });
  timer_.set_after(kFlowLogTickMs);
  return {};
}

void FlowLog::reopen() {
  if (file_) file_->reopen();
}

void FlowLog::end() {
  timer_.cancel();
  if (!file_) return;
  sweep_->stop(controller_.now_ms());
  unseen_before_ += sweep_->unseen();
  sweep_.reset();
  file_->finish();
  written_before_ += file_->lines_written();
  lost_before_ += file_->lines_lost();
  file_.reset();
}

void FlowLog::turn() {
  timer_.set_after(kFlowLogTickMs);
  const uint32_t share = controller_.tables().flow_buckets_count / kTurnsPerSweep + 1;
  sweep_->look(std::min(share, kFlowLogBucketsPerTurn), controller_.now_ms());
}

void FlowLog::sweep() {
  if (sweep_) sweep_->look(controller_.tables().flow_buckets_count, controller_.now_ms());
}

void FlowLog::tell(const FlowReport& report) {
  const FlowPlace place = place_of(controller_, report.record);
  const ToUnixMs to_unix_ms = clock_() - static_cast<int64_t>(controller_.now_ms());
  file_->write(settings_.format == FlowLogFormat::kVpc ? flow_vpc_lines(report, place, to_unix_ms)
                                                       : flow_json_line(report, place, to_unix_ms));
}

uint64_t FlowLog::lines_written() const {
  return written_before_ + (file_ ? file_->lines_written() : 0);
}

uint64_t FlowLog::lines_lost() const { return lost_before_ + (file_ ? file_->lines_lost() : 0); }

}  // namespace sluice::gateway
