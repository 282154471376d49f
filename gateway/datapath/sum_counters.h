// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/datapath/host.h"

namespace sluice::gateway {

// Of all CPUs together.
inline counters sum_counters(const Tables& tables) {
  counters sum{};
  for (uint32_t cpu = 0; cpu < kCpusMax; cpu++) {
    const auto* from = reinterpret_cast<const __u64*>(&tables.counters[cpu]);
    auto* to = reinterpret_cast<__u64*>(&sum);
    for (size_t i = 0; i < sizeof(counters) / sizeof(__u64); i++) to[i] += from[i];
  }
  return sum;
}

}  // namespace sluice::gateway
