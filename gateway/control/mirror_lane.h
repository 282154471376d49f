// SPDX-License-Identifier: Apache-2.0
// The mirrors and shadows of a running gateway, on its loop: takes what the kernel host hands over
// for them, and sends the copies.
#pragma once

#include <memory>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/mirror_copies.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/frame_socket.h"

namespace sluice::gateway {

struct Config;

class MirrorLane {
 public:
  static constexpr uint64_t kTurnMs = 20;  // between what comes back and its comparison, at least

  // The arguments outlive it. From now on copies are made; when it is gone the path counts them as
  // lost.
  static Result<std::unique_ptr<MirrorLane>> open(EventLoop& loop, KernelHost& host,
                                                  const FrameSocket& frames);
  ~MirrorLane();

 private:
  MirrorLane(EventLoop& loop, KernelHost& host, const FrameSocket& frames);
  void take();
  void turn();

  KernelHost& host_;
  MirrorCopies copies_;
  // For packets that the slow path runs in this process.
  mirror_taker in_process_;
  std::unique_ptr<Rings> mirrored_;
  Watch watch_;
  Timer timer_;
};

// Whether a rule of the policy has copies made.
bool wants_copies(const Config& config);

}  // namespace sluice::gateway
