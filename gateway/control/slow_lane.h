// SPDX-License-Identifier: Apache-2.0
// The slow path of a running gateway, on its loop: takes what the kernel host hands over, and sends
// what comes out of it.
#pragma once

#include <memory>

#include "gateway/datapath/kernel_host.h"
#include "gateway/datapath/slow_path.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/targets/frame_socket.h"

namespace sluice::gateway {

class SlowLane {
 public:
  // The arguments outlive it.
  static Result<std::unique_ptr<SlowLane>> open(EventLoop& loop, KernelHost& host,
                                                const FrameSocket& frames);

 private:
  SlowLane(EventLoop& loop, KernelHost& host, const FrameSocket& frames);
  void wait_for_the_oldest();

  KernelHost& host_;
  const FrameSocket& frames_;
  SlowPath path_;
  std::unique_ptr<Rings> handed_over_;
  Watch watch_;
  Timer timer_;
};

}  // namespace sluice::gateway
