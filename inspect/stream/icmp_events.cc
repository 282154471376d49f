// SPDX-License-Identifier: Apache-2.0
// The events of ICMP (RFC 792, RFC 4443 and the types of IANA that Suricata knows) and GRE (RFC
// 2784, RFC 2637) headers.
#include <algorithm>

#include "inspect/stream/header_events.h"
#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

using E = DecodeEvent;
using Bytes = std::span<const uint8_t>;

constexpr size_t kIcmpHeaderLength = 8;

// A range of types, and the greatest code that they have.
struct Types {
  uint8_t first, last, code_max;
};
constexpr uint8_t kAnyCode = 255;
constexpr Types kIcmpv4[] = {{0, 0, 0},   {3, 3, 15},       {4, 4, 0},          {5, 5, 3},
                             {8, 8, 0},   {9, 9, kAnyCode}, {10, 10, kAnyCode}, {11, 11, 1},
                             {12, 12, 2}, {13, 18, 0}};
constexpr Types kIcmpv6[] = {{1, 1, 6},     {2, 2, 0},     {3, 3, 1},
                             {4, 4, 2},     {128, 137, 0}, {138, 138, kAnyCode},
                             {139, 140, 2}, {141, 149, 0}, {150, 159, kAnyCode}};

const Types* find(std::span<const Types> types, uint8_t type) {
  const auto found = std::ranges::find_if(
      types, [&](const Types& t) { return t.first <= type && type <= t.last; });
  return found == types.end() ? nullptr : &*found;
}

bool quotes_a_packet(uint8_t type, bool v4) {
  if (!v4) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

void add_quote_events(Bytes quote, bool v4, DecodeEvents& events) {
  if (quote.empty()) return;
  if (quote.size() < (v4 ? 20u : 40u))
    add(events, v4 ? E::kIcmpv4QuoteTruncated : E::kIcmpv6QuoteTruncated);
  else if (quote[0] >> 4 != (v4 ? 4 : 6))
    add(events, v4 ? E::kIcmpv4QuoteVersion : E::kIcmpv6QuoteVersion);
}

// RFC 4443, 2.1.
DecodeEvent unknown_icmpv6_type(uint8_t type) {
  if (type == 100 || type == 101 || type == 200 || type == 201) return E::kIcmpv6Experimental;
  const bool unassigned = (type > 4 && type < 127) || (type > 159 && type < 200);
  return unassigned ? E::kIcmpv6Unassigned : E::kIcmpv6UnknownType;
}

void add_listener_events(uint8_t type, const PacketView& view, DecodeEvents& events) {
  constexpr size_t kHopLimit = 7;
  const bool multicast_listener = (type >= 130 && type <= 132) || type == 143;
  if (multicast_listener && view.ip[kHopLimit] != 1) add(events, E::kIcmpv6ListenerHopLimit);
}

// --- GRE ---

void add_gre_version0_events(Bytes gre, DecodeEvents& events) {
  if ((gre[0] & 0x07) != 0) add(events, E::kGre0Recursion);
  if ((gre[1] & 0xf8) != 0) add(events, E::kGre0Flags);
  size_t header = 4;
  if ((gre[0] & 0xc0) != 0) header += 4;  // a checksum, or routes: both have the same four bytes
  for (const uint8_t field : {0x20, 0x10}) header += (gre[0] & field) != 0 ? 4 : 0;
  if (header > gre.size()) add(events, E::kGre0HeaderTooBig);
}

void add_gre_version1_events(Bytes gre, DecodeEvents& events) {
  constexpr uint16_t kPpp = 0x880b;
  if ((gre[0] & 0x80) != 0) add(events, E::kGre1Checksum);
  if ((gre[0] & 0x40) != 0) add(events, E::kGre1Routing);
  if ((gre[0] & 0x08) != 0) add(events, E::kGre1StrictRoute);
  if ((gre[0] & 0x07) != 0) add(events, E::kGre1Recursion);
  if ((gre[1] & 0x78) != 0) add(events, E::kGre1Flags);
  if (tunnels::load_be16(&gre[2]) != kPpp) add(events, E::kGre1Protocol);
  if ((gre[0] & 0x20) == 0) add(events, E::kGre1NoKey);
  const size_t header = 8u + ((gre[0] & 0x10) != 0 ? 4 : 0) + ((gre[1] & 0x80) != 0 ? 4 : 0);
  if (header > gre.size()) add(events, E::kGre1HeaderTooBig);
}

}  // namespace

void add_icmp_events(Bytes icmp, const PacketView& view, DecodeEvents& events) {
  const bool v4 = view.packet.tuple.version == 4;
  if (icmp.size() < kIcmpHeaderLength)
    return add(events, v4 ? E::kIcmpv4TooSmall : E::kIcmpv6TooSmall);
  const uint8_t type = icmp[0];
  const Types* const known =
      find(v4 ? std::span<const Types>(kIcmpv4) : std::span<const Types>(kIcmpv6), type);
  if (known == nullptr) return add(events, v4 ? E::kIcmpv4UnknownType : unknown_icmpv6_type(type));
  if (icmp[1] > known->code_max)
    return add(events, v4 ? E::kIcmpv4UnknownCode : E::kIcmpv6UnknownCode);
  if (quotes_a_packet(type, v4)) add_quote_events(icmp.subspan(kIcmpHeaderLength), v4, events);
  if (!v4) add_listener_events(type, view, events);
}

void add_gre_events(Bytes gre, DecodeEvents& events) {
  if (gre.size() < 4) return add(events, E::kGreTooSmall);
  const uint8_t version = gre[1] & 0x07;
  if (version == 0)
    add_gre_version0_events(gre, events);
  else if (version == 1)
    add_gre_version1_events(gre, events);
  else
    add(events, E::kGreVersion);
}

}  // namespace sluice::inspect
