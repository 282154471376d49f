// SPDX-License-Identifier: Apache-2.0
// What is known about one flow, whatever the inspector: who the client is, how much went each way,
// and how far the connection has come.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tunnels/flow_key.h"
#include "tunnels/packet.h"

namespace sluice::inspect {

enum class Direction : uint8_t { kToServer = 0, kToClient = 1 };

inline Direction opposite(Direction d) {
  return d == Direction::kToServer ? Direction::kToClient : Direction::kToServer;
}

// TCP: established after the handshake, or after packets in both directions of a connection that
// was met in its middle; closed after a reset or a FIN from both sides. Others: established after
// packets in both directions.
enum class FlowState : uint8_t { kNew, kEstablished, kClosed };

enum class FlowEnd : uint8_t {
  kTimeout,   // idle for longer than its state allows
  kEvicted,   // the table was full
  kReplaced,  // a new connection with the tuple of a closed one
  kShutdown,
};

struct Flow {
  tunnels::tuple to_server{};  // as the client's packets carry it
  uint64_t id = 0;             // EVE flow_id; below 2^53, so that every JSON reader keeps it whole
  int64_t start_us = 0;
  int64_t last_us = 0;
  uint64_t packets[2] = {};  // by Direction
  uint64_t bytes[2] = {};    // of IP packets; of frames where they are known
  uint16_t space = 0;        // flows of the same tuple in other spaces are other flows
  uint16_t vlans[2] = {};    // of its first packet; outermost first, 0: none
  FlowState state = FlowState::kNew;
  uint8_t tcp_flags[2] = {};  // all that were seen
  uint8_t icmp_type[2] = {};  // of the first packet of a direction
  uint8_t icmp_code[2] = {};
  bool reversed = false;      // the second end of its flow_key is the client
  bool syn_seen = false;      // TCP: met at its first packet
  bool client_heard = false;  // TCP: by a packet that is no reset

  // TCP: the client has acknowledged something that the server sent.
  bool answered() const { return tcp_flags[1] != 0 && (tcp_flags[0] & tunnels::kTcpAck) != 0; }
  // What rules call established: it has been, and may have ended since.
  bool was_established() const {
    return state == FlowState::kEstablished ||
           (state == FlowState::kClosed && (answered() || !syn_seen));
  }
  // A packet that goes that way has this tuple.
  bool has_tuple(const tunnels::tuple& tuple, Direction direction) const {
    const bool up = direction == Direction::kToServer;
    const size_t words = to_server.version == 4 ? 1 : 4;
    return tuple.version == to_server.version && tuple.protocol == to_server.protocol &&
           (up ? tuple.source_port : tuple.destination_port) == to_server.source_port &&
           (up ? tuple.destination_port : tuple.source_port) == to_server.destination_port &&
           std::equal(to_server.source, to_server.source + words,
                      up ? tuple.source : tuple.destination) &&
           std::equal(to_server.destination, to_server.destination + words,
                      up ? tuple.destination : tuple.source);
  }
  bool is_tcp() const { return to_server.protocol == tunnels::kProtocolTcp; }
  bool is_icmp() const {
    return to_server.protocol ==
           (to_server.version == 4 ? tunnels::kProtocolIcmp : tunnels::kProtocolIcmpv6);
  }
};

// The client is who sent the first packet; for a TCP SYN with ACK it is who that is sent to. For
// `server_by_port` see FlowTableOptions.
void start_flow(Flow& flow, const tunnels::packet& packet, uint16_t space, uint64_t hash,
                int64_t time_us, bool server_by_port = false);

// Counts the packet and follows the connection's state.
void update_flow(Flow& flow, const tunnels::packet& packet, Direction direction, int64_t time_us);

// A reset that nobody believes: the connection is as it was, `before` if both sides have not ended.
void take_back_reset(Flow& flow, FlowState before);

// A SYN that opens a connection with the tuple of one that has ended, or that shows who the client
// is when only the other side was thought to be it, by a SYN with ACK that nothing came before and
// that was answered by nothing but resets.
bool starts_new_connection(const Flow& flow, const tunnels::packet& packet, Direction direction);

}  // namespace sluice::inspect
