// SPDX-License-Identifier: Apache-2.0
// The requests that a running appliance answers: {"command": "stats"}. A reply has "ok": true and
// its fields, or "ok": false and "error". docs/features/sdk.md lists them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "appliances/sdk/controls.h"
#include "appliances/sdk/counters.h"

namespace sluice::sdk {

// Any thread may call, also several at once.
class Commands {
 public:
  // `counters` of all workers, for as long as this lives.
  Commands(Controls controls, Workers workers, std::vector<const Counters*> counters);

  // Never fails: what is wrong with a request is in the reply. One line, without its end.
  std::string answer(std::string_view request);

  // One JSON object: the counters, and the appliance's own fields if its workers answer soon.
  std::string stats() const;
  // Prometheus' text format. An error if the workers do not answer soon.
  Result<std::string> metrics() const;
  Result<nlohmann::ordered_json> reload();
  // Nothing happens if there are no log files.
  Result<> reopen() const;
  // To be said before the workers are stopped.
  void ending() const;

 private:
  Result<nlohmann::ordered_json> perform(const nlohmann::json& request);
  Result<nlohmann::ordered_json> perform_own(const Command& command, const nlohmann::json& request);
  Result<nlohmann::ordered_json> stats_of(const Workers& workers) const;
  Result<std::string> metrics_of(const Workers& workers) const;
  bool offers(std::string_view built_in) const;
  nlohmann::ordered_json help() const;

  const Controls controls_;
  const Workers workers_;
  const std::vector<const Counters*> counters_;
  std::mutex reloading_;
};

}  // namespace sluice::sdk
