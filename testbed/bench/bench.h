// SPDX-License-Identifier: Apache-2.0
// What every benchmark prints: a table for people or, with --json, an array of cases.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

struct BenchCase {
  std::string name;  // "encap_hit"
  std::string host;  // "kernel" | "process"
  uint64_t flows = 0;
  double ns = 0;  // per packet, net of the harness, median of the rounds
};

struct BenchOptions {
  uint32_t repetitions = 1'000'000;
  uint32_t rounds = 5;
};

// ns per packet of the packet path: encapsulate and return for 1, 100k and 1M flows, and new flows,
// in the kernel host (when root) and in the process host.
Result<std::vector<BenchCase>> bench_datapath(const BenchOptions& options);

}  // namespace sluice::testbed
