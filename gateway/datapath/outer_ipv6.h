// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Tunnels over IPv6 (RFC 8200): what differs outside of the GENEVE header. Off the way of packets
// whose tunnel is over IPv4.
//
// The UDP checksum is 0, as RFC 6935 and RFC 6936 allow for tunnels: docs/features/outer-ipv6.md
// says why. Of what comes back it is not looked at, as over IPv4.
#pragma once

#include "gateway/datapath/frame.h"

SLUICE_GATEWAY_BEGIN

enum {
  kOuterIp6 = 14,
  kOuterIp6Length = kOuterIp6 + 4,
  kOuterUdp6 = 54,
  kOuterUdp6Length = kOuterUdp6 + 4,
  kOuterFlowLabelMask = 0xfffff,
  // outer_ipv6_read
  kOuterOurs = 1,
  kOuterReason = 8,
  kOuterUdpLength6 = 16,
  kOuterFrom = 32,
};

// The flow label of a flow (RFC 6438): the same for both directions, of other bits of the hash than
// the source port.
SLUICE_INLINE __u32 entropy_label(__u64 hash) { return (__u32)(hash >> 40) & kOuterFlowLabelMask; }

// What differs per packet in an outer header over IPv6, which is there. `length`: of what follows
// the IPv6 header.
SLUICE_INLINE void outer_ipv6_patch(__u8* data, __u16 length, __u64 hash, __u16 port) {
  store_be32(data + kOuterIp6, 6u << 28 | entropy_label(hash));
  store_be16(data + kOuterIp6Length, length);
  store_be16(data + kOuterUdp6, port);
  store_be16(data + kOuterUdp6Length, length);
}

// As source_target, of the address at `ip` + 8.
SLUICE_INLINE __u32 source6_target(const struct path_tables* tables, const __u8* ip) {
  const __u32 address[4] = {load_u32(ip + 8), load_u32(ip + 12), load_u32(ip + 16),
                            load_u32(ip + 20)};
  const __u32 home = source6_home(address);
  for (__u32 i = 0; i < kProbesMax; i++) {
    const struct source6* s = table_sources6(tables, (home + i) & (kSourcesMax - 1));
    if (!s || !s->in_use) return kNone16;
    const __u32 difference = (s->address[0] ^ address[0]) | (s->address[1] ^ address[1]) |
                             (s->address[2] ^ address[2]) | (s->address[3] ^ address[3]);
    if (difference == 0) return s->target;
  }
  return kNone16;
}

// Whether behind extension headers there is UDP to the tunnel's port: of a whole packet, or of the
// first fragment of one. Of more headers than are walked over nobody can tell, so they hide it,
// too.
SLUICE_STAGE int outer_ipv6_hides_datagram(frame* f, __u32 port) {
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (data + kOuterIp6 + 40 > end) return 0;
  struct packet p;
  __u32 payload;
  p.l3_offset = kOuterIp6;
  p.l3_length = 40 + load_be16(data + kOuterIp6Length);
  p.flags = 0;
  const enum DropReason reason = parse_extensions(data, end, &p, 1, &payload);
  if (reason != kDropNone) return reason == kDropExtensionHeaders;
  if ((p.flags & kPacketFragment) && !(p.flags & kPacketFirstFragment)) return 0;
  if (p.tuple.protocol != kProtocolUdp || p.l4_offset > kHeaderOffsetMax) return 0;
  const __u8* udp = data + p.l4_offset;
  return udp + 4 <= end && load_be16(udp + 2) == port;
}

// A frame without tags that says it is IPv6. 0 unless it is a GENEVE datagram for the gateway; else
// kOuterOurs, with the reason to drop it from bit kOuterReason on, the UDP length from bit
// kOuterUdpLength6 on, and its sender from bit kOuterFrom on, as source_target. The UDP header is
// whole, and at kOuterUdp6.
SLUICE_STAGE __u64 outer_ipv6_read(const struct path_tables* tables, frame* f) {
  const struct settings* settings = table_settings(tables, 0);
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (!settings || data + kOuterUdp6 + 8 > end) return 0;
  const __u8* ip = data + kOuterIp6;
  if (ip[0] >> 4 != 6) return 0;
  for (int i = 0; i < 4; i++)
    if (load_u32(ip + 24 + 4 * i) != settings->tunnel_address6[i]) return 0;
  const __u64 invalid = kOuterOurs | (__u64)kDropOuterInvalid << kOuterReason;
  if (is_extension_header(ip[6]))
    return outer_ipv6_hides_datagram(f, settings->tunnel_port) ? invalid : 0;
  const __u8* udp = data + kOuterUdp6;
  if (ip[6] != kProtocolUdp || load_be16(udp + 2) != settings->tunnel_port) return 0;
  const __u32 length = load_be16(ip + 4);
  const __u32 udp_length = load_be16(udp + 4);
  if (kOuterUdp6 + length > frame_length(f) || udp_length > length || udp_length < 8)
    return invalid;
  return kOuterOurs | (__u64)udp_length << kOuterUdpLength6 |
         (__u64)source6_target(tables, ip) << kOuterFrom;
}

SLUICE_END
