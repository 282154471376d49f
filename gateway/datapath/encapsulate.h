// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// From a frame to a GENEVE datagram and back. docs/wire/geneve.md shows the bytes.
#pragma once

#include "gateway/datapath/profiled.h"

SLUICE_GATEWAY_BEGIN

// Where things are in a target's header: Ethernet, IPv4, UDP, GENEVE with the AWS options.
enum {
  kOuterIp = 14,
  kOuterIpLength = kOuterIp + 2,
  kOuterIpChecksum = kOuterIp + 10,
  kOuterUdp = 34,
  kOuterUdpLength = kOuterUdp + 4,
  kOuterGeneve = 42,
  kOuterGeneveProtocol = kOuterGeneve + 2,
  kOuterEndpointId = kOuterGeneve + 12,
  kOuterAttachmentId = kOuterGeneve + 24,
  kOuterFlowCookie = kOuterGeneve + 36,
};

// Replaces the frame header by the target's, around the IP packet `p`, which must end the frame.
// All lengths are known to fit.
SLUICE_INLINE enum DropReason encapsulate(frame* f, const struct packet* p,
                                          const struct target* target,
                                          const struct attachment* attachment, __u64 hash,
                                          __u32 cookie) {
  if (frame_wrap(f, p->l3_offset, kTargetHeaderLength, 4) != 0)
    return frame_is_many(f) ? kDropSuperPacket : kDropNoRoom;
  __u8* data = frame_data(f);
  if (data + kTargetHeaderLength > frame_end(f)) return kDropNoRoom;
  for (int i = 0; i < 80; i += 8) store_u64(data + i, load_u64(target->header + i));
  store_u16(data + 80, load_u16(target->header + 80));

  const __u16 ip_length = (__u16)(p->l3_length + kTargetHeaderLength - kOuterIp);
  const __u16 ip_length_field = swap_be16(ip_length);
  store_u16(data + kOuterIpLength, ip_length_field);
  store_u16(data + kOuterIpChecksum,
            checksum_replace16(load_u16(data + kOuterIpChecksum), 0, ip_length_field));
  store_be16(data + kOuterUdp, entropy_port(hash));
  store_be16(data + kOuterUdpLength, ip_length - 20);
  store_be16(data + kOuterGeneveProtocol, p->tuple.version == 4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  store_be64(data + kOuterEndpointId, attachment->endpoint_id);
  store_be64(data + kOuterAttachmentId, attachment->attachment_id);
  store_be32(data + kOuterFlowCookie, cookie);
  return kDropNone;
}

// The registered target at an outer address, its profile from bit kSourceProfile on, or kNone16.
SLUICE_STAGE __u32 source_target(const struct path_tables* tables, __u32 address) {
  const __u32 home = source_home(address);
  for (__u32 i = 0; i < kProbesMax; i++) {
    const struct source* s = table_sources(tables, (home + i) & (kSourcesMax - 1));
    if (!s || !s->in_use) return kNone16;
    if (s->address == address) return s->target;
  }
  return kNone16;
}

// What arrived from the tunnel: where its parts are and what the header says.
struct datagram {
  __u32 ours;  // it is a GENEVE datagram for the gateway; else the rest is not set
  __u32 from;  // as source_target
  struct geneve geneve;
  struct packet inner;  // offsets count from the frame's first byte
};

// What is outside of a GENEVE header.
struct outer {
  __u32 udp;         // where the UDP header is; 0: it is not ours, or dropped
  __u32 udp_length;  // by its own length field
};

// The datagram's outer headers, IPv4 and UDP, of a frame whose first 34 bytes are there: whether it
// is ours, and who sends it.
SLUICE_INLINE enum DropReason outer_ipv4_read(const struct path_tables* tables, const frame* f,
                                              const struct settings* settings, struct datagram* d,
                                              struct outer* outer) {
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  const __u8* ip = data + kEtherHeaderLength;
  if (ip[9] != kProtocolUdp || load_u32(ip + 16) != settings->tunnel_address) return kDropNone;
  const __u32 header_length = (ip[0] & 0x0f) * 4u;
  const __u16 fragment = load_be16(ip + 6) & 0x3fff;
  if (ip[0] >> 4 != 4 || header_length < 20 || (fragment & 0x1fff) != 0) return kDropNone;
  const __u8* udp = ip + header_length;
  if (udp + 8 > end || load_be16(udp + 2) != settings->tunnel_port) return kDropNone;

  d->ours = 1;
  const __u32 ip_length = load_be16(ip + 2);
  const __u32 udp_length = load_be16(udp + 4);
  if (fragment != 0 || kEtherHeaderLength + ip_length > frame_length(f) ||
      udp_length + header_length > ip_length || udp_length < 8)
    return kDropOuterInvalid;
  d->from = source_target(tables, load_u32(ip + 12));
  outer->udp = kEtherHeaderLength + header_length;
  outer->udp_length = udp_length;
  return kDropNone;
}

// The same of a frame that says it is IPv6.
SLUICE_INLINE enum DropReason outer_ipv6_take(const struct path_tables* tables, frame* f,
                                              struct datagram* d, struct outer* outer) {
  const __u64 read = outer_ipv6_read(tables, f);
  const enum DropReason reason = (enum DropReason)(read >> kOuterReason & 0xff);
  d->ours = (__u32)read & kOuterOurs;
  d->from = (__u32)(read >> kOuterFrom);
  outer->udp = d->ours && reason == kDropNone ? kOuterUdp6 : 0;
  outer->udp_length = read >> kOuterUdpLength6 & 0xffff;
  return reason;
}

// Reads a frame that may be a GENEVE datagram for the gateway. Everything else (ARP, neighbour
// discovery, health checks, other UDP) is not ours and no error.
SLUICE_STAGE enum DropReason datagram_parse(const struct path_tables* tables, frame* f,
                                            struct datagram* d) {
  const struct settings* settings = table_settings(tables, 0);
  if (!d || !settings) return kDropNone;
  d->ours = 0;
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (data + kEtherHeaderLength + 20 > end || frame_tag(f) != 0) return kDropNone;
  struct outer outer = {0, 0};
  enum DropReason reason = kDropNone;
  if (load_be16(data + 12) == kEtherTypeIpv4)
    reason = outer_ipv4_read(tables, f, settings, d, &outer);
  else if (load_be16(data + 12) == kEtherTypeIpv6)
    reason = outer_ipv6_take(tables, f, d, &outer);
  if (outer.udp == 0) return reason;
  const __u8* geneve = data + outer.udp + 8;

  // What follows is read against the frame's end for memory's sake and against the datagram's for
  // truth's.
  reason = geneve_decode_base(geneve, end, &d->geneve);
  if (reason != kDropNone) return reason;
  const struct geneve_profile aws = SLUICE_GENEVE_AWS;
  if (source_is_profiled(d->from) || !geneve_decode_as_encoded(geneve, end, &aws, &d->geneve)) {
    reason = datagram_read_options(tables, f, outer.udp + 8, d->from, &d->geneve);
    if (reason != kDropNone) return reason;
  }
  if (8 + d->geneve.header_length > outer.udp_length) return kDropGeneveTruncated;
  d->inner.vlan_tags = 0;
  d->inner.l3_offset = outer.udp + 8 + d->geneve.header_length;
  if (parse_ip_within(data, end, frame_length(f), d->geneve.protocol == kEtherTypeIpv4 ? 4 : 6,
                      &d->inner) != kDropNone)
    return kDropInnerInvalid;
  if (8 + d->geneve.header_length + d->inner.l3_length > outer.udp_length) return kDropInnerInvalid;
  return kDropNone;
}

// Replaces everything in front of the inner packet by a frame header, cuts what follows it, and
// moves the packet's offsets along.
SLUICE_INLINE enum DropReason decapsulate(frame* f, struct packet* inner,
                                          const struct layer2* header, int swapped) {
  const __u32 length = header->length;
  if (length > sizeof(header->header)) return kDropLayer2Gone;
  const int surplus = (int)frame_length(f) - (int)(inner->l3_offset + inner->l3_length);
  if (surplus > 0 && frame_is_many(f)) return kDropSuperPacket;  // several datagrams
  if (surplus > 0 && frame_move_tail(f, -surplus) != 0) return kDropNoRoom;
  const int restored = frame_unwrap(f, inner, length);
  if (restored < 0) return frame_is_many(f) ? kDropSuperPacket : kDropNoRoom;
  const __u32 removed = inner->l3_offset - (__u32)restored;
  inner->l3_offset -= removed;
  inner->l4_offset -= removed;
  __u8* data = frame_data(f);
  // 22 bytes are there whatever the length: no IP packet is shorter than 20.
  if (data + sizeof(header->header) > frame_end(f)) return kDropNoRoom;
  layer2_write(data, header, (__u32)restored, swapped);
  const __u32 tags = frame_put_tags(f, header);
  inner->l3_offset += tags;
  inner->l4_offset += tags;
  return kDropNone;
}

SLUICE_END
