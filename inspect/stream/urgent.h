// SPDX-License-Identifier: Apache-2.0
// Urgent data (RFC 9293 section 3.8.5). Receivers do not agree whether the byte before the urgent
// pointer is part of the stream (RFC 6093), so that a word with one urgent byte in it is one word
// to some and another to others. Here there is one view: every byte is part of the stream.
#pragma once

#include <cstdint>
#include <span>

#include "tunnels/packet.h"

namespace sluice::inspect {

inline bool is_urgent(const tunnels::packet& packet) {
  constexpr uint8_t kUrgent = 0x20;
  return packet.tuple.protocol == tunnels::kProtocolTcp &&
         (packet.flags & tunnels::kPacketHasPorts) && (packet.tcp_flags & kUrgent);
}

// Makes the urgent data of a segment data like any other to its receiver too; its checksum stays
// right. False: there is nothing urgent in it, or it is no whole segment.
bool clear_urgent(std::span<uint8_t> ip);

}  // namespace sluice::inspect
