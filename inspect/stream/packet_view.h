// SPDX-License-Identifier: Apache-2.0
// One IP packet as rules see it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tunnels/packet.h"

namespace sluice::inspect {

// Where a packet comes from. Events tell what a capture knows of it.
struct Frame {
  uint64_t number = 0;                    // in its capture, from 1
  uint16_t vlans[2] = {};                 // outermost first; 0: none
  uint32_t length = 0;                    // of the whole frame; 0: unknown
  std::span<const uint8_t> header = {};   // what is before the IP packet
  int link_type = 101;                    // of libpcap; 101: an IP packet by itself
  const tunnels::tuple* outer = nullptr;  // of the packet that carries this one, a tunnel
  int depth = 0;                          // tunnels around it
  uint64_t endpoint = 0;                  // of the gateway; live packets
  uint64_t network = 0;                   // in a tunnel: which of those that tunnels lead to
  int64_t waited_us = 0;                  // before it was looked at; only live ones wait
};

struct PacketView {
  tunnels::packet packet;       // with the packet's own tuple, also for ICMP errors
  std::span<const uint8_t> ip;  // the whole packet, by its own length
  std::span<const uint8_t>
      payload;               // behind the TCP, UDP or ICMP header; of others behind the IP header
  uint16_t source_port = 0;  // host order; 0 without ports
  uint16_t destination_port = 0;
  uint32_t sequence = 0;  // TCP
  uint32_t acknowledgement = 0;
  std::optional<tunnels::tuple> quoted;  // ICMP error: the flow that it is about

  bool is_tcp() const {
    return packet.tuple.protocol == tunnels::kProtocolTcp &&
           (packet.flags & tunnels::kPacketHasPorts);
  }
  bool is_udp() const {
    return packet.tuple.protocol == tunnels::kProtocolUdp &&
           (packet.flags & tunnels::kPacketHasPorts);
  }
  bool is_icmp() const {
    return packet.tuple.protocol ==
           (packet.tuple.version == 4 ? tunnels::kProtocolIcmp : tunnels::kProtocolIcmpv6);
  }
};

struct IcmpKind {
  uint8_t type, code;
};
// Nothing for what is no ICMP packet, or too short to say.
std::optional<IcmpKind> icmp_kind(const PacketView& view);

// Nothing for bytes that are no whole, well-formed packet. Points into `bytes`.
std::optional<PacketView> view_packet(std::span<const uint8_t> bytes);
// The same; of what is no packet as much of its tuple as there is.
PacketView headers_of(std::span<const uint8_t> bytes);

}  // namespace sluice::inspect
