// SPDX-License-Identifier: Apache-2.0
// What an appliance costs per packet over GENEVE, beside sluice-pass, which only returns them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

struct ApplianceBenchOptions {
  uint32_t flows = 2000;           // one after the other, 256 at a time
  uint32_t packets_per_flow = 60;  // of TLS and HTTP flows; a DNS flow has two
  uint32_t rounds = 9;             // each runs all traffic through each program
  std::string policy;              // for sluice-dpi; without one it only records
};

struct ApplianceCase {
  std::string program;
  // Of the process per packet, with the kernel's work for it: the least of the rounds, since what
  // else runs on the machine only adds.
  double cpu_ns = 0;
  double packets_per_s = 0;  // of one CPU
  double share = 0;          // of what sluice-pass has
  uint64_t packets = 0;      // of one round
  double bytes_per_packet = 0;
};

// sluice-pass and sluice-dpi by turns, on the loopback interface of a network namespace of their
// own. Each gets its packets in bursts that wait in its socket before it may run, so that it is
// measured at full batches and alone. Needs root.
Result<std::vector<ApplianceCase>> bench_appliances(const ApplianceBenchOptions& options);

}  // namespace sluice::testbed
