// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/header_events.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets
using Names = std::set<std::string>;

const Ends kV4{"10.0.0.1", "10.0.0.2", 1000, 80};
const Ends kV6{"fd00::1", "fd00::2", 1000, 80};

Names names_of(const Bytes& ip) {
  Names out;
  const auto view = view_packet(ip);
  if (!view) return {"no packet"};
  const DecodeEvents events = header_events_of(*view);
  for (const auto& [name, event] : kDecodeEvents)
    if (has(events, event)) out.emplace(name);
  return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes v4_with(const Bytes& options) {
  const Bytes plain = udp(kV4, "abc");
  Bytes ip(plain.begin(), plain.begin() + 20);
  ip[0] = static_cast<uint8_t>(0x45 + options.size() / 4);
  ip = ip + options + Bytes(plain.begin() + 20, plain.end());
  tunnels::store_be16(&ip[2], static_cast<uint16_t>(ip.size()));
  return ip;
}
// Extension headers, the first of which is `kind`, before UDP or `rest`.
Bytes v6_with(uint8_t kind, const Bytes& headers, Bytes rest = {}) {
  if (rest.empty()) {
    const Bytes plain = udp(kV6, "abc");
    rest.assign(plain.begin() + 40, plain.end());
  }
  return ip_packet(kV6, kind, headers + rest);
}
Bytes tcp_with(const Bytes& options) {
  Bytes part(20);
  part[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  return ip_packet(kV4, 6, part + options);
}
Bytes gre(const Bytes& header) { return ip_packet(kV4, 47, header); }

constexpr uint8_t kUdp = 17;
const Bytes kPadding = {1, 4, 0, 0, 0, 0};
const Bytes kRouterAlert = {5, 2, 0, 0, 0, 0};
const std::string kQuote = std::string(4, '\0') + "\x45" + std::string(27, '\0');
const std::string kQuote6 = std::string(4, '\0') + "\x60" + std::string(47, '\0');

const struct {
  Names names;
  Bytes ip;
} kTable[] = {
    {{}, udp(kV4, "abc")},
    {{}, udp(kV6, "abc")},
    {{}, v4_with({148, 4, 0, 0, 7, 3, 4, 0})},
    {{"ipv4.opt_invalid"}, v4_with({99, 4, 0, 0, 0, 0, 0, 0})},
    {{"ipv4.opt_invalid_len"}, v4_with({148, 3, 0, 0, 0, 0, 0, 0})},
    {{"ipv4.opt_invalid_len"}, v4_with({148, 9, 0, 0, 0, 0, 0, 0})},
    {{"ipv4.opt_malformed"}, v4_with({7, 7, 5, 0, 0, 0, 0, 0})},
    {{"ipv4.opt_malformed"}, v4_with({68, 8, 5, 2, 0, 0, 0, 0})},
    {{}, v4_with({68, 8, 5, 0, 0, 0, 0, 0})},
    {{"ipv4.opt_pad_required"}, v4_with({148, 4, 0, 0})},
    {{"ipv4.opt_eol_required"}, v4_with({148, 4, 0, 0, 1, 1, 1, 148})},
    {{"ipv4.opt_duplicate"}, v4_with({148, 4, 0, 0, 148, 4, 0, 0})},
    {{"ipv4.icmpv6"}, ip_packet(kV4, 58, Bytes(8))},

    {{}, v6_with(0, Bytes{kUdp, 0} + kRouterAlert)},
    {{"ipv6.hopopts_only_padding"}, v6_with(0, Bytes{kUdp, 0} + kPadding)},
    {{"ipv6.dstopts_only_padding"}, v6_with(60, Bytes{kUdp, 0} + kPadding)},
    {{"ipv6.hopopts_unknown_opt"}, v6_with(0, {kUdp, 0, 77, 4, 0, 0, 0, 0})},
    {{"ipv6.dstopts_unknown_opt"}, v6_with(60, {kUdp, 0, 77, 4, 0, 0, 0, 0})},
    {{"ipv6.exthdr_invalid_optlen"}, v6_with(0, {kUdp, 0, 5, 4, 0, 0, 0, 0})},
    {{"ipv6.exthdr_invalid_optlen"}, v6_with(0, {kUdp, 0, 5, 9, 0, 0, 0, 0})},
    {{"ipv6.zero_len_padn"}, v6_with(0, {kUdp, 0, 5, 2, 0, 0, 1, 0})},
    {{"ipv6.exthdr_dupl_hh"},
     v6_with(0, Bytes{0, 0} + kRouterAlert + Bytes{kUdp, 0} + kRouterAlert)},
    {{"ipv6.exthdr_dupl_dh"},
     v6_with(60, Bytes{60, 0} + kRouterAlert + Bytes{60, 0} + kRouterAlert + Bytes{kUdp, 0} +
                     kRouterAlert)},
    {{}, v6_with(60, Bytes{60, 0} + kRouterAlert + Bytes{kUdp, 0} + kRouterAlert)},
    {{}, v6_with(43, {kUdp, 0, 4, 0, 0, 0, 0, 0})},
    {{"ipv6.rh_type_0"}, v6_with(43, {kUdp, 0, 0, 0, 0, 0, 0, 0})},
    {{"ipv6.exthdr_dupl_rh"}, v6_with(43, {43, 0, 4, 0, 0, 0, 0, 0, kUdp, 0, 4, 0, 0, 0, 0, 0})},
    {{"ipv6.exthdr_useless_fh"}, v6_with(44, {kUdp, 0, 0, 0, 0, 0, 0, 1})},
    {{"ipv6.exthdr_useless_fh", "ipv6.exthdr_dupl_fh"},
     v6_with(44, {44, 0, 0, 0, 0, 0, 0, 1, kUdp, 0, 0, 0, 0, 0, 0, 1})},
    {{"ipv6.exthdr_useless_fh", "ipv6.fh_non_zero_reserved_field"},
     v6_with(44, {kUdp, 1, 0, 0, 0, 0, 0, 1})},
    {{}, v6_with(51, {kUdp, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1})},
    {{"ipv6.exthdr_ah_res_not_null"}, v6_with(51, {kUdp, 1, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1})},
    {{"ipv6.exthdr_dupl_ah"},
     v6_with(51, {51, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, kUdp, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1})},
    {{}, ip_packet(kV6, 59, {})},
    {{"ipv6.data_after_none_header"}, ip_packet(kV6, 59, {1})},
    {{"ipv6.unknown_next_header"}, ip_packet(kV6, 99, {1})},
    {{"ipv6.icmpv4"}, ip_packet(kV6, 1, Bytes(8))},
    {{}, ip_packet(kV6, 4, udp(kV4, "abc"))},
    {{"ipv6.ipv4_in_ipv6_too_small"}, ip_packet(kV6, 4, Bytes(19))},
    {{"ipv6.ipv4_in_ipv6_wrong_version"}, ip_packet(kV6, 4, Bytes(20))},
    {{}, ip_packet(kV6, 41, udp(kV6, "abc"))},
    {{"ipv6.ipv6_in_ipv6_too_small"}, ip_packet(kV6, 41, Bytes(39))},
    {{"ipv6.ipv6_in_ipv6_wrong_version"}, ip_packet(kV6, 41, Bytes(40))},

    {{}, tcp_with({2, 4, 5, 180, 3, 3, 7, 1})},
    {{"tcp.opt_invalid_len"}, tcp_with({2, 3, 5, 180})},
    {{"tcp.opt_duplicate"}, tcp_with({3, 3, 7, 3, 3, 7, 0, 0})},

    {{}, icmp(kV4, 8, 0, std::string(4, '\0'))},
    {{"icmpv4.pkt_too_small"}, icmp(kV4, 8, 0, "abc")},
    {{"icmpv4.unknown_type"}, icmp(kV4, 99, 0, "abcd")},
    {{"icmpv4.unknown_code"}, icmp(kV4, 8, 1, "abcd")},
    {{}, icmp(kV4, 3, 1, kQuote)},
    {{"icmpv4.ipv4_trunc_pkt"}, icmp(kV4, 3, 1, kQuote.substr(0, 12))},
    {{"icmpv4.ipv4_unknown_ver"}, icmp(kV4, 3, 1, std::string(40, '\0'))},
    {{}, icmp(kV6, 128, 0, "abcd")},
    {{"icmpv6.pkt_too_small"}, icmp(kV6, 128, 0, "abc")},
    {{"icmpv6.unknown_type"}, icmp(kV6, 220, 0, "abcd")},
    {{"icmpv6.unassigned_type"}, icmp(kV6, 50, 0, "abcd")},
    {{"icmpv6.experimentation_type"}, icmp(kV6, 200, 0, "abcd")},
    {{"icmpv6.unknown_code"}, icmp(kV6, 128, 3, "abcd")},
    {{}, icmp(kV6, 1, 0, kQuote6)},
    {{"icmpv6.ipv6_trunc_pkt"}, icmp(kV6, 1, 0, kQuote6.substr(0, 30))},
    {{"icmpv6.ipv6_unknown_version"}, icmp(kV6, 1, 0, std::string(60, '\0'))},
    {{"icmpv6.mld_message_with_invalid_hl"}, icmp(kV6, 130, 0, std::string(20, '\0'))},

    {{}, ip_packet(kV4, 132, Bytes(12))},
    {{"sctp.pkt_too_small"}, ip_packet(kV4, 132, Bytes(11))},
    {{}, ip_packet(kV4, 50, Bytes(8))},
    {{"esp.pkt_too_small"}, ip_packet(kV4, 50, Bytes(7))},

    {{}, gre(Bytes{0, 0, 8, 0} + udp(kV4, "abc"))},
    {{"gre.pkt_too_small"}, gre({0, 0, 8})},
    {{"gre.wrong_version"}, gre({0, 2, 8, 0})},
    {{"gre.version0_recur"}, gre({1, 0, 8, 0})},
    {{"gre.version0_flags"}, gre({0, 8, 8, 0})},
    {{"gre.version0_hdr_too_big"}, gre({0x20, 0, 8, 0})},
    {{}, gre({0x20, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_chksum"}, gre({0xa0, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_route"}, gre({0x60, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_ssr"}, gre({0x28, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_recur"}, gre({0x21, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_flags"}, gre({0x20, 9, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_no_key"}, gre({0, 1, 0x88, 0x0b, 0, 0, 0, 0})},
    {{"gre.version1_wrong_protocol"}, gre({0x20, 1, 8, 0, 0, 0, 0, 0})},
    {{"gre.version1_hdr_too_big"}, gre({0x20, 1, 0x88, 0x0b, 0, 0, 0})},
};

TEST(HeaderEvents, EachByItself) {
  for (const auto& row : kTable)
    EXPECT_EQ(names_of(row.ip), row.names) << (&row - std::begin(kTable));
}

TEST(HeaderEvents, TheTableHasAll) {
  Names untold;
  for (const auto& [name, event] : kDecodeEvents)
    if (event > DecodeEvent::kFragmentIgnored6) untold.emplace(name);
  for (const auto& row : kTable)
    for (const std::string& name : row.names) untold.erase(name);
  EXPECT_EQ(untold, Names{});
}

TEST(HeaderEvents, WhateverIsAPacketIsReadWithinIt) {
  for (const auto& row : kTable) {
    for (size_t at = 0; at < row.ip.size(); at++) {
      for (int byte = 0; byte < 256; byte += 5) {
        Bytes ip = row.ip;
        ip[at] = static_cast<uint8_t>(byte);
        (void)names_of(ip);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::inspect
