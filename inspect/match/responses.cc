// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/responses.h"

#include <algorithm>

#include "tunnels/bytes.h"
#include "tunnels/checksum.h"
#include "tunnels/result.h"

namespace sluice::inspect {
namespace {

using tunnels::tuple;
using tunnels::Writer;

constexpr uint8_t kHopLimit = 64;
constexpr size_t kTcpHeaderLength = 20;

void write_address(Writer& out, const uint32_t (&address)[4], uint8_t version) {
  out.bytes({reinterpret_cast<const uint8_t*>(address), version == 4 ? size_t{4} : size_t{16}});
}

// An IP header; the IPv4 checksum is filled in by finish().
void write_ip_header(Writer& out, const uint32_t (&source)[4], const uint32_t (&destination)[4],
                     uint8_t version, uint8_t protocol, size_t length) {
  if (version == 4) {
    out.be16(0x4500);
    out.be16(static_cast<uint16_t>(20 + length));
    out.be32(0x00004000);  // no identification needed: DF
    out.u8(kHopLimit);
    out.u8(protocol);
    out.be16(0);
  } else {
    out.be32(0x60000000);
    out.be16(static_cast<uint16_t>(length));
    out.u8(protocol);
    out.u8(kHopLimit);
  }
  write_address(out, source, version);
  write_address(out, destination, version);
}

uint64_t pseudo_header(std::span<const uint8_t> ip, uint8_t protocol, size_t length) {
  const bool v4 = ip[0] >> 4 == 4;
  uint64_t sum = tunnels::checksum_add(0, &ip[v4 ? 12 : 8], v4 ? 8 : 32);
  uint8_t rest[4] = {0, protocol, 0, 0};
  tunnels::store_be16(rest + 2, static_cast<uint16_t>(length));
  return tunnels::checksum_add(sum, rest, 4);
}

// Fills in both checksums of a packet whose transport part begins at `offset`.
void finish(std::span<uint8_t> ip, size_t offset, size_t checksum_at, uint8_t protocol) {
  const auto length = static_cast<uint32_t>(ip.size() - offset);
  uint64_t sum = protocol == tunnels::kProtocolIcmp ? 0 : pseudo_header(ip, protocol, length);
  sum = tunnels::checksum_add(sum, &ip[offset], length);
  tunnels::store_u16(&ip[offset + checksum_at], tunnels::checksum_fold(sum));
  if (ip[0] >> 4 == 4)
    tunnels::store_u16(&ip[10], tunnels::checksum_fold(tunnels::checksum_add(0, ip.data(), 20)));
}

// Multicast, broadcast or unspecified.
bool is_no_single_host(const uint32_t (&address)[4], uint8_t version) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(address);
  if (version == 4) return bytes[0] >= 224 || bytes[0] == 0;
  return bytes[0] == 0xff || (address[0] | address[1] | address[2] | address[3]) == 0;
}

}  // namespace

void Responses::reject(const PacketView& view) {
  const tuple& t = view.packet.tuple;
  if ((view.packet.flags & tunnels::kPacketFragment) || view.quoted) return;
  if (is_no_single_host(t.source, t.version) || is_no_single_host(t.destination, t.version)) return;
  if (!view.is_tcp()) {
    add_unreachable(view);
  } else if (!(view.packet.tcp_flags & tunnels::kTcpRst)) {
    add_reset(view, true);
    add_reset(view, false);
  }
}

// To the sender: what its own peer would say, at the sequence number that it expects. To the
// receiver: in the place of the rejected segment, which it still waits for.
void Responses::add_reset(const PacketView& view, bool to_sender) {
  const tuple& t = view.packet.tuple;
  const uint8_t flags = view.packet.tcp_flags;
  const bool has_ack = flags & tunnels::kTcpAck;
  const uint32_t after = view.sequence + static_cast<uint32_t>(view.payload.size()) +
                         ((flags & tunnels::kTcpSyn) ? 1 : 0) +
                         ((flags & tunnels::kTcpFin) ? 1 : 0);
  Writer out(packets_[count_]);
  if (to_sender) {
    write_ip_header(out, t.destination, t.source, t.version, tunnels::kProtocolTcp,
                    kTcpHeaderLength);
  } else {
    write_ip_header(out, t.source, t.destination, t.version, tunnels::kProtocolTcp,
                    kTcpHeaderLength);
  }
  const size_t offset = out.written();
  out.be16(to_sender ? view.destination_port : view.source_port);
  out.be16(to_sender ? view.source_port : view.destination_port);
  out.be32(to_sender ? (has_ack ? view.acknowledgement : 0) : view.sequence);
  out.be32(to_sender ? after : has_ack ? view.acknowledgement : 0);
  out.u8(kTcpHeaderLength / 4 << 4);
  out.u8(static_cast<uint8_t>(tunnels::kTcpRst | (to_sender || has_ack ? tunnels::kTcpAck : 0)));
  out.zeros(6);  // window, checksum, urgent pointer
  SLUICE_CHECK(out.ok());
  finish(std::span(packets_[count_]).first(out.written()), offset, 16, tunnels::kProtocolTcp);
  lengths_[count_++] = out.written();
}

void Responses::add_unreachable(const PacketView& view) {
  const tuple& t = view.packet.tuple;
  const bool v4 = t.version == 4;
  const auto quote = view.ip.first(std::min(view.ip.size(), kQuoteMax));
  const uint8_t protocol = v4 ? tunnels::kProtocolIcmp : tunnels::kProtocolIcmpv6;
  Writer out(packets_[count_]);
  write_ip_header(out, t.destination, t.source, t.version, protocol, 8 + quote.size());
  const size_t offset = out.written();
  out.u8(v4 ? 3 : 1);  // destination unreachable
  out.u8(v4 ? 3 : 4);  // port
  out.zeros(6);
  out.bytes(quote);
  SLUICE_CHECK(out.ok());
  finish(std::span(packets_[count_]).first(out.written()), offset, 2, protocol);
  lengths_[count_++] = out.written();
}

}  // namespace sluice::inspect
