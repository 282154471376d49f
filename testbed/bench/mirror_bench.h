// SPDX-License-Identifier: Apache-2.0
// `sluice-bench mirror`: what mirrors and shadows cost the packets that are copied, and how many
// copies arrive.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace CLI {
class App;
}

namespace sluice::testbed {

struct MirrorBenchOptions {
  double seconds = 2;  // of one measurement
  uint32_t rounds = 3;
};

struct MirrorCase {
  std::string entry;     // "xdp" | "tc"
  std::string action;    // "none" | "mirror" | "shadow"
  uint32_t percent = 0;  // of the flows
  // Of the packets themselves, with the least cost of the rounds.
  double packets_per_s = 0;
  double cpu_ns = 0;   // per packet, of everything but the sender and sluiced
  double of_none = 0;  // packets per CPU time, as a part of those without copies
  // Of the copies of all rounds, in packets.
  uint64_t wanted = 0;      // packets of the copied flows
  uint64_t lost = 0;        // not handed over: too many, or no room in the ring
  uint64_t unsent = 0;      // by sluiced
  uint64_t arrived = 0;     // at the second appliance; of a shadow's: answers that came back
  double copies_per_s = 0;  // sent
  double us_per_copy = 0;   // of sluiced's CPU time
};

Result<std::vector<MirrorCase>> bench_mirrors(const MirrorBenchOptions& options);

void add_options(CLI::App& app, MirrorBenchOptions& options);
// A table, or an array of cases.
void print(const std::vector<MirrorCase>& cases, bool json);

}  // namespace sluice::testbed
