// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/header_events.h"

#include <algorithm>

#include "inspect/stream/tcp_options.h"
#include "tunnels/packet.h"

namespace sluice::inspect {
namespace {

using E = DecodeEvent;
using Bytes = std::span<const uint8_t>;

constexpr size_t kIpv4HeaderLength = 20;
constexpr size_t kIpv6HeaderLength = 40;
constexpr size_t kSctpHeaderLength = 12;
constexpr size_t kEspHeaderLength = 8;
constexpr uint8_t kIpInIp = 4;
constexpr uint8_t kIpv6 = 41;
constexpr uint8_t kGre = 47;
constexpr uint8_t kEsp = 50;
constexpr uint8_t kNothing = 59;
constexpr uint8_t kSctp = 132;

void add_inner_events(Bytes inner, uint8_t version, DecodeEvents& events) {
  const bool v4 = version == 4;
  if (inner.size() < (v4 ? kIpv4HeaderLength : kIpv6HeaderLength))
    add(events, v4 ? E::kIpv4InIpv6TooSmall : E::kIpv6InIpv6TooSmall);
  else if (inner[0] >> 4 != version)
    add(events, v4 ? E::kIpv4InIpv6Version : E::kIpv6InIpv6Version);
}

// Of what an IPv6 header and its extensions lead to.
void add_next_header_events(uint8_t next, Bytes rest, DecodeEvents& events) {
  constexpr uint8_t kKnown[] = {tunnels::kProtocolTcp,
                                tunnels::kProtocolUdp,
                                tunnels::kProtocolIcmpv6,
                                tunnels::kProtocolIcmp,
                                kIpInIp,
                                kIpv6,
                                kGre,
                                kEsp,
                                kNothing,
                                kSctp};
  if (std::ranges::find(kKnown, next) == std::end(kKnown)) add(events, E::kIpv6UnknownNextHeader);
  if (next == tunnels::kProtocolIcmp) add(events, E::kIpv6WithIcmpv4);
  if (next == kNothing && !rest.empty()) add(events, E::kIpv6DataAfterNone);
  if (next == kIpInIp) add_inner_events(rest, 4, events);
  if (next == kIpv6) add_inner_events(rest, 6, events);
}

void add_tcp_events(Bytes header, DecodeEvents& events) {
  const TcpOptions options = read_tcp_options(header);
  if (options.bad_length) add(events, E::kTcpOptionLength);
  if (options.twice) add(events, E::kTcpOptionTwice);
}

void add_transport_events(Bytes transport, const PacketView& view, DecodeEvents& events) {
  const uint8_t protocol = view.packet.tuple.protocol;
  if (view.is_tcp())
    add_tcp_events(transport.first(transport.size() - view.payload.size()), events);
  if (view.is_icmp()) add_icmp_events(transport, view, events);
  if (protocol == kGre) add_gre_events(transport, events);
  if (protocol == kSctp && transport.size() < kSctpHeaderLength) add(events, E::kSctpTooSmall);
  if (protocol == kEsp && transport.size() < kEspHeaderLength) add(events, E::kEspTooSmall);
}

}  // namespace

DecodeEvents header_events_of(const PacketView& view) {
  DecodeEvents events;
  const size_t offset = view.packet.l4_offset;
  const Bytes transport = view.ip.subspan(offset);
  const uint8_t protocol = view.packet.tuple.protocol;
  const bool fragment = view.packet.flags & tunnels::kPacketFragment;
  if (view.packet.tuple.version == 4) {
    add_ipv4_option_events(view.ip.subspan(kIpv4HeaderLength, offset - kIpv4HeaderLength), events);
    if (protocol == tunnels::kProtocolIcmpv6) add(events, E::kIpv4WithIcmpv6);
  } else {
    add_extension_events(view.ip.first(offset), events);
    if (!fragment) add_next_header_events(protocol, transport, events);
  }
  if (!fragment) add_transport_events(transport, view, events);
  return events;
}

}  // namespace sluice::inspect
