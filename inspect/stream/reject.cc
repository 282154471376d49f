// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/reject.h"

#include <algorithm>
#include <cstring>

#include "inspect/stream/segment_checksum.h"
#include "tunnels/checksum.h"

namespace sluice::inspect {

namespace {

using namespace tunnels;

constexpr size_t kQuoteLengthMax = 128;
constexpr uint8_t kHopLimit = 64;

struct Addresses {
  const uint8_t* source;
  const uint8_t* destination;
  size_t length;
};

Addresses addresses_of(std::span<const uint8_t> ip) {
  if (ip[0] >> 4 == 4) return {&ip[12], &ip[16], 4};
  return {&ip[8], &ip[24], 16};
}

bool is_one_host(const uint8_t* address, size_t length) {
  if (length == 16)
    return address[0] != 0xff &&
           std::any_of(address, address + 16, [](uint8_t b) { return b != 0; });
  return address[0] != 0 && address[0] < 224;  // not 0/8, multicast, class E or broadcast
}

bool is_answerable(std::span<const uint8_t> ip, const packet& p) {
  if (p.flags & (kPacketFragment | kPacketIcmpError | kPacketNeighbourDiscovery)) return false;
  const Addresses a = addresses_of(ip);
  return is_one_host(a.source, a.length) && is_one_host(a.destination, a.length);
}

// An IP header from `source` to `destination` around what follows it in `out`. Returns the header's
// length.
size_t write_ip(std::span<uint8_t> out, const uint8_t* source, const uint8_t* destination,
                size_t address_length, uint8_t protocol, size_t payload_length) {
  if (address_length == 4) {
    const uint8_t start[12] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, kHopLimit, protocol, 0, 0};
    std::memcpy(out.data(), start, sizeof(start));
    store_be16(&out[2], static_cast<uint16_t>(20 + payload_length));
    std::memcpy(&out[12], source, 4);
    std::memcpy(&out[16], destination, 4);
    store_u16(&out[10], checksum_fold(checksum_add(0, out.data(), 20)));
    return 20;
  }
  const uint8_t start[8] = {0x60, 0, 0, 0, 0, 0, protocol, kHopLimit};
  std::memcpy(out.data(), start, sizeof(start));
  store_be16(&out[4], static_cast<uint16_t>(payload_length));
  std::memcpy(&out[8], source, 16);
  std::memcpy(&out[24], destination, 16);
  return 40;
}

struct Reset {
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  uint8_t flags = kTcpRst;
};

size_t write_reset(std::span<uint8_t> out, std::span<const uint8_t> ip, const packet& p,
                   bool to_sender, const Reset& reset) {
  const Addresses a = addresses_of(ip);
  const size_t header = to_sender
                            ? write_ip(out, a.destination, a.source, a.length, kProtocolTcp, 20)
                            : write_ip(out, a.source, a.destination, a.length, kProtocolTcp, 20);
  uint8_t* tcp = &out[header];
  std::memset(tcp, 0, 20);
  store_u16(tcp, to_sender ? p.tuple.destination_port : p.tuple.source_port);
  store_u16(tcp + 2, to_sender ? p.tuple.source_port : p.tuple.destination_port);
  store_be32(tcp + 4, reset.sequence);
  store_be32(tcp + 8, reset.acknowledgement);
  tcp[12] = 5 << 4;
  tcp[13] = reset.flags;
  store_u16(tcp + 16, transport_checksum(out.first(header + 20), header, kProtocolTcp));
  return header + 20;
}

// What the segment takes of the sequence space: its data, SYN and FIN.
uint32_t segment_length(std::span<const uint8_t> ip, const packet& p) {
  const uint32_t data_at = p.l4_offset + (ip[p.l4_offset + 12] >> 4) * 4u;
  const uint32_t data = data_at < p.l3_length ? p.l3_length - data_at : 0;
  return data + (p.tcp_flags & kTcpSyn ? 1 : 0) + (p.tcp_flags & kTcpFin ? 1 : 0);
}

bool is_tcp_segment(const packet& p) {
  return p.tuple.protocol == kProtocolTcp && (p.flags & kPacketHasPorts);
}

size_t write_icmp_error(std::span<uint8_t> out, std::span<const uint8_t> ip, const packet& p) {
  const Addresses a = addresses_of(ip);
  const bool v4 = a.length == 4;
  const size_t quote = std::min<size_t>(p.l3_length, kQuoteLengthMax);
  const uint8_t protocol = v4 ? kProtocolIcmp : kProtocolIcmpv6;
  const size_t header = write_ip(out, a.destination, a.source, a.length, protocol, 8 + quote);
  uint8_t* icmp = &out[header];
  std::memset(icmp, 0, 8);
  icmp[0] = v4 ? 3 : 1;   // destination unreachable
  icmp[1] = v4 ? 13 : 1;  // communication administratively prohibited
  std::memcpy(icmp + 8, ip.data(), quote);
  const size_t length = header + 8 + quote;
  store_u16(icmp + 2, v4 ? checksum_fold(checksum_add(0, icmp, static_cast<uint32_t>(8 + quote)))
                         : transport_checksum(out.first(length), header, protocol));
  return length;
}

}  // namespace

size_t reject_to_sender(std::span<const uint8_t> ip, const packet& p,
                        std::span<uint8_t, kRejectLengthMax> out) {
  if (!is_answerable(ip, p)) return 0;
  if (!is_tcp_segment(p)) return write_icmp_error(out, ip, p);
  if (p.tcp_flags & kTcpRst) return 0;
  const uint8_t* tcp = &ip[p.l4_offset];
  Reset reset;
  if (p.tcp_flags & kTcpAck) {
    reset.sequence = load_be32(tcp + 8);
  } else {
    reset.flags |= kTcpAck;
    reset.acknowledgement = load_be32(tcp + 4) + segment_length(ip, p);
  }
  return write_reset(out, ip, p, true, reset);
}

size_t reject_to_receiver(std::span<const uint8_t> ip, const packet& p,
                          std::span<uint8_t, kRejectLengthMax> out) {
  // The receiver of a connection's first SYN knows of no connection yet.
  const bool opens = (p.tcp_flags & kTcpSyn) && !(p.tcp_flags & kTcpAck);
  if (!is_answerable(ip, p) || !is_tcp_segment(p) || (p.tcp_flags & kTcpRst) || opens) return 0;
  const uint8_t* tcp = &ip[p.l4_offset];
  Reset reset{load_be32(tcp + 4), load_be32(tcp + 8),
              static_cast<uint8_t>(kTcpRst | (p.tcp_flags & kTcpAck))};
  return write_reset(out, ip, p, false, reset);
}

}  // namespace sluice::inspect
