// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/workers.h"

#include <chrono>
#include <condition_variable>
#include <optional>
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
  std::optional<size_t> refused;  // the others do it all the same
  for (size_t worker = 0; worker < count(); worker++) {
    const bool taken = errands_[worker]->add([tally, task, worker](Appliance& appliance) {
      task(worker, appliance);
      const std::lock_guard lock(tally->mutex);
      tally->left--;
      tally->changed.notify_one();
    });
    if (!taken) refused = worker;
  }
  if (refused) return fail("too many requests wait already", "worker " + std::to_string(*refused));
  std::unique_lock lock(tally->mutex);
  const auto wait = std::chrono::milliseconds(wait_ms_);
  if (tally->changed.wait_for(lock, wait, [&] { return tally->left == 0; })) return {};
  return fail(std::to_string(tally->left) + " of " + std::to_string(count()) +
              " workers have not answered yet");
}

}  // namespace sluice::sdk
