// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/segment_checksum.h"

#include "tunnels/checksum.h"

namespace sluice::inspect {

using tunnels::checksum_add;
using tunnels::checksum_fold;

uint16_t transport_checksum(std::span<const uint8_t> ip, size_t header_length, uint8_t protocol) {
  const bool v4 = ip[0] >> 4 == 4;
  const auto part = ip.subspan(header_length);
  uint8_t tail[4] = {0, protocol};
  tunnels::store_be16(tail + 2, static_cast<uint16_t>(part.size()));
  uint64_t sum = checksum_add(0, &ip[v4 ? 12 : 8], v4 ? 8 : 32);  // both addresses
  sum = checksum_add(sum, tail, sizeof(tail));
  return checksum_fold(checksum_add(sum, part.data(), static_cast<uint32_t>(part.size())));
}

bool has_right_checksum(const PacketView& segment) {
  return transport_checksum(segment.ip, segment.packet.l4_offset, tunnels::kProtocolTcp) == 0;
}

}  // namespace sluice::inspect
