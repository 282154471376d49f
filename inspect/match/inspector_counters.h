// SPDX-License-Identifier: Apache-2.0
// What one worker's inspection has done. Every packet is in exactly one of passed, passed_by_flow,
// the dropped ones, and those that ExceptionCounters say were dropped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inspect/app/protocol.h"

namespace sluice::inspect {

struct ByProtocol {
  uint64_t tcp = 0;
  uint64_t udp = 0;
  uint64_t icmpv4 = 0;
  uint64_t icmpv6 = 0;
};

// Of one application protocol.
struct AppCounters {
  uint64_t flows = 0;          // in which it was found
  uint64_t parser_errors = 0;  // ... whose parser gave up
  uint64_t no_memory = 0;      // ... for whose parser there was no memory
};

struct InspectorCounters {
  // What most packets count, in one cache line.
  alignas(64) uint64_t packets = 0;
  uint64_t bytes = 0;  // of frames; of IP packets where there is no more
  uint64_t bytes_max = 0;
  uint64_t passed = 0;
  // As found: fragments, datagrams that were put together, and packets in tunnels too.
  uint64_t ipv4 = 0;
  uint64_t ipv6 = 0;
  ByProtocol decoded;

  uint64_t ethernet = 0;
  uint64_t vlan = 0;
  uint64_t vlan_qinq = 0;
  uint64_t gre = 0;
  uint64_t vxlan = 0;
  uint64_t geneve = 0;
  uint64_t ipv4_in_ipv6 = 0;
  uint64_t ipv6_in_ipv6 = 0;
  uint64_t tunnelled = 0;  // packets in tunnels, in their place in the others below
  ByProtocol flows;
  uint64_t tcp_sessions = 0;
  uint64_t tcp_syn = 0;
  uint64_t tcp_synack = 0;
  uint64_t tcp_rst = 0;
  AppCounters apps[static_cast<size_t>(AppProtocol::kCount)][2] = {};  // UDP, TCP
  uint64_t dropped_malformed = 0;
  uint64_t dropped_checksum = 0;        // TCP segments that no receiver takes
  uint64_t dropped_by_rules = 0;        // packets that a drop or reject rule matched
  uint64_t dropped_by_flow = 0;         // later packets of such flows
  uint64_t dropped_stream_error = 0;    // no honest part of the stream
  uint64_t dropped_fragment_error = 0;  // fragments that no receiver should put together
  uint64_t dropped_by_default = 0;      // no rule passed them
  uint64_t passed_by_flow = 0;          // not inspected: a pass rule decided for the flow
  uint64_t rejected = 0;
  uint64_t encrypted_flows = 0;  // TLS and SSH after the handshake: nothing is searched there
  uint64_t turned_flows = 0;     // whose client turned out to be the other end
  uint64_t alerts = 0;
  uint64_t alerts_suppressed = 0;  // over alerts_per_packet_max
  uint64_t fired_full = 0;         // rules over kFiredMax

  AppCounters& app(AppProtocol protocol, bool tcp) {
    return apps[static_cast<size_t>(protocol)][tcp];
  }
  const AppCounters& app(AppProtocol protocol, bool tcp) const {
    return apps[static_cast<size_t>(protocol)][tcp];
  }
};

}  // namespace sluice::inspect
