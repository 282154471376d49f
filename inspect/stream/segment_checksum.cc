// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/segment_checksum.h"

#include "tunnels/checksum.h"

namespace sluice::inspect {
namespace {

using tunnels::checksum_add;
using tunnels::checksum_fold;

constexpr size_t kSource4 = 12;
constexpr size_t kSource6 = 8;

}  // namespace

bool has_right_checksum(const PacketView& segment) {
  const std::span<const uint8_t> ip = segment.ip;
  const bool v4 = segment.packet.tuple.version == 4;
  const auto transport = ip.subspan(segment.packet.l4_offset);
  uint8_t tail[4] = {0, tunnels::kProtocolTcp};
  tunnels::store_be16(tail + 2, static_cast<uint16_t>(transport.size()));
  const size_t source = v4 ? kSource4 : kSource6;
  uint64_t sum = checksum_add(0, &ip[source], v4 ? 8 : 32);
  sum = checksum_add(sum, tail, sizeof(tail));
  sum = checksum_add(sum, transport.data(), static_cast<uint32_t>(transport.size()));
  return checksum_fold(sum) == 0;
}

}  // namespace sluice::inspect
