// SPDX-License-Identifier: Apache-2.0
// What is wrong with bytes that are no packet, and what is odd about the headers of one, by
// Suricata's names without "decoder." (`decode-event:ipv4.trunc_pkt`).
#pragma once

#include <bitset>
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
  // Of fragments that are refused.
  kFragmentOverlap4,
  kFragmentOverlap6,
  kFragmentIgnored4,
  kFragmentIgnored6,
  // Of whole packets; see header_events.h.
  kIpv4OptionInvalid,
  kIpv4OptionLength,
  kIpv4OptionMalformed,
  kIpv4OptionPadding,
  kIpv4OptionNoEnd,
  kIpv4OptionTwice,
  kIpv4WithIcmpv6,
  kIpv6FragmentTwice,
  kIpv6FragmentUseless,
  kIpv6FragmentReserved,
  kIpv6RoutingTwice,
  kIpv6RoutingType0,
  kIpv6HopTwice,
  kIpv6DestinationTwice,
  kIpv6AuthenticationTwice,
  kIpv6AuthenticationReserved,
  kIpv6OptionLength,
  kIpv6HopOptionUnknown,
  kIpv6HopOnlyPadding,
  kIpv6DestinationOptionUnknown,
  kIpv6DestinationOnlyPadding,
  kIpv6EmptyPadding,
  kIpv6DataAfterNone,
  kIpv6UnknownNextHeader,
  kIpv6WithIcmpv4,
  kIpv4InIpv6TooSmall,
  kIpv4InIpv6Version,
  kIpv6InIpv6TooSmall,
  kIpv6InIpv6Version,
  kTcpOptionLength,
  kTcpOptionTwice,
  kIcmpv4TooSmall,
  kIcmpv4UnknownType,
  kIcmpv4UnknownCode,
  kIcmpv4QuoteTruncated,
  kIcmpv4QuoteVersion,
  kIcmpv6TooSmall,
  kIcmpv6UnknownType,
  kIcmpv6UnknownCode,
  kIcmpv6QuoteTruncated,
  kIcmpv6QuoteVersion,
  kIcmpv6ListenerHopLimit,
  kIcmpv6Unassigned,
  kIcmpv6Experimental,
  kSctpTooSmall,
  kEspTooSmall,
  kGreTooSmall,
  kGreVersion,
  kGre0Recursion,
  kGre0Flags,
  kGre0HeaderTooBig,
  kGre1Checksum,
  kGre1Routing,
  kGre1StrictRoute,
  kGre1Recursion,
  kGre1Flags,
  kGre1NoKey,
  kGre1Protocol,
  kGre1HeaderTooBig,
  kCount,
};

using DecodeEvents = std::bitset<static_cast<size_t>(DecodeEvent::kCount)>;

inline void add(DecodeEvents& events, DecodeEvent event) { events.set(static_cast<size_t>(event)); }
inline bool has(const DecodeEvents& events, DecodeEvent event) {
  return events.test(static_cast<size_t>(event));
}

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
    {"udp.hlen_invalid", DecodeEvent::kUdpLength},  // as it was called before
    {"ipv4.frag_overlap", DecodeEvent::kFragmentOverlap4},
    {"ipv6.frag_overlap", DecodeEvent::kFragmentOverlap6},
    {"ipv4.frag_ignored", DecodeEvent::kFragmentIgnored4},
    {"ipv6.frag_ignored", DecodeEvent::kFragmentIgnored6},
    {"ipv4.opt_invalid", DecodeEvent::kIpv4OptionInvalid},
    {"ipv4.opt_invalid_len", DecodeEvent::kIpv4OptionLength},
    {"ipv4.opt_malformed", DecodeEvent::kIpv4OptionMalformed},
    {"ipv4.opt_pad_required", DecodeEvent::kIpv4OptionPadding},
    {"ipv4.opt_eol_required", DecodeEvent::kIpv4OptionNoEnd},
    {"ipv4.opt_duplicate", DecodeEvent::kIpv4OptionTwice},
    {"ipv4.icmpv6", DecodeEvent::kIpv4WithIcmpv6},
    {"ipv6.exthdr_dupl_fh", DecodeEvent::kIpv6FragmentTwice},
    {"ipv6.exthdr_useless_fh", DecodeEvent::kIpv6FragmentUseless},
    {"ipv6.fh_non_zero_reserved_field", DecodeEvent::kIpv6FragmentReserved},
    {"ipv6.exthdr_dupl_rh", DecodeEvent::kIpv6RoutingTwice},
    {"ipv6.rh_type_0", DecodeEvent::kIpv6RoutingType0},
    {"ipv6.exthdr_dupl_hh", DecodeEvent::kIpv6HopTwice},
    {"ipv6.exthdr_dupl_dh", DecodeEvent::kIpv6DestinationTwice},
    {"ipv6.exthdr_dupl_ah", DecodeEvent::kIpv6AuthenticationTwice},
    {"ipv6.exthdr_ah_res_not_null", DecodeEvent::kIpv6AuthenticationReserved},
    {"ipv6.exthdr_invalid_optlen", DecodeEvent::kIpv6OptionLength},
    {"ipv6.hopopts_unknown_opt", DecodeEvent::kIpv6HopOptionUnknown},
    {"ipv6.hopopts_only_padding", DecodeEvent::kIpv6HopOnlyPadding},
    {"ipv6.dstopts_unknown_opt", DecodeEvent::kIpv6DestinationOptionUnknown},
    {"ipv6.dstopts_only_padding", DecodeEvent::kIpv6DestinationOnlyPadding},
    {"ipv6.zero_len_padn", DecodeEvent::kIpv6EmptyPadding},
    {"ipv6.data_after_none_header", DecodeEvent::kIpv6DataAfterNone},
    {"ipv6.unknown_next_header", DecodeEvent::kIpv6UnknownNextHeader},
    {"ipv6.icmpv4", DecodeEvent::kIpv6WithIcmpv4},
    {"ipv6.ipv4_in_ipv6_too_small", DecodeEvent::kIpv4InIpv6TooSmall},
    {"ipv6.ipv4_in_ipv6_wrong_version", DecodeEvent::kIpv4InIpv6Version},
    {"ipv6.ipv6_in_ipv6_too_small", DecodeEvent::kIpv6InIpv6TooSmall},
    {"ipv6.ipv6_in_ipv6_wrong_version", DecodeEvent::kIpv6InIpv6Version},
    {"tcp.opt_invalid_len", DecodeEvent::kTcpOptionLength},
    {"tcp.opt_duplicate", DecodeEvent::kTcpOptionTwice},
    {"icmpv4.pkt_too_small", DecodeEvent::kIcmpv4TooSmall},
    {"icmpv4.unknown_type", DecodeEvent::kIcmpv4UnknownType},
    {"icmpv4.unknown_code", DecodeEvent::kIcmpv4UnknownCode},
    {"icmpv4.ipv4_trunc_pkt", DecodeEvent::kIcmpv4QuoteTruncated},
    {"icmpv4.ipv4_unknown_ver", DecodeEvent::kIcmpv4QuoteVersion},
    {"icmpv6.pkt_too_small", DecodeEvent::kIcmpv6TooSmall},
    {"icmpv6.unknown_type", DecodeEvent::kIcmpv6UnknownType},
    {"icmpv6.unknown_code", DecodeEvent::kIcmpv6UnknownCode},
    {"icmpv6.ipv6_trunc_pkt", DecodeEvent::kIcmpv6QuoteTruncated},
    {"icmpv6.ipv6_unknown_version", DecodeEvent::kIcmpv6QuoteVersion},
    {"icmpv6.mld_message_with_invalid_hl", DecodeEvent::kIcmpv6ListenerHopLimit},
    {"icmpv6.unassigned_type", DecodeEvent::kIcmpv6Unassigned},
    {"icmpv6.experimentation_type", DecodeEvent::kIcmpv6Experimental},
    {"sctp.pkt_too_small", DecodeEvent::kSctpTooSmall},
    {"esp.pkt_too_small", DecodeEvent::kEspTooSmall},
    {"gre.pkt_too_small", DecodeEvent::kGreTooSmall},
    {"gre.wrong_version", DecodeEvent::kGreVersion},
    {"gre.version0_recur", DecodeEvent::kGre0Recursion},
    {"gre.version0_flags", DecodeEvent::kGre0Flags},
    {"gre.version0_hdr_too_big", DecodeEvent::kGre0HeaderTooBig},
    {"gre.version1_chksum", DecodeEvent::kGre1Checksum},
    {"gre.version1_route", DecodeEvent::kGre1Routing},
    {"gre.version1_ssr", DecodeEvent::kGre1StrictRoute},
    {"gre.version1_recur", DecodeEvent::kGre1Recursion},
    {"gre.version1_flags", DecodeEvent::kGre1Flags},
    {"gre.version1_no_key", DecodeEvent::kGre1NoKey},
    {"gre.version1_wrong_protocol", DecodeEvent::kGre1Protocol},
    {"gre.version1_hdr_too_big", DecodeEvent::kGre1HeaderTooBig},
};

// Of bytes that view_packet() does not take; kNone of those that it does.
DecodeEvent decode_event_of(std::span<const uint8_t> ip);
// Empty: kNone.
std::string_view decode_event_name(DecodeEvent event);
// Of a fragment that is refused.
DecodeEvent fragment_event_of(uint8_t version, FragmentState why);

}  // namespace sluice::inspect
