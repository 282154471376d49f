// SPDX-License-Identifier: Apache-2.0
// What other threads want done to an appliance. A worker does it between two batches of packets, so
// that an appliance needs no locks.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "appliances/sdk/appliance.h"

namespace sluice::sdk {

inline constexpr size_t kErrandsMax = 16;  // waiting for one worker

// One worker's errands.
class Errands {
 public:
  using Errand = std::function<void(Appliance&)>;

  // Any thread. False if kErrandsMax are waiting.
  bool add(Errand errand);

  // The worker's thread: does all that wait, oldest first.
  void run(Appliance& appliance) {
    if (waiting_.load(std::memory_order_acquire)) run_waiting(appliance);
  }

 private:
  void run_waiting(Appliance& appliance);

  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::vector<Errand> queue_;
};

}  // namespace sluice::sdk
