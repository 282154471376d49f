// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What the packet path needs to know about a frame: where its IP packet and transport header are,
// and which tuple it belongs to. Nothing is copied but the tuple; offsets count from the frame's
// first byte.
//
// Sources: IEEE 802.1Q (VLAN tags), RFC 791, RFC 8200 section 4 (extension headers), RFC 9293, RFC
// 768, RFC 792 and RFC 4443 (errors quote the packet they are about), RFC 4861 (neighbour
// discovery).
#pragma once

#include "tunnels/drop_reasons.h"
#include "tunnels/integers.h"

SLUICE_BEGIN

enum {
  kEtherHeaderLength = 14,
  kVlanTagLength = 4,
  kVlanTagsMax = 2,
  kEtherTypeIpv4 = 0x0800,
  kEtherTypeIpv6 = 0x86dd,
  kEtherTypeVlan = 0x8100,
  kEtherTypeQinQ = 0x88a8,
  kExtensionHeadersMax = 8,
  kExtensionBytesMax = 512,  // that they may have together
  kL3OffsetMax = 512,        // of the IP header: behind the longest header of a tunnel
  // No header is looked for further into a frame than this; it bounds every offset.
  kHeaderOffsetMax = 4095,
};

enum {
  kProtocolIcmp = 1,
  kProtocolTcp = 6,
  kProtocolUdp = 17,
  kProtocolIcmpv6 = 58,
};

enum {
  kTcpFin = 0x01,
  kTcpSyn = 0x02,
  kTcpRst = 0x04,
  kTcpAck = 0x10,
};

enum PacketFlags {
  kPacketFragment = 1,       // any fragment; its tuple has no ports
  kPacketFirstFragment = 2,  // the fragment with offset 0
  kPacketHasPorts = 4,       // TCP or UDP with its header; parse_ip sets it for no fragment
  kPacketIcmpError = 8,      // the tuple is the quoted packet's, turned to this packet's direction
  kPacketNeighbourDiscovery = 16,  // RFC 4861, hop limit 255
};

// Addresses in packet byte order; IPv4 in the first word, the others zero. Ports in packet byte
// order, zero where there are none. 40 bytes, none hidden.
struct tuple {
  __u32 source[4];
  __u32 destination[4];
  __u16 source_port;
  __u16 destination_port;
  __u8 protocol;
  __u8 version;  // 4 or 6
  __u16 zero;
};

struct packet {
  __u32 l3_offset;  // 14, 18 or 22; 0 for a bare IP packet
  __u32 l3_length;  // of the IP packet, by its own length field
  __u32 l4_offset;  // of the transport header (or of what a later fragment carries)
  __u8 flags;       // PacketFlags
  __u8 tcp_flags;
  __u16 vlan_tags;  // how many
  struct tuple tuple;
};

SLUICE_INLINE int is_vlan_tag(__u16 ether_type) {
  return ether_type == kEtherTypeVlan || ether_type == kEtherTypeQinQ;
}

// The Ethernet header with up to two VLAN tags. Sets l3_offset and vlan_tags and returns the
// EtherType of what follows in host order, a third tag's included; 0 for a frame that ends inside
// its header.
SLUICE_INLINE __u16 parse_ethernet(const __u8* data, const __u8* end, struct packet* p) {
  if (data + kEtherHeaderLength > end) return 0;
  __u16 ether_type = load_be16(data + 12);
  p->l3_offset = kEtherHeaderLength;
  p->vlan_tags = 0;
  if (!is_vlan_tag(ether_type)) return ether_type;

  if (data + kEtherHeaderLength + kVlanTagLength > end) return 0;
  ether_type = load_be16(data + 16);
  p->l3_offset = kEtherHeaderLength + kVlanTagLength;
  p->vlan_tags = 1;
  if (!is_vlan_tag(ether_type)) return ether_type;

  if (data + kEtherHeaderLength + 2 * kVlanTagLength > end) return 0;
  p->l3_offset = kEtherHeaderLength + 2 * kVlanTagLength;
  p->vlan_tags = 2;
  return load_be16(data + 20);
}

// Hop-by-hop, routing, fragment, AH, destination options, mobility, HIP, Shim6. ESP is none: it
// hides what follows.
SLUICE_INLINE int is_extension_header(__u8 next) {
  return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
         next == 139 || next == 140;
}

SLUICE_INLINE int packet_has_room(const struct packet* p, __u32 offset, __u32 length) {
  return offset + length <= p->l3_offset + p->l3_length;
}

// Ports and TCP flags of an unfragmented TCP or UDP packet.
SLUICE_INLINE enum DropReason parse_transport(const __u8* data, const __u8* end, struct packet* p) {
  const __u32 offset = p->l4_offset;
  if (offset > kHeaderOffsetMax) return kDropExtensionHeaders;
  const __u8* header = data + offset;
  if (p->tuple.protocol == kProtocolTcp) {
    if (header + 20 > end || !packet_has_room(p, offset, 20)) return kDropTransportTruncated;
    p->tcp_flags = header[13];
  } else {
    if (header + 8 > end || !packet_has_room(p, offset, 8)) return kDropTransportTruncated;
  }
  p->tuple.source_port = load_u16(header);
  p->tuple.destination_port = load_u16(header + 2);
  p->flags |= kPacketHasPorts;
  return kDropNone;
}

// An ICMP error quotes the packet that it is about, so it belongs to that packet's flow, in the
// other direction (RFC 792, RFC 4443 section 2.4). A quote too short or too odd to read leaves the
// error a packet of its own: the outer tuple stays.
SLUICE_INLINE void parse_icmp_quote(const __u8* data, const __u8* end, struct packet* p) {
  const __u32 offset = p->l4_offset;
  if (offset > kHeaderOffsetMax) return;
  const __u8* icmp = data + offset;
  if (p->tuple.version == 4) {
    // 8 ICMP + 20 IP + 8 bytes of transport; quotes with IP options are rare and stay unread.
    if (icmp + 36 > end || !packet_has_room(p, offset, 36)) return;
    const __u8 type = icmp[0];
    if (type != 3 && type != 4 && type != 5 && type != 11 && type != 12) return;
    const __u8* quote = icmp + 8;
    if (quote[0] != 0x45 || (load_be16(quote + 6) & 0x1fff) != 0) return;
    p->tuple.source[0] = load_u32(quote + 16);
    p->tuple.destination[0] = load_u32(quote + 12);
    p->tuple.protocol = quote[9];
    if (quote[9] == kProtocolTcp || quote[9] == kProtocolUdp) {
      p->tuple.source_port = load_u16(quote + 22);
      p->tuple.destination_port = load_u16(quote + 20);
    }
  } else {
    // 8 ICMPv6 + 40 IPv6 + 8 bytes of transport; quotes with extension headers stay unread.
    if (icmp + 56 > end || !packet_has_room(p, offset, 56)) return;
    if (icmp[0] < 1 || icmp[0] > 4) return;
    const __u8* quote = icmp + 8;
    if (quote[0] >> 4 != 6) return;
    const __u8 next = quote[6];
    if (is_extension_header(next)) return;
    for (int i = 0; i < 4; i++) {
      p->tuple.source[i] = load_u32(quote + 24 + 4 * i);
      p->tuple.destination[i] = load_u32(quote + 8 + 4 * i);
    }
    p->tuple.protocol = next;
    if (next == kProtocolTcp || next == kProtocolUdp) {
      p->tuple.source_port = load_u16(quote + 42);
      p->tuple.destination_port = load_u16(quote + 40);
    }
  }
  p->flags |= kPacketIcmpError;
}

SLUICE_INLINE enum DropReason parse_ipv4(const __u8* data, const __u8* end, __u32 length,
                                         struct packet* p) {
  const __u8* ip = data + p->l3_offset;
  if (ip + 20 > end) return kDropFrameTruncated;
  const __u32 header_length = (ip[0] & 0x0f) * 4u;
  p->l3_length = load_be16(ip + 2);
  if (ip[0] >> 4 != 4 || header_length < 20 || p->l3_length < header_length) return kDropIpInvalid;
  if (p->l3_offset + p->l3_length > length) return kDropFrameTruncated;
  p->l4_offset = p->l3_offset + header_length;
  p->tuple.source[0] = load_u32(ip + 12);
  p->tuple.destination[0] = load_u32(ip + 16);
  p->tuple.protocol = ip[9];
  p->tuple.version = 4;

  const __u16 fragment = load_be16(ip + 6) & 0x3fff;
  if (fragment != 0) {
    p->flags |= kPacketFragment;
    if ((fragment & 0x1fff) == 0) p->flags |= kPacketFirstFragment;
    return kDropNone;
  }
  if (ip[9] == kProtocolTcp || ip[9] == kProtocolUdp) return parse_transport(data, end, p);
  if (ip[9] == kProtocolIcmp) parse_icmp_quote(data, end, p);
  return kDropNone;
}

// Walks over the extension headers of the IPv6 packet at l3_offset (RFC 8200 section 4.1), at most
// kExtensionHeadersMax and kExtensionBytesMax; sets l4_offset, protocol and the flags of a
// fragment. It stops behind the header of a fragment; but of a first one, `beyond` it, too, at the
// transport header. *payload becomes the offset of what the fragment carries.
SLUICE_INLINE enum DropReason parse_extensions(const __u8* data, const __u8* end, struct packet* p,
                                               int beyond, __u32* payload) {
  const __u8* ip = data + p->l3_offset;
  if (ip + 40 > end) return kDropFrameTruncated;
  __u8 next = ip[6];
  const __u32 first = p->l3_offset + 40;
  __u32 offset = first;
  *payload = 0;
  for (int headers = 0; headers <= kExtensionHeadersMax; headers++) {
    if (!is_extension_header(next)) break;
    if (headers == kExtensionHeadersMax || offset > kHeaderOffsetMax ||
        offset - first > kExtensionBytesMax)
      return kDropExtensionHeaders;
    const __u8* header = data + offset;
    if (header + 8 > end || !packet_has_room(p, offset, 8))
      return *payload != 0 ? kDropFragmentTiny : kDropExtensionHeaders;
    const __u8 current = next;
    next = header[0];
    if (current == 44) {
      if (*payload != 0) return kDropFragmentInvalid;  // fragments of a fragment
      const __u16 fragment = load_be16(header + 2);
      offset += 8;
      if ((fragment & 0xfff9) == 0) continue;  // an atomic one (RFC 6946) is a whole packet
      p->flags |= kPacketFragment;
      *payload = offset;
      if ((fragment & 0xfff8) != 0) break;
      p->flags |= kPacketFirstFragment;
      if (!beyond) break;
    } else if (current == 51) {
      offset += (header[1] + 2u) * 4;
    } else {
      offset += (header[1] + 1u) * 8;
    }
  }
  if (offset - first > kExtensionBytesMax) return kDropExtensionHeaders;
  if (!packet_has_room(p, offset, 0))
    return *payload != 0 ? kDropFragmentTiny : kDropExtensionHeaders;
  p->l4_offset = offset;
  p->tuple.protocol = next;
  return kDropNone;
}

SLUICE_INLINE enum DropReason parse_ipv6(const __u8* data, const __u8* end, __u32 length,
                                         struct packet* p) {
  const __u8* ip = data + p->l3_offset;
  if (ip + 40 > end) return kDropFrameTruncated;
  if (ip[0] >> 4 != 6) return kDropIpInvalid;
  p->l3_length = 40 + load_be16(ip + 4);
  if (p->l3_offset + p->l3_length > length) return kDropFrameTruncated;
  for (int i = 0; i < 4; i++) {
    p->tuple.source[i] = load_u32(ip + 8 + 4 * i);
    p->tuple.destination[i] = load_u32(ip + 24 + 4 * i);
  }
  p->tuple.version = 6;

  const __u8 hop_limit = ip[7];
  __u32 payload;
  const enum DropReason reason = parse_extensions(data, end, p, 0, &payload);
  if (reason != kDropNone) return reason;
  const __u8 next = p->tuple.protocol;
  const __u32 offset = p->l4_offset;
  if (p->flags & kPacketFragment) return kDropNone;
  if (next == kProtocolTcp || next == kProtocolUdp) return parse_transport(data, end, p);
  if (next == kProtocolIcmpv6) {
    if (offset > kHeaderOffsetMax) return kDropExtensionHeaders;
    const __u8* icmp = data + offset;
    if (icmp + 1 <= end && packet_has_room(p, offset, 1) && icmp[0] >= 133 && icmp[0] <= 137 &&
        hop_limit == 255) {
      p->flags |= kPacketNeighbourDiscovery;
      return kDropNone;
    }
    parse_icmp_quote(data, end, p);
  }
  return kDropNone;
}

// Goes on where parse_ip has found a fragment. *payload becomes the offset of what it carries; of
// the first one the ports are read, behind whatever extension headers it carries in front of them
// (RFC 7112: all of them).
SLUICE_INLINE enum DropReason parse_fragment(const __u8* data, const __u8* end, struct packet* p,
                                             __u32* payload) {
  *payload = p->l4_offset;
  if (p->tuple.version == 6) {
    if (p->l3_offset > kL3OffsetMax) return kDropFragmentInvalid;
    const enum DropReason reason = parse_extensions(data, end, p, 1, payload);
    if (reason != kDropNone) return reason;
  }
  if (!(p->flags & kPacketFirstFragment) ||
      (p->tuple.protocol != kProtocolTcp && p->tuple.protocol != kProtocolUdp))
    return kDropNone;
  return parse_transport(data, end, p) == kDropNone ? kDropNone : kDropFragmentTiny;
}

// The IP packet at l3_offset, which the caller has set (at most kL3OffsetMax), in a frame of
// `length` bytes, of which those up to `end` are at hand. `version` is 4 or 6, from the EtherType.
// Bytes after the IP packet (Ethernet padding) are ignored.
SLUICE_INLINE enum DropReason parse_ip_within(const __u8* data, const __u8* end, __u32 length,
                                              __u8 version, struct packet* p) {
  p->flags = 0;
  p->tcp_flags = 0;
  __builtin_memset(&p->tuple, 0, sizeof(p->tuple));
  if (p->l3_offset > kL3OffsetMax) return kDropFrameTruncated;
  return version == 4 ? parse_ipv4(data, end, length, p) : parse_ipv6(data, end, length, p);
}

// The same where the whole frame is at hand.
SLUICE_INLINE enum DropReason parse_ip(const __u8* data, const __u8* end, __u8 version,
                                       struct packet* p) {
  return parse_ip_within(data, end, (__u32)(end - data), version, p);
}

SLUICE_END

#ifdef __cplusplus
#include <cstdint>
#include <span>
namespace sluice::tunnels {

// A bare IP packet, as an appliance gets it: version from its first byte, l3_offset 0.
inline DropReason parse_ip_packet(std::span<const uint8_t> bytes, packet& out) {
  out = {};
  if (bytes.empty()) return kDropFrameTruncated;
  const uint8_t version = bytes[0] >> 4;
  if (version != 4 && version != 6) return kDropIpInvalid;
  return parse_ip(bytes.data(), bytes.data() + bytes.size(), version, &out);
}

}  // namespace sluice::tunnels
#endif
