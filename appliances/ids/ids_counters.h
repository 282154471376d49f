// SPDX-License-Identifier: Apache-2.0
// What the workers have counted, under the names that the `stats` event, the control socket and the
// page of /metrics share.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "inspect/match/exception_policy.h"

namespace sluice::inspect {
class Inspector;
}
namespace sluice::tunnels {
class MetricsPage;
}

namespace sluice::ids {

struct IdsCounter {
  // Of several workers: the sum, of what only grows and of what is now; the largest; made of
  // others.
  enum class Kind { kTotal, kNow, kMax, kAverage };
  const char* path;  // in `stats`: "ips.drop_reason.rules"
  const char* help;
  uint64_t (*value)(inspect::Inspector& inspector);
  Kind kind = Kind::kTotal;
};
std::span<const IdsCounter> ids_counters();

// Of one worker, or of several added up.
struct IdsNumbers {
  std::vector<uint64_t> values;  // as in ids_counters(); empty: all 0
  inspect::ExceptionCounters exceptions;

  IdsNumbers& operator+=(const IdsNumbers& other);
};
IdsNumbers numbers_of(inspect::Inspector& inspector);

// {"decoder": {"pkts": 7, ...}, ...}; with `before` also what each has grown by since:
// "pkts_delta".
nlohmann::ordered_json stats_of(const IdsNumbers& numbers, const IdsNumbers* before = nullptr);
// Families sluice_ids_decoder_pkts_total and so on; reasons of drops, causes and policies of
// exceptions are labels.
void add_numbers(const IdsNumbers& numbers, tunnels::MetricsPage& page);

}  // namespace sluice::ids
