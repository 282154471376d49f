// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/packet_view.h"

namespace sluice::inspect {
namespace {

constexpr size_t kIcmpHeaderLength = 8;
constexpr size_t kUdpHeaderLength = 8;
constexpr size_t kTcpHeaderLength = 20;

bool view_tcp(PacketView& view, std::span<const uint8_t> segment) {
  const size_t header = size_t{segment[12]} / 16 * 4;
  if (header < kTcpHeaderLength || header > segment.size()) return false;
  view.sequence = tunnels::load_be32(&segment[4]);
  view.acknowledgement = tunnels::load_be32(&segment[8]);
  view.payload = segment.subspan(header);
  return true;
}

// The receiver believes the UDP length, so the payload is what that says.
bool view_udp(PacketView& view, std::span<const uint8_t> datagram) {
  const size_t length = tunnels::load_be16(&datagram[4]);
  if (length < kUdpHeaderLength || length > datagram.size()) return false;
  view.payload = datagram.subspan(kUdpHeaderLength, length - kUdpHeaderLength);
  return true;
}

// parse_ip_packet gives an ICMP error the tuple of the packet that it quotes; rules speak of the
// outer one.
void restore_own_tuple(PacketView& view) {
  tunnels::tuple& tuple = view.packet.tuple;
  view.quoted = tuple;
  const uint8_t version = tuple.version;
  tuple = {};
  tuple.version = version;
  tuple.protocol = version == 4 ? tunnels::kProtocolIcmp : tunnels::kProtocolIcmpv6;
  const size_t words = version == 4 ? 1 : 4;
  const uint8_t* addresses = view.ip.data() + (version == 4 ? 12 : 8);
  for (size_t i = 0; i < words; i++) {
    tuple.source[i] = tunnels::load_u32(addresses + 4 * i);
    tuple.destination[i] = tunnels::load_u32(addresses + 4 * (words + i));
  }
}

}  // namespace

std::optional<IcmpKind> icmp_kind(const PacketView& view) {
  if (!view.is_icmp() || (view.packet.flags & tunnels::kPacketFragment)) return std::nullopt;
  const size_t offset = view.packet.l4_offset;
  if (offset == 0 || offset > view.ip.size()) return std::nullopt;  // bytes that are no packet
  const auto icmp = view.ip.subspan(offset);
  if (icmp.size() < 2) return std::nullopt;
  return IcmpKind{icmp[0], icmp[1]};
}

std::optional<PacketView> view_packet(std::span<const uint8_t> bytes) {
  PacketView view;
  if (tunnels::parse_ip_packet(bytes, view.packet) != tunnels::kDropNone) return std::nullopt;
  view.ip = bytes.first(view.packet.l3_length);
  if (view.packet.flags & tunnels::kPacketIcmpError) restore_own_tuple(view);
  const auto transport = view.ip.subspan(view.packet.l4_offset);
  view.payload = transport;
  if (view.packet.flags & tunnels::kPacketFragment) return view;
  view.source_port = tunnels::swap_be16(view.packet.tuple.source_port);
  view.destination_port = tunnels::swap_be16(view.packet.tuple.destination_port);
  if (view.is_tcp() && !view_tcp(view, transport)) return std::nullopt;
  if (view.is_udp() && !view_udp(view, transport)) return std::nullopt;
  if (view.is_icmp())
    view.payload = transport.size() < kIcmpHeaderLength ? transport.last(0)
                                                        : transport.subspan(kIcmpHeaderLength);
  return view;
}

PacketView headers_of(std::span<const uint8_t> bytes) {
  if (auto view = view_packet(bytes)) return *view;
  PacketView view;
  (void)tunnels::parse_ip_packet(bytes, view.packet);
  view.ip = bytes;
  return view;
}

}  // namespace sluice::inspect
