// SPDX-License-Identifier: Apache-2.0
// Builds IP packets for tests: valid headers and checksums around whatever the test is about.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/checksum.h"
#include "tunnels/packet.h"

namespace sluice::inspect::testing {

using Bytes = std::vector<uint8_t>;

struct Ends {
  std::string source = "10.0.0.1";
  std::string destination = "10.0.0.2";
  uint16_t source_port = 40000;
  uint16_t destination_port = 80;

  Ends turned() const { return {destination, source, destination_port, source_port}; }
};

inline Bytes address_bytes(const std::string& text) {
  Bytes out(text.find(':') == std::string::npos ? 4 : 16);
  inet_pton(out.size() == 4 ? AF_INET : AF_INET6, text.c_str(), out.data());
  return out;
}

// One's complement sum over the pseudo header of the IP packet and its transport part.
inline uint16_t transport_checksum(const Bytes& ip, size_t offset, uint8_t protocol) {
  uint64_t sum =
      ip[0] >> 4 == 4 ? tunnels::checksum_add(0, &ip[12], 8) : tunnels::checksum_add(0, &ip[8], 32);
  uint8_t tail[4] = {0, protocol};
  tunnels::store_be16(tail + 2, static_cast<uint16_t>(ip.size() - offset));
  sum = tunnels::checksum_add(sum, tail, 4);
  sum = tunnels::checksum_add(sum, &ip[offset], static_cast<uint32_t>(ip.size() - offset));
  return tunnels::checksum_fold(sum);
}

inline Bytes ip_packet(const Ends& ends, uint8_t protocol, const Bytes& payload) {
  const Bytes source = address_bytes(ends.source);
  const Bytes destination = address_bytes(ends.destination);
  Bytes ip;
  if (source.size() == 4) {
    ip = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0};
    tunnels::store_be16(&ip[2], static_cast<uint16_t>(20 + payload.size()));
  } else {
    ip = {0x60, 0, 0, 0, 0, 0, protocol, 64};
    tunnels::store_be16(&ip[4], static_cast<uint16_t>(payload.size()));
  }
  ip.insert(ip.end(), source.begin(), source.end());
  ip.insert(ip.end(), destination.begin(), destination.end());
  if (source.size() == 4)
    tunnels::store_u16(&ip[10], tunnels::checksum_fold(tunnels::checksum_add(0, ip.data(), 20)));
  ip.insert(ip.end(), payload.begin(), payload.end());
  return ip;
}

inline Bytes udp(const Ends& ends, std::string_view payload) {
  Bytes part(8);
  tunnels::store_be16(&part[0], ends.source_port);
  tunnels::store_be16(&part[2], ends.destination_port);
  tunnels::store_be16(&part[4], static_cast<uint16_t>(8 + payload.size()));
  part.insert(part.end(), payload.begin(), payload.end());
  Bytes ip = ip_packet(ends, 17, part);
  const size_t offset = ip.size() - part.size();
  tunnels::store_u16(&ip[offset + 6], transport_checksum(ip, offset, 17));
  return ip;
}

// `options`: of the header, a multiple of four bytes.
inline Bytes tcp(const Ends& ends, uint8_t flags, uint32_t sequence, uint32_t acknowledgement,
                 std::string_view payload = {}, uint16_t window = 65000,
                 const Bytes& options = {}) {
  Bytes part(20);
  tunnels::store_be16(&part[0], ends.source_port);
  tunnels::store_be16(&part[2], ends.destination_port);
  tunnels::store_be32(&part[4], sequence);
  tunnels::store_be32(&part[8], acknowledgement);
  part[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  part[13] = flags;
  tunnels::store_be16(&part[14], window);
  part.insert(part.end(), options.begin(), options.end());
  part.insert(part.end(), payload.begin(), payload.end());
  Bytes ip = ip_packet(ends, 6, part);
  const size_t offset = ip.size() - part.size();
  tunnels::store_u16(&ip[offset + 16], transport_checksum(ip, offset, 6));
  return ip;
}

inline Bytes icmp(const Ends& ends, uint8_t type, uint8_t code, std::string_view rest) {
  Bytes part = {type, code, 0, 0};
  part.insert(part.end(), rest.begin(), rest.end());
  const bool v4 = ends.source.find(':') == std::string::npos;
  Bytes ip = ip_packet(ends, v4 ? 1 : 58, part);
  const size_t offset = ip.size() - part.size();
  const uint16_t sum = v4 ? tunnels::checksum_fold(tunnels::checksum_add(
                                0, &ip[offset], static_cast<uint32_t>(part.size())))
                          : transport_checksum(ip, offset, 58);
  tunnels::store_u16(&ip[offset + 2], sum);
  return ip;
}

// One fragment of a packet without options: `length` payload bytes from `offset` on, or what is
// left; more follow unless it reaches the end.
inline Bytes fragment(const Bytes& whole, size_t offset, size_t length, uint16_t id) {
  const bool v4 = whole[0] >> 4 == 4;
  const size_t header = v4 ? 20 : 40;
  const size_t size = std::min(length, whole.size() - header - offset);
  const bool more = header + offset + size < whole.size();
  Bytes out(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(header));
  if (v4) {
    tunnels::store_be16(&out[2], static_cast<uint16_t>(header + size));
    tunnels::store_be16(&out[4], id);
    tunnels::store_be16(&out[6], static_cast<uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
    tunnels::store_u16(&out[10], 0);
    tunnels::store_u16(&out[10], tunnels::checksum_fold(tunnels::checksum_add(0, out.data(), 20)));
  } else {
    tunnels::store_be16(&out[4], static_cast<uint16_t>(8 + size));
    out.resize(48);
    out[40] = out[6];
    out[6] = 44;
    tunnels::store_be16(&out[42], static_cast<uint16_t>(offset | (more ? 1 : 0)));
    tunnels::store_be32(&out[44], id);
  }
  const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(header + offset);
  out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
  return out;
}

inline tunnels::packet parsed(const Bytes& ip) {
  tunnels::packet out;
  (void)tunnels::parse_ip_packet(ip, out);
  return out;
}

}  // namespace sluice::inspect::testing
