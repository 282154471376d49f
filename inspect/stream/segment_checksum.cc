// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/segment_checksum.h"

#include <cstring>

#include "tunnels/checksum.h"

namespace sluice::inspect {
namespace {

using tunnels::checksum_add;
using tunnels::checksum_fold;

// checksum_add() in steps of eight bytes: it is written for the kernel host, too, and this is what
// every byte of every connection passes through. A carry counts as one (RFC 1071 section 2 B).
uint64_t checksum_add_long(uint64_t sum, std::span<const uint8_t> bytes) {
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    sum += word;
    sum += sum < word;
    bytes = bytes.subspan(sizeof(word));
  }
  const uint64_t rest = checksum_add(0, bytes.data(), static_cast<uint32_t>(bytes.size()));
  sum += rest;
  return sum + (sum < rest);
}

}  // namespace

uint16_t transport_checksum(std::span<const uint8_t> ip, size_t header_length, uint8_t protocol) {
  const bool v4 = ip[0] >> 4 == 4;
  const auto part = ip.subspan(header_length);
  uint8_t tail[4] = {0, protocol};
  tunnels::store_be16(tail + 2, static_cast<uint16_t>(part.size()));
  uint64_t sum = checksum_add(0, &ip[v4 ? 12 : 8], v4 ? 8 : 32);  // both addresses
  sum = checksum_add(sum, tail, sizeof(tail));
  return checksum_fold(checksum_add_long(sum, part));
}

bool has_right_checksum(const PacketView& view) {
  const size_t header = view.packet.l4_offset;
  const uint8_t protocol = view.packet.tuple.protocol;
  if (protocol == tunnels::kProtocolIcmp)
    return checksum_fold(checksum_add_long(0, view.ip.subspan(header))) == 0;
  if (!view.is_udp()) return transport_checksum(view.ip, header, protocol) == 0;
  // Its own length counts. Over IPv4 a sender may leave it out (RFC 768; RFC 8200 section 8.1).
  const auto datagram = view.ip.first(header + 8 + view.payload.size());
  if (tunnels::load_be16(&datagram[header + 6]) == 0) return view.packet.tuple.version == 4;
  return transport_checksum(datagram, header, protocol) == 0;
}

bool has_right_ip_checksum(const PacketView& view) {
  return checksum_fold(checksum_add(0, view.ip.data(), (view.ip[0] & 15u) * 4)) == 0;
}

}  // namespace sluice::inspect
