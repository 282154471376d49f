// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/segment.h"

#include <algorithm>

#include "gateway/datapath/partial_checksum.h"
#include "tunnels/checksum.h"
#include "tunnels/packet.h"

namespace sluice::gateway {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kTcpPush = 0x08;
constexpr uint8_t kTcpWindowReduced = 0x80;

// Where the payload begins; 0 if the packet cannot be cut.
uint32_t payload_offset(std::span<const uint8_t> bytes, const packet& p) {
  if (!(p.flags & kPacketHasPorts) || (p.flags & kPacketFragment)) return 0;
  if (p.tuple.protocol == kProtocolUdp) return p.l4_offset + 8;
  if (p.tuple.protocol != kProtocolTcp || p.l4_offset + 20 > bytes.size()) return 0;
  const uint32_t length = (bytes[p.l4_offset + 12] >> 4) * 4u;
  return length < 20 ? 0 : p.l4_offset + length;
}

// The header of the segment that begins `done` bytes into the payload, the `number`th.
void finish_tcp(uint8_t* tcp, uint32_t done, bool first, bool last) {
  store_be32(tcp + 4, load_be32(tcp + 4) + done);
  if (!last) tcp[13] &= static_cast<uint8_t>(~(kTcpFin | kTcpPush));
  if (!first) tcp[13] &= static_cast<uint8_t>(~kTcpWindowReduced);
}

void finish_ip(uint8_t* ip, size_t length, uint8_t version, uint32_t number) {
  if (version == 6) return store_be16(ip + 4, static_cast<uint16_t>(length - 40));
  store_be16(ip + 2, static_cast<uint16_t>(length));
  store_be16(ip + 4, static_cast<uint16_t>(load_be16(ip + 4) + number));
  store_u16(ip + 10, 0);
  store_u16(ip + 10, checksum_fold(checksum_add(0, ip, (ip[0] & 15) * 4u)));
}

void sum_up(Bytes& out, const packet& p) {
  uint8_t* field = &out[p.l4_offset + (p.tuple.protocol == kProtocolTcp ? 16 : 6)];
  const auto length = static_cast<uint32_t>(out.size() - p.l4_offset);
  store_u16(field, 0);
  const uint16_t sum =
      checksum_fold(checksum_add(pseudo_header_sum(&p.tuple, length), &out[p.l4_offset], length));
  store_u16(field, sum == 0 && p.tuple.protocol == kProtocolUdp ? 0xffff : sum);
}

}  // namespace

std::vector<Bytes> cut_into_segments(std::span<const uint8_t> bytes, uint32_t size) {
  packet p{};
  if (size == 0 || parse_ip_packet(bytes, p) != kDropNone) return {};
  const uint32_t head = payload_offset(bytes, p);
  const size_t all = p.l3_length;
  if (head == 0 || head >= all || (all - head + size - 1) / size > kSegmentsMax) return {};
  std::vector<Bytes> out;
  for (size_t at = head; at < all; at += size) {
    const size_t length = std::min<size_t>(size, all - at);
    Bytes& piece = out.emplace_back(bytes.begin(), bytes.begin() + head);
    piece.insert(piece.end(), bytes.begin() + static_cast<ptrdiff_t>(at),
                 bytes.begin() + static_cast<ptrdiff_t>(at + length));
    if (p.tuple.protocol == kProtocolTcp)
      finish_tcp(&piece[p.l4_offset], static_cast<uint32_t>(at - head), at == head,
                 at + length == all);
    else
      store_be16(&piece[p.l4_offset + 4], static_cast<uint16_t>(piece.size() - p.l4_offset));
    finish_ip(piece.data(), piece.size(), p.tuple.version, static_cast<uint32_t>(out.size() - 1));
    sum_up(piece, p);
  }
  return out;
}

}  // namespace sluice::gateway
