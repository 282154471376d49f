// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/decode_event.h"

#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

constexpr size_t kIpv4Header = 20;
constexpr size_t kIpv6Header = 40;
constexpr size_t kTcpHeader = 20;
constexpr size_t kUdpHeader = 8;

DecodeEvent of_truncated(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return DecodeEvent::kNone;
  if (bytes[0] >> 4 == 4)
    return bytes.size() < kIpv4Header ? DecodeEvent::kIpv4TooSmall : DecodeEvent::kIpv4Truncated;
  return bytes.size() < kIpv6Header ? DecodeEvent::kIpv6TooSmall : DecodeEvent::kIpv6Truncated;
}

DecodeEvent of_invalid_ip(std::span<const uint8_t> bytes) {
  if (bytes[0] >> 4 != 4) return DecodeEvent::kIpVersion;
  return (bytes[0] & 0x0f) * 4u < kIpv4Header ? DecodeEvent::kIpv4HeaderLength
                                              : DecodeEvent::kIpv4TotalLength;
}

// Of a header that is there as far as its fixed part goes.
DecodeEvent of_transport(std::span<const uint8_t> segment, uint8_t protocol) {
  if (protocol == tunnels::kProtocolTcp && segment.size() >= kTcpHeader) {
    const size_t header = size_t{segment[12]} / 16 * 4;
    if (header < kTcpHeader) return DecodeEvent::kTcpOptionsLength;
    if (header > segment.size()) return DecodeEvent::kTcpHeaderLength;
  }
  if (protocol == tunnels::kProtocolUdp && segment.size() >= kUdpHeader) {
    const size_t length = tunnels::load_be16(&segment[4]);
    if (length > segment.size()) return DecodeEvent::kUdpTooSmall;
    if (length < kUdpHeader) return DecodeEvent::kUdpLength;
  }
  return DecodeEvent::kNone;
}

}  // namespace

DecodeEvent decode_event_of(std::span<const uint8_t> bytes) {
  tunnels::packet packet;
  switch (tunnels::parse_ip_packet(bytes, packet)) {
    case tunnels::kDropFrameTruncated:
      return of_truncated(bytes);
    case tunnels::kDropIpInvalid:
      return of_invalid_ip(bytes);
    case tunnels::kDropTransportTruncated:
      return packet.tuple.protocol == tunnels::kProtocolTcp ? DecodeEvent::kTcpTooSmall
                                                            : DecodeEvent::kUdpHeaderLength;
    case tunnels::kDropNone:
      return (packet.flags & tunnels::kPacketHasPorts)
                 ? of_transport(bytes.first(packet.l3_length).subspan(packet.l4_offset),
                                packet.tuple.protocol)
                 : DecodeEvent::kNone;
    default:
      return DecodeEvent::kNone;
  }
}

}  // namespace sluice::inspect
