// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/urgent.h"

#include "tunnels/checksum.h"

namespace sluice::inspect {

bool clear_urgent(std::span<uint8_t> ip) {
  tunnels::packet packet;
  if (tunnels::parse_ip_packet(ip, packet) != tunnels::kDropNone || !is_urgent(packet))
    return false;
  uint8_t* const segment = &ip[packet.l4_offset];
  uint8_t* const flags = segment + 12;  // with the header's length
  uint8_t* const checksum = segment + 16;
  uint8_t* const pointer = segment + 18;
  const uint16_t flags_before = tunnels::load_u16(flags);
  const uint16_t pointer_before = tunnels::load_u16(pointer);
  flags[1] &= static_cast<uint8_t>(~0x20);
  tunnels::store_u16(pointer, 0);
  const uint16_t sum = tunnels::checksum_replace16(tunnels::load_u16(checksum), flags_before,
                                                   tunnels::load_u16(flags));
  tunnels::store_u16(checksum, tunnels::checksum_replace16(sum, pointer_before, 0));
  return true;
}

}  // namespace sluice::inspect
