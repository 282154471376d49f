// SPDX-License-Identifier: Apache-2.0
// What an appliance offers beside its packets, while it runs: commands of the control socket,
// a reload, its own numbers. All of it is called by the SDK's own threads; Workers reaches the
// appliances on theirs.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "appliances/sdk/workers.h"
#include "tunnels/metrics_page.h"
#include "tunnels/result.h"

namespace sluice::sdk {

struct Command {
  std::string name;
  std::string about;  // a line for `help`, with the fields that it takes
  // The reply's fields. `request` is an object with no other members than `fields`; nothing else
  // about it is checked.
  std::function<Result<nlohmann::ordered_json>(const nlohmann::json& request,
                                               const Workers& workers)>
      answer;
  std::vector<std::string> fields;  // beside "command"
};

// Whatever is not set is not offered.
struct Controls {
  std::vector<Command> commands;
  // Builds the new state, then has every worker take it; one call at a time. On an error the old
  // state stays. What it returns is an object: what there is to say about the new state.
  std::function<Result<nlohmann::ordered_json>(const Workers& workers)> reload;
  // Opens its log files again by their names, which somebody may have given to others. On an error
  // it goes on with those that are open.
  std::function<Result<>()> reopen;
  // It has been told to end: packets no longer wait.
  std::function<void()> ending;
  // Adds the appliance's own numbers to /metrics.
  std::function<Result<>(const Workers& workers, tunnels::MetricsPage& page)> metrics;
  // Adds its own fields to `stats` and /stats.
  std::function<Result<>(const Workers& workers, nlohmann::ordered_json& stats)> stats;
};

// A field of a request, for a command of an appliance's own; `otherwise` if it is not there. An
// error names it and its bounds.
Result<int64_t> number_in(const nlohmann::json& request, const char* field, int64_t otherwise,
                          int64_t least, int64_t most);

}  // namespace sluice::sdk
