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

struct HealthBench {
  uint32_t targets = 10'000;
  uint32_t interval_s = 10;
  uint32_t seconds = 20;   // measured, after one interval to get going
  std::string path;        // HTTP GET of this; TCP connections when empty
  uint64_t checks = 0;     // out: in the measured time
  uint64_t not_good = 0;   // out: failed, late, not made
  double cpu_percent = 0;  // out: of one core, by the checking thread
};

// The health checker against a target of many addresses on the loopback.
Result<> bench_health(HealthBench& bench);

}  // namespace sluice::testbed
