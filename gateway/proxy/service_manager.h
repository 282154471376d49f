// SPDX-License-Identifier: Apache-2.0
// What systemd is told about a daemon: that it is ready, reads its configuration again, ends, and,
// as often as WatchdogSec= asks for, that its loop still turns. Without a service manager nothing
// happens.
#pragma once

#include <cstdint>

#include "gateway/proxy/event_loop.h"

namespace sluice::gateway {

class ServiceManager {
 public:
  explicit ServiceManager(EventLoop& loop);

  void ready();  // also after reloading()
  void reloading();
  void stopping();

 private:
  uint64_t alive_every_ms_ = 0;  // 0: nobody asked
  Timer alive_;
};

}  // namespace sluice::gateway
