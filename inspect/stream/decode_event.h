// SPDX-License-Identifier: Apache-2.0
// Why bytes are no packet that could be inspected, by Suricata's names
// (`decode-event:ipv4.trunc_pkt`).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace sluice::inspect {

enum class DecodeEvent : uint8_t {
  kNone,  // Suricata has no name for it
  kIpVersion,
  kIpv4TooSmall,
  kIpv4HeaderLength,
  kIpv4TotalLength,
  kIpv4Truncated,
  kIpv6TooSmall,
  kIpv6Truncated,
  kTcpTooSmall,
  kTcpHeaderLength,
  kTcpOptionsLength,
  kUdpHeaderLength,
  kUdpTooSmall,
  kUdpLength,
};

inline constexpr std::pair<std::string_view, DecodeEvent> kDecodeEvents[] = {
    {"ipraw.invalid_ip_version", DecodeEvent::kIpVersion},
    {"ipv4.pkt_too_small", DecodeEvent::kIpv4TooSmall},
    {"ipv4.hlen_too_small", DecodeEvent::kIpv4HeaderLength},
    {"ipv4.iplen_smaller_than_hlen", DecodeEvent::kIpv4TotalLength},
    {"ipv4.trunc_pkt", DecodeEvent::kIpv4Truncated},
    {"ipv6.pkt_too_small", DecodeEvent::kIpv6TooSmall},
    {"ipv6.trunc_pkt", DecodeEvent::kIpv6Truncated},
    {"tcp.pkt_too_small", DecodeEvent::kTcpTooSmall},
    {"tcp.hlen_too_small", DecodeEvent::kTcpHeaderLength},
    {"tcp.invalid_optlen", DecodeEvent::kTcpOptionsLength},
    {"udp.hlen_too_small", DecodeEvent::kUdpHeaderLength},
    {"udp.pkt_too_small", DecodeEvent::kUdpTooSmall},
    {"udp.len_invalid", DecodeEvent::kUdpLength},
};

// Of bytes that view_packet() refuses.
DecodeEvent decode_event_of(std::span<const uint8_t> bytes);

}  // namespace sluice::inspect
