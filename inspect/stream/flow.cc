// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/flow.h"

#include <sys/random.h>

#include <algorithm>

#include "inspect/stream/flow_table.h"
#include "tunnels/result.h"

namespace sluice::inspect {
namespace {

using tunnels::kTcpAck;
using tunnels::kTcpFin;
using tunnels::kTcpRst;
using tunnels::kTcpSyn;

constexpr uint64_t kFlowIdMask = (uint64_t{1} << 53) - 1;

tunnels::tuple turned(const tunnels::tuple& t) {
  tunnels::tuple out = t;
  std::copy(t.source, t.source + 4, out.destination);
  std::copy(t.destination, t.destination + 4, out.source);
  out.source_port = t.destination_port;
  out.destination_port = t.source_port;
  return out;
}

constexpr uint16_t kServerPortsEnd = 1024;

bool is_server_port(uint16_t port) { return tunnels::swap_be16(port) < kServerPortsEnd; }

// The packet is the server's.
bool comes_from_server(const tunnels::packet& packet, bool server_by_port) {
  if (packet.tuple.protocol != tunnels::kProtocolTcp) return false;
  if (packet.tcp_flags & kTcpSyn) return packet.tcp_flags & kTcpAck;
  return server_by_port && is_server_port(packet.tuple.source_port) &&
         !is_server_port(packet.tuple.destination_port);
}

FlowState next_tcp_state(const Flow& flow) {
  const uint8_t to_server = flow.tcp_flags[0];
  const uint8_t to_client = flow.tcp_flags[1];
  if (((to_server | to_client) & kTcpRst) || (to_server & to_client & kTcpFin))
    return FlowState::kClosed;
  if (flow.state == FlowState::kEstablished) return flow.state;
  return flow.answered() || !flow.syn_seen ? FlowState::kEstablished : FlowState::kNew;
}

}  // namespace

tunnels::siphash_key random_flow_key() {
  tunnels::siphash_key key;
  SLUICE_CHECK(::getrandom(&key, sizeof(key), 0) == static_cast<ssize_t>(sizeof(key)));
  return key;
}

void start_flow(Flow& flow, const tunnels::packet& packet, uint16_t space, uint64_t hash,
                int64_t time_us, bool server_by_port) {
  flow.space = space;
  flow.to_server = comes_from_server(packet, server_by_port) ? turned(packet.tuple) : packet.tuple;
  flow.reversed = tunnels::tuple_is_reversed(&flow.to_server);
  flow.id = (hash ^ static_cast<uint64_t>(time_us)) & kFlowIdMask;
  if (flow.id == 0) flow.id = 1;
  flow.start_us = time_us;
  flow.last_us = time_us;
}

void update_flow(Flow& flow, const tunnels::packet& packet, Direction direction, int64_t time_us) {
  const auto d = static_cast<size_t>(direction);
  flow.last_us = std::max(flow.last_us, time_us);
  flow.packets[d]++;
  flow.bytes[d] += packet.l3_length;
  if (flow.is_tcp()) {
    if (packet.tcp_flags & kTcpSyn) flow.syn_seen = true;
    if (direction == Direction::kToServer && !(packet.tcp_flags & kTcpRst))
      flow.client_heard = true;
    flow.tcp_flags[d] |= packet.tcp_flags;
    flow.state = next_tcp_state(flow);
  } else if (flow.packets[0] != 0 && flow.packets[1] != 0) {
    flow.state = FlowState::kEstablished;
  }
}

void take_back_reset(Flow& flow, FlowState before) {
  for (uint8_t& flags : flow.tcp_flags) flags &= static_cast<uint8_t>(~kTcpRst);
  flow.state = before;
  flow.state = next_tcp_state(flow);
}

bool starts_new_connection(const Flow& flow, const tunnels::packet& packet, Direction direction) {
  if (!flow.is_tcp() || (packet.tcp_flags & (kTcpSyn | kTcpAck | kTcpRst)) != kTcpSyn) return false;
  const bool client_unheard = direction == Direction::kToClient && !flow.client_heard;
  return flow.state == FlowState::kClosed || client_unheard;
}

}  // namespace sluice::inspect
