// SPDX-License-Identifier: Apache-2.0
// For path_fuzz.cc: datagrams and packets as the fuzzer reads and compares them.
#pragma once

#include <array>
#include <cstring>
#include <optional>

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/fragment.h"
#include "gateway/datapath/path_fuzz_world.h"
#include "gateway/nlb/translate.h"
#include "tunnels/checksum.h"

namespace sluice::gateway::fuzz {

enum Way { kToTarget, kFromTarget };

// A datagram between the gateway and one of the appliances.
struct Datagram {
  uint32_t target = kNone16;
  geneve header{};
  uint32_t network = 0;  // as geneve_hear
  flow_query query{};    // of the packet inside
  bool is_named = true;  // false: a fragment, and nobody knows the ports of its packet
  Bytes bytes;           // the packet inside
};

// Whether the outer end that is not the gateway is a target's address.
inline bool is_at(const Bytes& frame, const target& t, Way way) {
  const bool six = load_be16(&frame[12]) == kEtherTypeIpv6;
  if (six != (t.version == 6)) return false;
  const size_t words = six ? 4 : 1;
  const size_t first = 14 + (six ? 8 : 12) + (way == kToTarget ? words * 4 : 0);
  for (size_t i = 0; i < words; i++)
    if (t.address[i] != load_u32(&frame[first + i * 4])) return false;
  return true;
}

// Of a fragment the ports, if the trail of its packet has them.
inline bool read_ports(const Tables& tables, const Bytes& frame, uint64_t endpoint_id, packet& p) {
  FrameBuffer buffer;
  buffer.assign(frame);
  fragment piece{};
  if (fragment_read(buffer.raw(), &p, &piece) != kDropNone) return false;
  fragment_name(&tables, &p.tuple, endpoint_id, &piece);
  return (p.flags & kPacketFirstFragment) || fragment_recall(&tables, &p, &piece);
}

inline std::optional<Datagram> read_datagram(const Tables& tables, const Bytes& frame, Way way) {
  if (frame.size() < 62) return {};
  Datagram d;
  for (uint32_t i = 0; i < fixture::kAppliances; i++)
    if (is_at(frame, tables.targets[i], way)) d.target = i;
  if (d.target == kNone16) return {};
  const bool six = load_be16(&frame[12]) == kEtherTypeIpv6;
  const size_t start = (six ? 54u : 14u + (frame[14] & 15) * 4u) + 8;
  const uint8_t* end = frame.data() + frame.size();
  const geneve_profile& profile = kGeneveProfiles[tables.targets[d.target].profile];
  if (start >= frame.size() || geneve_decode(&frame[start], end, &profile, &d.header) != kDropNone)
    return {};
  d.network = geneve_hear(&profile, &d.header);
  packet p{};
  p.l3_offset = static_cast<uint32_t>(start + d.header.header_length);
  if (parse_ip(frame.data(), end, d.header.protocol == kEtherTypeIpv4 ? 4 : 6, &p) != kDropNone)
    return {};
  require(p.l3_offset + p.l3_length <= frame.size());
  d.bytes.assign(&frame[p.l3_offset], &frame[p.l3_offset] + p.l3_length);
  if (p.flags & kPacketFragment) d.is_named = read_ports(tables, frame, d.header.endpoint_id, p);
  flow_query_from_tuple(&d.query, tables.settings, &p.tuple, kNone16, d.header.endpoint_id);
  return d;
}

// The IP packet of a frame from outside or inside.
inline std::optional<Bytes> packet_of(const Bytes& frame) {
  packet p{};
  const uint8_t* end = frame.data() + frame.size();
  const uint16_t ether_type = parse_ethernet(frame.data(), end, &p);
  if (ether_type != kEtherTypeIpv4 && ether_type != kEtherTypeIpv6) return {};
  if (parse_ip(frame.data(), end, ether_type == kEtherTypeIpv4 ? 4 : 6, &p) != kDropNone) return {};
  return Bytes(&frame[p.l3_offset], &frame[p.l3_offset] + p.l3_length);
}

// What the checksums of a packet are about, them included: mending them keeps both sums.
struct Sums {
  uint64_t header, transport;
  bool operator==(const Sums&) const = default;
};
inline Sums sums_of(const Bytes& bytes, const packet& p) {
  Sums out{0, 0};
  if (p.tuple.version == 4)
    out.header = checksum_add(0, bytes.data(), (bytes[0] & 15) * 4u) % 0xffff;
  if (!(p.flags & kPacketHasPorts)) return out;
  const uint64_t addresses =
      p.tuple.version == 4 ? checksum_add(0, &bytes[12], 8) : checksum_add(0, &bytes[8], 32);
  out.transport = checksum_add(addresses, &bytes[p.l4_offset],
                               static_cast<uint32_t>(bytes.size()) - p.l4_offset) %
                  0xffff;
  return out;
}

// The same of an ICMP error: the packet that it quotes has another one at its other end, and so has
// the error at this end, if that was the same address. A router may speak to a client, but nobody
// to another than the quoted packet's source.
inline bool is_translated_error(Bytes before, Bytes after, const packet& p, NlbEnd end,
                                const uint32_t address[4], uint16_t port) {
  const bool four = p.tuple.version == 4, udp = p.tuple.protocol == kProtocolUdp;
  const size_t bytes = four ? 4 : 16, addresses = four ? 12 : 8;
  const size_t quote = p.l4_offset + 8, transport = quote + (four ? 20 : 40);
  const size_t checksum = transport + (udp ? 6 : 16);
  const size_t own = addresses + (end == kNlbSource ? 0 : bytes);
  const size_t quoted = quote + addresses + (end == kNlbSource ? bytes : 0);
  const size_t port_place = transport + (end == kNlbSource ? 2 : 0);
  const bool has_checksum =
      checksum + 2 <= before.size() && !(udp && load_u16(&before[checksum]) == 0);
  const auto sums = [&](const Bytes& of) {
    const uint64_t outer = checksum_add(0, &of[addresses], static_cast<uint32_t>(2 * bytes));
    const uint64_t message =
        checksum_add(0, &of[p.l4_offset], static_cast<uint32_t>(of.size()) - p.l4_offset);
    uint64_t inner = checksum_add(0, &of[quote + addresses], static_cast<uint32_t>(2 * bytes));
    inner += load_u16(&of[transport]) + uint64_t{load_u16(&of[transport + 2])};
    if (has_checksum) inner += load_u16(&of[checksum]);
    return std::array<uint64_t, 4>{
        four ? checksum_add(0, of.data(), (of[0] & 15) * 4u) % 0xffff : 0,
        (four ? message : message + outer) % 0xffff,
        four ? checksum_add(0, &of[quote], 20) % 0xffff : 0, has_checksum ? inner % 0xffff : 0};
  };
  if (sums(before) != sums(after)) return false;
  if (std::equal(&before[own], &before[own] + bytes, &before[quoted]))
    std::memcpy(&before[own], address, bytes);
  else if (end == kNlbDestination)
    return false;
  std::memcpy(&before[quoted], address, bytes);
  store_u16(&before[port_place], port != 0 ? port : load_u16(&before[port_place]));
  for (Bytes* of : {&before, &after}) {
    if (four) store_u16(&(*of)[10], 0);
    if (four) store_u16(&(*of)[quote + 10], 0);
    store_u16(&(*of)[p.l4_offset + 2], 0);
    if (has_checksum) store_u16(&(*of)[checksum], 0);
  }
  return before == after;
}

// Whether two packets are the same, but that one end of the second has another address and port
// (which none of its fragments but the first has), and checksums that fit.
inline bool is_translated(Bytes before, Bytes after, NlbEnd end, const uint32_t address[4],
                          uint16_t port) {
  packet p{};
  if (tunnels::parse_ip_packet(before, p) != kDropNone || before.size() != after.size())
    return false;
  if (p.flags & kPacketIcmpError) return is_translated_error(before, after, p, end, address, port);
  if (p.flags & kPacketFragment) {
    FrameBuffer buffer;
    buffer.assign(before);
    fragment piece{};
    if (fragment_read(buffer.raw(), &p, &piece) != kDropNone) return false;
  }
  const bool udp = p.tuple.protocol == kProtocolUdp;
  const bool ports = p.flags & kPacketHasPorts;
  const size_t checksum = p.l4_offset + (udp ? 6 : 16);
  const bool four = p.tuple.version == 4;
  const size_t place = (four ? 12 : 8) + (end == kNlbSource ? 0u : four ? 4u : 16u);
  const size_t port_place = p.l4_offset + (end == kNlbSource ? 0 : 2);
  if (ports && udp && load_u16(&before[checksum]) == 0) {
    if (load_u16(&after[checksum]) != 0) return false;
  } else if (sums_of(before, p) != sums_of(after, p)) {
    return false;
  }
  for (size_t i = 0; i < (four ? 1 : 4); i++) {
    if (load_u32(&after[place + i * 4]) != address[i]) return false;
    store_u32(&before[place + i * 4], address[i]);
  }
  if (ports) {
    if (port == 0) port = load_u16(&before[port_place]);
    if (load_u16(&after[port_place]) != port) return false;
    store_u16(&before[port_place], port);
  }
  for (Bytes* bytes : {&before, &after}) {
    if (four) store_u16(&(*bytes)[10], 0);
    if (ports) store_u16(&(*bytes)[checksum], 0);
  }
  return before == after;
}

}  // namespace sluice::gateway::fuzz
