// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/watch_source.h"

#include <utility>

#include "gateway/control/control_plane.h"
#include "gateway/flow_log/flow_log.h"

namespace sluice::gateway {

Result<> WatchSource::look(const watch& wanted) {
  SLUICE_TRY(watcher_, plane_.watching().look(wanted, [this](const sighting& seen, auto bytes) {
    take(seen, bytes);
  }));
  to_unix_ns_ =
      FlowLog::unix_time_ms() * 1'000'000 - static_cast<int64_t>(plane_.watching().now_ns());
  return {};
}

void WatchSource::begin(ApiStream& to) {
  to_ = &to;
  to_->send(head());
}

void WatchSource::client_ended() {
  watcher_->take_now();
  finish();
}

const Controller& WatchSource::controller() const { return std::as_const(plane_).controller(); }

int64_t WatchSource::unix_now_ns() const { return unix_ns(plane_.watching().now_ns()); }

void WatchSource::take(const sighting& seen, std::span<const uint8_t> bytes) {
  if (finished_) return;
  const uint64_t lost = lost_since();
  if (to_->send(text(seen, bytes, lost))) {
    lost_told_ += lost;
    sent();
  } else {
    unread_++;
  }
  if (++told_ == count_) finish();
}

uint64_t WatchSource::lost_since() const { return lost_of_all() - lost_told_; }

void WatchSource::finish() {
  if (std::exchange(finished_, true)) return;
  to_->send(tail(lost_since()));
  to_->finish();
}

}  // namespace sluice::gateway
