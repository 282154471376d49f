// SPDX-License-Identifier: Apache-2.0
// What it costs to name the application of a flow: flow table and classifier, packets in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

struct DpiBenchOptions {
  std::vector<std::string> captures;  // none: made-up traffic of web users
  uint32_t rounds = 9;                // the median is shown
};

struct DpiBench {
  std::string corpus;
  uint64_t packets = 0;  // of one round
  uint64_t flows = 0;
  uint64_t shown = 0;         // packets of a round that nDPI looked at
  double mpps = 0;            // with nDPI's early stop
  double gbit_per_s = 0;      // of IP packets
  double mpps_every = 0;      // every packet of a flow shown to nDPI
  double ratio = 0;           // between the two
  double bytes_per_flow = 0;  // all memory, all flows known at once, at the end of a round
  double bytes_at_first = 0;  // the same when each flow has had four packets: most are looked at
};

// One thread. Both ways take turns, round by round, so that they see the same machine.
Result<DpiBench> bench_dpi(const DpiBenchOptions& options);

}  // namespace sluice::testbed
