// SPDX-License-Identifier: Apache-2.0
// Two workers' appliances without sockets, for tests of what an appliance offers beside its
// packets.
#pragma once

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/commands.h"
#include "appliances/sdk/errands.h"

namespace sluice::sdk::testing {

struct TwoWorkers {
  std::unique_ptr<Appliance> appliances[2];
  Errands errands[2];

  Workers workers() { return Workers({&errands[0], &errands[1]}, 60'000); }

  // The reply; a thread does the workers' errands meanwhile.
  nlohmann::json ask(Commands& commands, const std::string& request) {
    std::atomic<bool> done{false};
    std::thread worker([&] {
      while (!done)
        for (int i = 0; i < 2; i++) errands[i].run(*appliances[i]);
    });
    const std::string reply = commands.answer(request);
    done = true;
    worker.join();
    return nlohmann::json::parse(reply);
  }
};

}  // namespace sluice::sdk::testing
