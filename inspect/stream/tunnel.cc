// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/tunnel.h"

#include <algorithm>

namespace sluice::inspect {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kProtocolIpv4 = 4;
constexpr uint8_t kProtocolIpv6 = 41;
constexpr uint16_t kGtpuPort = 2152;
constexpr uint8_t kGtpuTpdu = 255;
constexpr uint16_t kCapwapDataPort = 5247;

// TS 29.281 section 5.1. Empty if it is no T-PDU, or lies.
Bytes gtpu_payload(Bytes gtp) {
  if (gtp.size() < 8 || gtp[0] >> 4 != 3 || gtp[1] != kGtpuTpdu) return {};
  size_t at = 8;
  if (gtp[0] & 0x07) at = 12;  // sequence number, N-PDU number, next extension
  if (gtp[0] & 0x04) {
    if (gtp.size() < at) return {};
    for (uint8_t next = gtp[at - 1]; next != 0;) {
      if (at >= gtp.size() || gtp[at] == 0 || at + gtp[at] * 4u > gtp.size()) return {};
      at += gtp[at] * 4u;
      next = gtp[at - 1];
    }
  }
  return at < gtp.size() ? gtp.subspan(at) : Bytes{};
}

// IEEE 802.11-2020 section 9.3.2, then LLC and SNAP. Empty if it is no clear data frame with IP.
Bytes wifi_payload(Bytes frame) {
  if (frame.size() < 24) return {};
  uint8_t type = frame[0];
  uint8_t flags = frame[1];
  if ((type & 0x0f) != 0x08) std::swap(type, flags);  // Cisco's access points do
  if ((type & 0x0f) != 0x08 || (flags & 0x40) != 0) return {};
  const bool quality = type & 0x80;
  const bool four_addresses = (flags & 3) == 3;
  const size_t header = 24 + (four_addresses ? 6 : 0) + (quality ? 2 : 0);
  constexpr uint8_t kSnap[] = {0xaa, 0xaa, 0x03, 0, 0, 0};
  if (frame.size() < header + 8 || !std::ranges::equal(frame.subspan(header, 6), kSnap)) return {};
  const uint16_t ether_type = tunnels::load_be16(&frame[header + 6]);
  const bool ip = ether_type == tunnels::kEtherTypeIpv4 || ether_type == tunnels::kEtherTypeIpv6;
  return ip ? frame.subspan(header + 8) : Bytes{};
}

// RFC 5415 section 4.3: in clear, not a fragment.
Bytes capwap_payload(Bytes capwap) {
  if (capwap.size() < 8 || capwap[0] != 0) return {};
  const size_t header = (capwap[1] >> 3) * 4u;
  const bool fragment = capwap[3] & 0x80;
  if (header < 8 || header >= capwap.size() || fragment) return {};
  return wifi_payload(capwap.subspan(header));
}

constexpr uint8_t kProtocolGre = 47;
constexpr uint16_t kVxlanPort = 4789;
constexpr uint16_t kGenevePort = 6081;
constexpr uint16_t kEtherTypeBridged = 0x6558;  // a whole Ethernet frame
constexpr size_t kVxlanHeaderLength = 8;
constexpr size_t kGeneveHeaderLength = 8;

bool is_ip(uint16_t ether_type) {
  return ether_type == tunnels::kEtherTypeIpv4 || ether_type == tunnels::kEtherTypeIpv6;
}

Bytes ethernet_payload(Bytes frame) {
  tunnels::packet packet{};
  const uint16_t type = tunnels::parse_ethernet(frame.data(), frame.data() + frame.size(), &packet);
  return is_ip(type) ? frame.subspan(packet.l3_offset) : Bytes{};
}

Bytes payload_of(uint16_t ether_type, Bytes bytes) {
  if (ether_type == kEtherTypeBridged) return ethernet_payload(bytes);
  return is_ip(ether_type) ? bytes : Bytes{};
}

// RFC 2784 with the fields of RFC 2890. Routing and version 1 (PPTP) are not opened; what RFC 1701
// has beside them receivers pass over.
Bytes gre_payload(Bytes gre) {
  if (gre.size() < 4 || (gre[0] & 0x40) != 0 || (gre[1] & 0x07) != 0) return {};
  size_t header = 4;
  for (const uint8_t field : {0x80, 0x20, 0x10}) header += (gre[0] & field) != 0 ? 4 : 0;
  return header < gre.size() ? payload_of(tunnels::load_be16(&gre[2]), gre.subspan(header))
                             : Bytes{};
}

Bytes vxlan_payload(Bytes vxlan) {
  if (vxlan.size() < kVxlanHeaderLength || (vxlan[0] & 0x08) == 0) return {};
  return ethernet_payload(vxlan.subspan(kVxlanHeaderLength));
}

Bytes geneve_payload(Bytes geneve) {
  if (geneve.size() < kGeneveHeaderLength || geneve[0] >> 6 != 0) return {};
  const size_t header = kGeneveHeaderLength + (geneve[0] & 0x3f) * 4u;
  return header < geneve.size() ? payload_of(tunnels::load_be16(&geneve[2]), geneve.subspan(header))
                                : Bytes{};
}

// What the packet carries if it is a tunnel, else empty.
Bytes inner(Bytes ip, const tunnels::packet& packet) {
  if (packet.flags & (tunnels::kPacketFragment | tunnels::kPacketIcmpError)) return {};
  const Bytes payload = ip.subspan(packet.l4_offset, packet.l3_length - packet.l4_offset);
  const tunnels::tuple& t = packet.tuple;
  if (t.protocol == kProtocolIpv4 || t.protocol == kProtocolIpv6) return payload;
  if (t.protocol != tunnels::kProtocolUdp || !(packet.flags & tunnels::kPacketHasPorts)) return {};
  const uint16_t ports[] = {tunnels::load_be16(&ip[packet.l4_offset]),
                            tunnels::load_be16(&ip[packet.l4_offset + 2])};
  for (const uint16_t port : ports) {
    if (port == kGtpuPort) return gtpu_payload(payload.subspan(8));
    if (port == kCapwapDataPort) return capwap_payload(payload.subspan(8));
  }
  return {};
}

}  // namespace

Bytes tunnel_payload(Bytes ip, const tunnels::packet& packet) {
  if (packet.flags & (tunnels::kPacketFragment | tunnels::kPacketIcmpError)) return {};
  const uint8_t protocol = packet.tuple.protocol;
  if (protocol == tunnels::kProtocolTcp) return {};
  const Bytes payload = ip.subspan(packet.l4_offset, packet.l3_length - packet.l4_offset);
  if (protocol == kProtocolGre) return gre_payload(payload);
  if (protocol == tunnels::kProtocolUdp && (packet.flags & tunnels::kPacketHasPorts)) {
    const uint16_t port = tunnels::load_be16(&payload[2]);
    if (port == kVxlanPort) return vxlan_payload(payload.subspan(8));
    if (port == kGenevePort) return geneve_payload(payload.subspan(8));
  }
  return inner(ip, packet);
}

TunnelKind tunnel_kind(const tunnels::tuple& tunnel) {
  if (tunnel.protocol == kProtocolGre) return TunnelKind::kGre;
  if (tunnel.protocol != tunnels::kProtocolUdp) return TunnelKind::kIp;
  const uint16_t port = tunnels::swap_be16(tunnel.destination_port);
  if (port == kVxlanPort) return TunnelKind::kVxlan;
  return port == kGenevePort ? TunnelKind::kGeneve : TunnelKind::kOther;
}

uint64_t tunnel_network(Bytes ip, const tunnels::packet& packet) {
  const Bytes payload = ip.subspan(packet.l4_offset, packet.l3_length - packet.l4_offset);
  const uint64_t carried = uint64_t{packet.tuple.protocol} << 48;
  if (packet.tuple.protocol == kProtocolGre) {
    const bool checksum = payload[0] & 0x80;
    const bool key = payload[0] & 0x20;
    return carried | (key ? tunnels::load_be32(&payload[checksum ? 8 : 4]) : 0);
  }
  if (packet.tuple.protocol != tunnels::kProtocolUdp) return carried;
  const uint16_t port = tunnels::load_be16(&payload[2]);
  if (port != kVxlanPort && port != kGenevePort) return carried;
  // Both have the VNI in the same place.
  return carried | uint64_t{port} << 32 | tunnels::load_be32(&payload[12]) >> 8;
}

bool enter_tunnels(Bytes& ip, tunnels::packet& packet) {
  bool entered = false;
  for (int depth = 0; depth < kTunnelDepthMax; depth++) {
    const Bytes inside = inner(ip, packet);
    tunnels::packet found;
    if (inside.empty() || parse_ip_packet(inside, found) != tunnels::kDropNone) break;
    ip = inside.first(found.l3_length);
    packet = found;
    entered = true;
  }
  return entered;
}

}  // namespace sluice::inspect
