// SPDX-License-Identifier: Apache-2.0
// The packet inside a tunnel, for those who want to know what is said and not how it travels: IPv4
// and IPv6 in either (RFC 2003, RFC 2473, RFC 4213), GTP-U (3GPP TS 29.281), and CAPWAP (RFC 5415)
// with IEEE 802.11 frames.
#pragma once

#include <cstdint>
#include <span>

#include "tunnels/packet.h"

namespace sluice::inspect {

// A tunnel in a tunnel, and so on; what is deeper stays closed.
inline constexpr int kTunnelDepthMax = 4;

// What the packet carries if it is a tunnel: one of those, GRE (RFC 2784, RFC 2890), VXLAN (RFC
// 7348) or GENEVE (RFC 8926). Empty: it is none. What it carries need not be a packet.
std::span<const uint8_t> tunnel_payload(std::span<const uint8_t> ip, const tunnels::packet& packet);

enum class TunnelKind : uint8_t { kIp, kGre, kVxlan, kGeneve, kOther };
// Of what is a tunnel by tunnel_payload().
TunnelKind tunnel_kind(const tunnels::tuple& tunnel);

// Of the networks that the tunnel's other end keeps apart, the one that the packet inside is in:
// how it is carried, and the VNI of VXLAN or GENEVE or the key of GRE. Of what is a tunnel by
// tunnel_payload().
uint64_t tunnel_network(std::span<const uint8_t> ip, const tunnels::packet& packet);

// `packet` is what parse_ip_packet made of `ip`. Both become those of the innermost packet that is
// whole and valid. True if there was a tunnel.
bool enter_tunnels(std::span<const uint8_t>& ip, tunnels::packet& packet);

}  // namespace sluice::inspect
