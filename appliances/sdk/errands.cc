// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/errands.h"

#include <utility>

namespace sluice::sdk {

bool Errands::add(Errand errand) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() == kErrandsMax) return false;
  queue_.push_back(std::move(errand));
  waiting_.store(true, std::memory_order_release);
  return true;
}

void Errands::run_waiting(Appliance& appliance) {
  std::vector<Errand> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(queue_);
    waiting_.store(false, std::memory_order_relaxed);
  }
  for (const Errand& errand : taken) errand(appliance);
}

}  // namespace sluice::sdk
