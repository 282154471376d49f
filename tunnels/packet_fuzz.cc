// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame and as a bare IP packet: every offset that the parser gives stays inside the
// packet, and a flow has one key whichever way its packet is turned.
#include <algorithm>
#include <cstring>

#include "tunnels/flow_key.h"
#include "tunnels/result.h"

using namespace sluice::tunnels;

namespace {

void check_packet(const packet& p, size_t frame_length) {
  const size_t packet_end = size_t{p.l3_offset} + p.l3_length;
  SLUICE_CHECK(packet_end <= frame_length);
  SLUICE_CHECK(p.l4_offset >= p.l3_offset + 20);
  SLUICE_CHECK(p.l4_offset <= packet_end);
  SLUICE_CHECK(p.l4_offset <= kHeaderOffsetMax);
  SLUICE_CHECK(p.tuple.zero == 0);
  if (p.flags & kPacketHasPorts) SLUICE_CHECK(p.l4_offset + 8 <= packet_end);
  if (p.flags & kPacketFragment)
    SLUICE_CHECK((p.flags & (kPacketHasPorts | kPacketIcmpError)) == 0);
  if (!(p.flags & (kPacketHasPorts | kPacketIcmpError)))
    SLUICE_CHECK(p.tuple.source_port == 0 && p.tuple.destination_port == 0);
  if (p.tuple.version == 4)
    SLUICE_CHECK(
        std::all_of(p.tuple.source + 1, p.tuple.source + 4, [](auto word) { return word == 0; }));
}

void check_key(const tuple& t) {
  tuple turned = t;
  std::swap(turned.source, turned.destination);
  std::swap(turned.source_port, turned.destination_port);
  flow_key a;
  flow_key b;
  const uint32_t there = flow_key_from_tuple(&a, &t);
  const uint32_t back = flow_key_from_tuple(&b, &turned);
  SLUICE_CHECK(std::memcmp(&a, &b, sizeof(a)) == 0);
  const bool to_itself = std::memcmp(&t, &turned, sizeof(t)) == 0;
  SLUICE_CHECK(to_itself ? there == back : there != back);
}

// The rest of a fragment stays inside, too, and a second look sees the same.
void check_fragment(const uint8_t* data, size_t size, packet p) {
  if (!(p.flags & kPacketFragment)) return;
  uint32_t payload = 0;
  if (parse_fragment(data, data + size, &p, &payload) != kDropNone) return;
  const size_t packet_end = size_t{p.l3_offset} + p.l3_length;
  SLUICE_CHECK(payload >= p.l3_offset + 20 && payload <= p.l4_offset);
  SLUICE_CHECK(p.l4_offset <= packet_end && p.l4_offset <= kHeaderOffsetMax);
  packet again = p;
  uint32_t payload_again = 0;
  SLUICE_CHECK(parse_fragment(data, data + size, &again, &payload_again) == kDropNone);
  SLUICE_CHECK(payload == payload_again && std::memcmp(&p, &again, sizeof(p)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  packet p{};
  const uint16_t ether_type = parse_ethernet(data, data + size, &p);
  SLUICE_CHECK(ether_type == 0 || p.l3_offset <= size);
  if (ether_type == kEtherTypeIpv4 || ether_type == kEtherTypeIpv6) {
    const uint8_t version = ether_type == kEtherTypeIpv4 ? 4 : 6;
    if (parse_ip(data, data + size, version, &p) == kDropNone) {
      check_packet(p, size);
      check_key(p.tuple);
      check_fragment(data, size, p);
    }
  }
  if (parse_ip_packet({data, size}, p) == kDropNone) {
    check_packet(p, size);
    check_key(p.tuple);
    check_fragment(data, size, p);
  }
  return 0;
}
