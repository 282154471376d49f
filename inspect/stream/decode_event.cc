// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/decode_event.h"

#include <algorithm>
#include <iterator>

#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

constexpr size_t kIpv4HeaderLength = 20;
constexpr size_t kIpv6HeaderLength = 40;
constexpr size_t kTcpHeaderLength = 20;
constexpr size_t kUdpHeaderLength = 8;

DecodeEvent ipv4_event(std::span<const uint8_t> ip) {
  if (ip.size() < kIpv4HeaderLength) return DecodeEvent::kIpv4TooSmall;
  const size_t header = (ip[0] & 15u) * 4;
  const size_t length = tunnels::load_be16(&ip[2]);
  if (header < kIpv4HeaderLength) return DecodeEvent::kIpv4HeaderLength;
  if (length < header) return DecodeEvent::kIpv4TotalLength;
  return ip.size() < length ? DecodeEvent::kIpv4Truncated : DecodeEvent::kNone;
}

DecodeEvent ipv6_event(std::span<const uint8_t> ip) {
  if (ip.size() < kIpv6HeaderLength) return DecodeEvent::kIpv6TooSmall;
  const size_t length = kIpv6HeaderLength + tunnels::load_be16(&ip[4]);
  return ip.size() < length ? DecodeEvent::kIpv6Truncated : DecodeEvent::kNone;
}

DecodeEvent ip_event(std::span<const uint8_t> ip) {
  const int version = ip.empty() ? 0 : ip[0] >> 4;
  if (version == 4) return ipv4_event(ip);
  if (version == 6) return ipv6_event(ip);
  return ip.size() < kIpv4HeaderLength ? DecodeEvent::kIpv4TooSmall : DecodeEvent::kIpVersion;
}

DecodeEvent tcp_event(std::span<const uint8_t> segment) {
  if (segment.size() < kTcpHeaderLength) return DecodeEvent::kTcpTooSmall;
  const size_t header = segment[12] / 16u * 4;
  if (header < kTcpHeaderLength) return DecodeEvent::kTcpOptionsLength;
  return header > segment.size() ? DecodeEvent::kTcpHeaderLength : DecodeEvent::kNone;
}

DecodeEvent udp_event(std::span<const uint8_t> datagram) {
  if (datagram.size() < kUdpHeaderLength) return DecodeEvent::kUdpHeaderLength;
  const size_t length = tunnels::load_be16(&datagram[4]);
  if (length < kUdpHeaderLength) return DecodeEvent::kUdpLength;
  return length > datagram.size() ? DecodeEvent::kUdpTooSmall : DecodeEvent::kNone;
}

}  // namespace

DecodeEvent decode_event_of(std::span<const uint8_t> ip) {
  if (const DecodeEvent event = ip_event(ip); event != DecodeEvent::kNone) return event;
  tunnels::packet packet;
  const tunnels::DropReason reason = tunnels::parse_ip_packet(ip, packet);
  const bool headers_end =
      reason == tunnels::kDropNone || reason == tunnels::kDropTransportTruncated;
  if (!headers_end) return DecodeEvent::kIpv6ExtensionHeader;
  if (packet.flags & tunnels::kPacketFragment) return DecodeEvent::kNone;
  const auto transport = ip.first(packet.l3_length).subspan(packet.l4_offset);
  if (packet.tuple.protocol == tunnels::kProtocolTcp) return tcp_event(transport);
  if (packet.tuple.protocol == tunnels::kProtocolUdp) return udp_event(transport);
  return DecodeEvent::kNone;
}

std::string_view decode_event_name(DecodeEvent event) {
  const auto* const found =
      std::ranges::find(kDecodeEvents, event, &std::pair<std::string_view, DecodeEvent>::second);
  return found == std::end(kDecodeEvents) ? std::string_view() : found->first;
}

DecodeEvent fragment_event_of(uint8_t version, FragmentState why) {
  if (why == FragmentState::kOverlap)
    return version == 4 ? DecodeEvent::kFragmentOverlap4 : DecodeEvent::kFragmentOverlap6;
  return version == 4 ? DecodeEvent::kFragmentIgnored4 : DecodeEvent::kFragmentIgnored6;
}

}  // namespace sluice::inspect
