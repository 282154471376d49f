// SPDX-License-Identifier: Apache-2.0
// What is wrong with bytes that are no packet, by Suricata's names without "decoder."
// (`decode-event:ipv4.trunc_pkt`).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "inspect/stream/defrag.h"

namespace sluice::inspect {

enum class DecodeEvent : uint8_t {
  kNone,
  kIpVersion,
  kIpv4TooSmall,
  kIpv4HeaderLength,
  kIpv4TotalLength,
  kIpv4Truncated,
  kIpv6TooSmall,
  kIpv6Truncated,
  kIpv6ExtensionHeader,
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
    {"ipv6.trunc_exthdr", DecodeEvent::kIpv6ExtensionHeader},
    {"tcp.pkt_too_small", DecodeEvent::kTcpTooSmall},
    {"tcp.hlen_too_small", DecodeEvent::kTcpHeaderLength},
    {"tcp.invalid_optlen", DecodeEvent::kTcpOptionsLength},
    {"udp.hlen_too_small", DecodeEvent::kUdpHeaderLength},
    {"udp.pkt_too_small", DecodeEvent::kUdpTooSmall},
    {"udp.len_invalid", DecodeEvent::kUdpLength},
};

// Of bytes that view_packet() does not take; kNone of those that it does.
DecodeEvent decode_event_of(std::span<const uint8_t> ip);
// Empty: kNone.
std::string_view decode_event_name(DecodeEvent event);
// Of a fragment that is refused. Rules cannot ask for these.
std::string_view fragment_event_name(uint8_t version, FragmentState why);

}  // namespace sluice::inspect
