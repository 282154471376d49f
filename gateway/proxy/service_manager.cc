// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/service_manager.h"

#include <systemd/sd-daemon.h>

#include <algorithm>

namespace sluice::gateway {

// Whether the message arrives is systemd's matter: it acts when it hears nothing.
ServiceManager::ServiceManager(EventLoop& loop)
    : alive_(loop, [this] {
        (void)sd_notify(0, "WATCHDOG=1");
        alive_.set_after(alive_every_ms_);
      }) {
  uint64_t limit_us = 0;
  if (sd_watchdog_enabled(0, &limit_us) <= 0) return;
  alive_every_ms_ = std::max<uint64_t>(1, limit_us / 1000 / 2);
  alive_.set_after(alive_every_ms_);
}

void ServiceManager::ready() { (void)sd_notify(0, "READY=1"); }
void ServiceManager::reloading() { (void)sd_notify(0, "RELOADING=1"); }
void ServiceManager::stopping() { (void)sd_notify(0, "STOPPING=1"); }

}  // namespace sluice::gateway
