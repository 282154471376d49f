// SPDX-License-Identifier: Apache-2.0
// What it costs to inspect by rules: one thread, inline, packets in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inspect/match/engine.h"
#include "testbed/bench/ids_memory.h"
#include "tunnels/result.h"

namespace sluice::testbed {

struct IdsBenchOptions {
  inspect::EngineOptions rules;       // without rule files: made-up rules
  uint32_t made_up_rules = 5000;      // so many of them
  std::vector<std::string> captures;  // none: two made-up mixes
  uint32_t flows = 400;               // of the web mix; of the others 50 times as many
  uint32_t rounds = 5;                // the median is shown
  uint32_t open_flows = 50'000;       // at once, for the memory of a flow; 0: not measured
};

// One kind of traffic.
struct IdsTraffic {
  std::string name;  // "web", "imix", "small", "captures"
  uint64_t packets = 0;
  double bytes_per_packet = 0;
  uint64_t alerts = 0;
  uint64_t dropped = 0;
  double mpps = 0;
  double gbit_per_s = 0;            // of IP packets
  double hyperscan_gbit_per_s = 0;  // the same packets, if only their payloads were searched
};

struct IdsMemory {
  OpenFlowsMemory handshake;
  OpenFlowsMemory http;         // after a request and its answer
  OpenFlowsMemory http_silent;  // ... and a silence
  OpenFlowsMemory tls;          // encrypted
};

struct IdsBench {
  uint64_t rules = 0;
  uint64_t refused = 0;
  // Seconds to read and compile the rules: without a cache, and from a full one.
  double start_s = 0;
  double cached_start_s = 0;
  std::vector<IdsTraffic> traffic;
  uint64_t open_flows = 0;
  IdsMemory memory;
};

// Beside each traffic Hyperscan alone: one database of the content that finds each rule, over every
// payload for itself. Both take turns, round by round.
Result<IdsBench> bench_ids(const IdsBenchOptions& options);

}  // namespace sluice::testbed
