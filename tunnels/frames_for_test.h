// SPDX-License-Identifier: Apache-2.0
// Makes frames for tests, one header per function, inside out:
//   ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(53, 4242)))
// Lengths are right unless a test changes them; checksums are zero, since no parser here reads
// them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "tunnels/packet.h"

namespace sluice::tunnels::frames {

using Bytes = std::vector<uint8_t>;

inline void append16(Bytes& out, uint16_t v) {
  out.push_back(static_cast<uint8_t>(v >> 8));
  out.push_back(static_cast<uint8_t>(v));
}

inline void append(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}

inline Bytes ethernet(uint16_t ether_type, std::initializer_list<uint16_t> vlan_types,
                      const Bytes& payload) {
  Bytes out = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  for (uint16_t vlan_type : vlan_types) {
    append16(out, vlan_type);
    append16(out, 0x0064);
  }
  append16(out, ether_type);
  append(out, payload);
  return out;
}

struct Ipv4 {
  Bytes source = {10, 0, 0, 1};
  Bytes destination = {10, 0, 0, 2};
  Bytes options = {};
  uint16_t fragment = 0;  // flags and offset, as on the wire
};

inline Bytes ipv4(uint8_t protocol, const Bytes& payload, const Ipv4& h = {}) {
  Bytes out = {static_cast<uint8_t>(0x45 + h.options.size() / 4), 0};
  append16(out, static_cast<uint16_t>(20 + h.options.size() + payload.size()));
  append16(out, 0x1234);
  append16(out, h.fragment);
  append(out, {64, protocol, 0, 0});
  append(out, h.source);
  append(out, h.destination);
  append(out, h.options);
  append(out, payload);
  return out;
}

struct Ipv6 {
  Bytes source = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Bytes destination = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  uint8_t hop_limit = 64;
};

inline Bytes ipv6(uint8_t next, const Bytes& payload, const Ipv6& h = {}) {
  Bytes out = {0x60, 0, 0, 0};
  append16(out, static_cast<uint16_t>(payload.size()));
  append(out, {next, h.hop_limit});
  append(out, h.source);
  append(out, h.destination);
  append(out, payload);
  return out;
}

// Hop-by-hop, routing, destination options, ...: `extra` units of 8 bytes after the first.
inline Bytes extension(uint8_t next, const Bytes& payload, uint8_t extra = 0) {
  Bytes out(8 + 8u * extra, 0);
  out[0] = next;
  out[1] = extra;
  append(out, payload);
  return out;
}

// RFC 4302: its length counts words of four bytes, minus two.
inline Bytes authentication(uint8_t next, const Bytes& payload) {
  Bytes out(24, 0);
  out[0] = next;
  out[1] = 4;
  append(out, payload);
  return out;
}

inline Bytes fragment6(uint8_t next, uint16_t offset_and_more, const Bytes& payload) {
  Bytes out = {next, 0};
  append16(out, offset_and_more);
  append(out, {1, 2, 3, 4});
  append(out, payload);
  return out;
}

inline Bytes tcp(uint16_t source, uint16_t destination, uint8_t flags = kTcpSyn,
                 const Bytes& payload = {}) {
  Bytes out;
  append16(out, source);
  append16(out, destination);
  append(out, {0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  append(out, payload);
  return out;
}

inline Bytes udp(uint16_t source, uint16_t destination, const Bytes& payload = {}) {
  Bytes out;
  append16(out, source);
  append16(out, destination);
  append16(out, static_cast<uint16_t>(8 + payload.size()));
  append16(out, 0);
  append(out, payload);
  return out;
}

// ICMP or ICMPv6: type, code and six more bytes of header.
inline Bytes icmp(uint8_t type, uint8_t code, const Bytes& payload = {}) {
  Bytes out = {type, code, 0, 0, 0, 0, 0, 0};
  append(out, payload);
  return out;
}

inline Bytes first(const Bytes& bytes, size_t count) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace sluice::tunnels::frames
