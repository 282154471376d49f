// SPDX-License-Identifier: Apache-2.0
// What one worker's inspection has done. Every packet is in exactly one of passed, passed_by_flow
// and the dropped ones.
#pragma once

#include <cstdint>

namespace sluice::inspect {

struct InspectorCounters {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t tunnelled = 0;  // packets in tunnels, in their place in the others below
  uint64_t passed = 0;
  uint64_t dropped_malformed = 0;
  uint64_t dropped_checksum = 0;      // TCP segments that no receiver takes
  uint64_t dropped_by_rules = 0;      // packets that a drop or reject rule matched
  uint64_t dropped_by_flow = 0;       // later packets of such flows
  uint64_t dropped_stream_error = 0;  // no honest part of the stream
  uint64_t dropped_stream_memory = 0;
  uint64_t dropped_fragment_error = 0;  // fragments that no receiver should put together
  uint64_t dropped_fragment_memory = 0;
  uint64_t dropped_by_exception = 0;  // for other exceptions, by policy
  uint64_t dropped_by_default = 0;    // no rule passed them
  uint64_t passed_by_flow = 0;        // not inspected: a pass rule decided for the flow
  uint64_t rejected = 0;
  uint64_t encrypted_flows = 0;  // TLS and SSH after the handshake: nothing is searched there
  uint64_t alerts = 0;
  uint64_t alerts_suppressed = 0;  // over alerts_per_packet_max
  uint64_t pending_full = 0;       // candidates over kPendingMax
};

}  // namespace sluice::inspect
