// SPDX-License-Identifier: Apache-2.0
// The flows of a capture file: one EVE `flow` record each, what nDPI makes of it included.
//
// Reads more than the live appliance decides about: packets in tunnels belong to the flow inside,
// an ICMP error is a flow of its own, and a flow lasts until its connection is replaced or the
// capture ends, however long it was silent. The same file gives the same lines in the same order.
#pragma once

#include <cstdint>
#include <string>

#include "appliances/dpi/dpi_appliance.h"
#include "inspect/eve/sink.h"
#include "tunnels/result.h"

namespace sluice::dpi {

struct FlowListCounters {
  uint64_t packets = 0;
  uint64_t malformed = 0;  // no valid IP packet
  uint64_t fragments_refused = 0;
  uint64_t flows = 0;
};

// At most `flows.flows_max` flows at once; more, and the least valuable one is written early. The
// policy of `options` is not asked.
Result<FlowListCounters> list_flows(const std::string& capture_file, const DpiOptions& options,
                                    inspect::Sink& out);

}  // namespace sluice::dpi
