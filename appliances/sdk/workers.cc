// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/workers.h"

#include <chrono>
#include <condition_variable>
#include <string>

namespace sluice::sdk {

namespace {

struct Tally {
  std::mutex mutex;
  std::condition_variable changed;
  size_t left;
};

}  // namespace

Result<> Workers::each(const Task& task) const {
  const auto tally = std::make_shared<Tally>();
  tally->left = count();
  for (size_t worker = 0; worker < count(); worker++) {
    const bool taken = errands_[worker]->add([tally, task, worker](Appliance& appliance) {
      task(worker, appliance);
      const std::lock_guard lock(tally->mutex);
      tally->left--;
      tally->changed.notify_one();
    });
    if (!taken) return fail("too many requests wait already", "worker " + std::to_string(worker));
  }
  std::unique_lock lock(tally->mutex);
  const auto wait = std::chrono::milliseconds(wait_ms_);
  if (tally->changed.wait_for(lock, wait, [&] { return tally->left == 0; })) return {};
  return fail(std::to_string(tally->left) + " of " + std::to_string(count()) +
              " workers have not answered yet");
}

}  // namespace sluice::sdk
