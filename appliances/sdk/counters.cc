// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/counters.h"

#include <nlohmann/json.hpp>

#include "tunnels/metrics_page.h"

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

uint64_t sum_of(std::span<const Counters* const> workers, Counter Counters::*counter) {
  uint64_t sum = 0;
  for (const Counters* worker : workers) sum += (worker->*counter).get();
  return sum;
}

uint64_t refused_sum(std::span<const Counters* const> workers, size_t reason) {
  uint64_t sum = 0;
  for (const Counters* worker : workers) sum += worker->refused[reason].get();
  return sum;
}

std::string reason_name(size_t reason) {
  return std::string(drop_reason_name(static_cast<tunnels::DropReason>(reason)));
}

}  // namespace

std::string counters_json(std::span<const Counters* const> workers) {
  nlohmann::ordered_json json;
  for (const auto& [name, counter] : kNamed) json[name] = sum_of(workers, counter);
  json["refused"] = nlohmann::ordered_json::object();
  for (size_t reason = 0; reason < tunnels::kDropReasonCount; reason++) {
    const uint64_t sum = refused_sum(workers, reason);
    if (sum != 0) json["refused"][reason_name(reason)] = sum;
  }
  return json.dump();
}

void add_counters(std::span<const Counters* const> workers, tunnels::MetricsPage& page) {
  page.gauge("sluice_appliance_workers", "Worker threads.").sample(workers.size());
  auto events = page.counter("sluice_appliance_events_total",
                             "Datagrams and replies by what happened to them, as in /stats.");
  for (const auto& [name, counter] : kNamed)
    events.sample(sum_of(workers, counter), {{"event", name}});
  auto refused = page.counter("sluice_appliance_refused_total",
                              "Datagrams that were not proper GENEVE, by why.");
  for (size_t reason = 0; reason < tunnels::kDropReasonCount; reason++)
    if (const uint64_t sum = refused_sum(workers, reason))
      refused.sample(sum, {{"reason", reason_name(reason)}});
}

}  // namespace sluice::sdk
