// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/counters.h"

#include <nlohmann/json.hpp>

namespace sluice::sdk {

namespace {

struct Named {
  const char* name;
  Counter Counters::*counter;
};

constexpr Named kNamed[] = {
    {"received", &Counters::received},
    {"returned", &Counters::returned},
    {"dropped", &Counters::dropped},
    {"injected", &Counters::injected},
    {"injections_refused", &Counters::injections_refused},
    {"hinted", &Counters::hinted},
    {"hints_refused", &Counters::hints_refused},
    {"hints_dropped", &Counters::hints_dropped},
    {"segmented", &Counters::segmented},
    {"send_failed", &Counters::send_failed},
    {"receive_failed", &Counters::receive_failed},
    {"receive_overflow", &Counters::receive_overflow},
};

}  // namespace

std::string counters_json(std::span<const Counters* const> workers) {
  nlohmann::ordered_json json;
  for (const auto& [name, counter] : kNamed) {
    uint64_t sum = 0;
    for (const Counters* worker : workers) sum += (worker->*counter).get();
    json[name] = sum;
  }
  json["refused"] = nlohmann::ordered_json::object();
  for (size_t reason = 0; reason < tunnels::kDropReasonCount; reason++) {
    uint64_t sum = 0;
    for (const Counters* worker : workers) sum += worker->refused[reason].get();
    if (sum != 0)
      json["refused"][std::string(drop_reason_name(static_cast<tunnels::DropReason>(reason)))] =
          sum;
  }
  return json.dump();
}

}  // namespace sluice::sdk
