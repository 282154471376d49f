// SPDX-License-Identifier: Apache-2.0
// What a running sluice-ids can be asked: other rules, the refused ones, memory, and its part of
// `stats` and of /metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "appliances/ids/ids_appliance.h"
#include "appliances/sdk/controls.h"

namespace sluice::ids {

inline constexpr size_t kFailedRulesDefault = 100;
inline constexpr size_t kFailedRulesMax = 1000;

// The rules that all workers use. Any thread; one reload at a time.
class RunningRules {
 public:
  struct State {
    std::shared_ptr<const inspect::Engine> engine;
    uint64_t reloads = 0;
    uint64_t reloads_failed = 0;
  };

  // `engine` is what the workers begin with; a reload reads the files of `options` again.
  RunningRules(const inspect::EngineOptions& options, std::shared_ptr<const inspect::Engine> engine)
      : options_(options), state_{std::move(engine)} {}

  State state() const;
  // How many rules were loaded and refused. An error: the old ones stay.
  Result<nlohmann::ordered_json> reload(const sdk::Workers& workers);

 private:
  Result<nlohmann::ordered_json> replace(const inspect::Engine& before,
                                         const sdk::Workers& workers);

  const inspect::EngineOptions options_;
  mutable std::mutex mutex_;
  State state_;
};

sdk::Controls ids_controls(const std::shared_ptr<RunningRules>& rules);

}  // namespace sluice::ids
