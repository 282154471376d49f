// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/mirror_lane.h"

#include <algorithm>

#include "gateway/control/model.h"

namespace sluice::gateway {

MirrorLane::MirrorLane(EventLoop& loop, KernelHost& host, const FrameSocket& frames)
    : host_(host),
      copies_(host.tables(),
              [&frames](uint32_t interface, std::span<const uint8_t> bytes) {
                return frames.send(interface, bytes);
              }),
      in_process_{[](void* self, const mirror_head* head, const __u8* bytes) {
                    auto* lane = static_cast<MirrorLane*>(self);
                    lane->copies_.take(*head, {bytes, head->length}, lane->host_.now_ms());
                    if (!lane->timer_.armed()) lane->timer_.set_after(kTurnMs);
                  },
                  this},
      timer_(loop, [this] { turn(); }) {}

Result<std::unique_ptr<MirrorLane>> MirrorLane::open(EventLoop& loop, KernelHost& host,
                                                     const FrameSocket& frames) {
  std::unique_ptr<MirrorLane> lane(new MirrorLane(loop, host, frames));
  MirrorLane* self = lane.get();
  SLUICE_TRY(lane->mirrored_, host.mirrored([self](const mirror_head& head, auto bytes) {
    self->copies_.take(head, bytes, self->host_.now_ms());
  }));
  SLUICE_TRY_VOID(
      lane->watch_.start(loop, lane->mirrored_->fd(), EPOLLIN, [self](uint32_t) { self->take(); }));
  host.tables().mirrors = &lane->in_process_;
  return lane;
}

MirrorLane::~MirrorLane() {
  if (host_.tables().mirrors == &in_process_) host_.tables().mirrors = nullptr;
}

void MirrorLane::take() {
  mirrored_->take();
  if (copies_.has_more_to_do() && !timer_.armed()) timer_.set_after(kTurnMs);
}

void MirrorLane::turn() {
  mirrored_->take();
  copies_.turn(host_.now_ms());
  if (copies_.has_more_to_do()) timer_.set_after(kTurnMs);
}

bool wants_copies(const Config& config) {
  return std::ranges::any_of(config.gateway.policy,
                             [](const PolicyRule& rule) { return rule.mirror.has_value(); });
}

}  // namespace sluice::gateway
