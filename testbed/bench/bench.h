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

struct Latencies {
  double median_ms = 0;
  double p99_ms = 0;
};

struct ControlBench {
  uint32_t groups = 250;
  uint32_t targets = 20'000;   // in all of them together
  uint32_t calls = 5'000;      // that look; a tenth as many change something
  double read_ms = 0;          // out: YAML to a valid state
  double apply_ms = 0;         // out: that state into effect
  Latencies look, change;      // out: of one call
  double describe_all_ms = 0;  // out: every group page by page, and every target's health
  uint64_t described = 0;      // out: targets among them
};

// The control plane and the AWS API, over a loopback connection.
Result<> bench_control(ControlBench& bench);

}  // namespace sluice::testbed
