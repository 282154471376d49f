// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/slow_lane.h"

namespace sluice::gateway {
namespace {

bool leaves(Verdict verdict) {
  return verdict == kVerdictTarget || verdict == kVerdictInside || verdict == kVerdictOutside ||
         verdict == kVerdictCross || verdict == kVerdictAnswered;
}

}  // namespace

SlowLane::SlowLane(EventLoop& loop, KernelHost& host, const FrameSocket& frames)
    : host_(host),
      frames_(frames),
      path_(host.tables(),
            [this](const Outcome& outcome, std::span<const uint8_t> bytes) {
              return !leaves(outcome.verdict) || frames_.send(outcome.interface, bytes);
            }),
      timer_(loop, [this] {
        path_.expire(host_.now_ms());
        wait_for_the_oldest();
      }) {}

Result<std::unique_ptr<SlowLane>> SlowLane::open(EventLoop& loop, KernelHost& host,
                                                 const FrameSocket& frames) {
  std::unique_ptr<SlowLane> lane(new SlowLane(loop, host, frames));
  SlowLane* self = lane.get();
  SLUICE_TRY(lane->handed_over_,
             host.handed_over([self](uint32_t interface_index, uint32_t mtu, auto bytes) {
               self->path_.take(interface_index, mtu, bytes, self->host_.now_ms());
             }));
  SLUICE_TRY_VOID(lane->watch_.start(loop, lane->handed_over_->fd(), EPOLLIN, [self](uint32_t) {
    self->handed_over_->take();
    self->wait_for_the_oldest();
  }));
  return lane;
}

void SlowLane::wait_for_the_oldest() {
  const auto next = path_.next_ms();
  if (!next) return timer_.cancel();
  const uint64_t now = host_.now_ms();
  timer_.set_after(*next > now ? *next - now : 0);
}

}  // namespace sluice::gateway
