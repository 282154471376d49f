// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What the gateway itself says to a sender: the packet is too big for the tunnel, and how big it
// may be (RFC 1191 section 4, RFC 8201); or its TCP connection is over (RFC 9293 section 3.5.2).
//
// The gateway has no address on the wire that it is spliced into, so an error comes from whom the
// refused packet was for. It is one packet, shorter than the one that caused it: nothing to
// amplify.
#pragma once

#include "gateway/datapath/frame.h"
#include "tunnels/checksum.h"

SLUICE_GATEWAY_BEGIN

enum {
  kIcmpLength = 8,
  // How much of the refused packet is quoted: its longest header and 8 bytes more over IPv4
  // (RFC 792); over IPv6 room for some extension headers, too.
  kQuote4 = 68,
  kQuote6 = 128,
  kAnswerHopLimit = 64,
};

// Whether a too big packet is one to be told about. No errors about errors, fragments after the
// first, or packets of nobody in particular (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
SLUICE_INLINE int answer_is_due(const __u8* ip, const __u8* end, const struct packet* p) {
  const __u32 quote = p->tuple.version == 4 ? kQuote4 : kQuote6;
  if (ip + quote > end || p->l3_length < quote || (p->flags & kPacketIcmpError)) return 0;
  if ((p->flags & kPacketFragment) && !(p->flags & kPacketFirstFragment)) return 0;
  if (p->tuple.version == 6) return ip[8] != 0xff && (load_u32(ip + 8) | load_u32(ip + 20)) != 0;
  const __u8 source = ip[12], destination = ip[16];
  return (ip[6] & 0x40) && source != 0 && source < 224 && destination < 224;
}

// The length of the frame's header, which the verifier sees as below 32.
SLUICE_INLINE __u32 answer_l3(const struct packet* p) {
  __u32 l3 = p->l3_offset;
  SLUICE_OPAQUE(l3);
  return l3 & 31;
}

// The frame header of the way back: `from` with its MAC addresses swapped.
SLUICE_INLINE void answer_ethernet(__u8* to, const __u8* from, __u32 length) {
  store_u32(to, load_u32(from + 6));
  store_u16(to + 4, load_u16(from + 10));
  store_u32(to + 6, load_u32(from));
  store_u16(to + 10, load_u16(from + 4));
  store_u16(to + 12, load_u16(from + 12));
  if (length > 14) store_u32(to + 14, load_u32(from + 14));
  if (length > 18) store_u32(to + 18, load_u32(from + 18));
}

// Type 3 code 4 with the next hop's MTU.
SLUICE_INLINE void answer_ipv4(__u8* ip, __u32 mtu) {
  const __u8* quote = ip + 20 + kIcmpLength;
  store_be32(ip, 0x45c00000 | (20 + kIcmpLength + kQuote4));  // precedence 6 (RFC 1812 4.3.2.5)
  store_be32(ip + 4, 0x00004000);
  store_be32(ip + 8, kAnswerHopLimit << 24 | kProtocolIcmp << 16);
  store_u32(ip + 12, load_u32(quote + 16));
  store_u32(ip + 16, load_u32(quote + 12));
  store_u16(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
  __u8* icmp = ip + 20;
  store_be32(icmp, 0x03040000);
  store_be32(icmp + 4, mtu);
  store_u16(icmp + 2, checksum_fold(checksum_add(0, icmp, kIcmpLength + kQuote4)));
}

// Type 2, packet too big.
SLUICE_INLINE void answer_ipv6(__u8* ip, __u32 mtu) {
  const __u8* quote = ip + 40 + kIcmpLength;
  store_be32(ip, 0x60000000);
  store_be32(ip + 4, (kIcmpLength + kQuote6) << 16 | kProtocolIcmpv6 << 8 | kAnswerHopLimit);
  for (int i = 0; i < 16; i += 4) {
    store_u32(ip + 8 + i, load_u32(quote + 24 + i));
    store_u32(ip + 24 + i, load_u32(quote + 8 + i));
  }
  __u8* icmp = ip + 40;
  store_be32(icmp, 0x02000000);
  store_be32(icmp + 4, mtu);
  __u64 sum = checksum_add(0, ip + 8, 32);
  sum += swap_be16(kIcmpLength + kQuote6) + swap_be16(kProtocolIcmpv6);
  store_u16(icmp + 2, checksum_fold(checksum_add(sum, icmp, kIcmpLength + kQuote6)));
}

// Turns the frame's MAC addresses round, in place.
SLUICE_INLINE void answer_turn_ethernet(__u8* frame_start) {
  const __u32 to = load_u32(frame_start), from = load_u32(frame_start + 6);
  const __u16 to_end = load_u16(frame_start + 4), from_end = load_u16(frame_start + 10);
  store_u32(frame_start, from);
  store_u16(frame_start + 4, from_end);
  store_u32(frame_start + 6, to);
  store_u16(frame_start + 10, to_end);
}

// What a reset says, from the segment that it answers. It is in the sender's window exactly: the
// number that the sender expects next is the one that it acknowledges.
struct reset {
  __u32 sequence;
  __u32 acknowledgment;
  __u32 flags;
};

SLUICE_INLINE void reset_for(struct reset* out, const __u8* segment, const struct packet* p) {
  if (p->tcp_flags & kTcpAck) {
    out->sequence = load_be32(segment + 8);
    out->acknowledgment = 0;
    out->flags = kTcpRst;
    return;
  }
  const __u32 room = p->l3_offset + p->l3_length - p->l4_offset;
  const __u32 header = (__u32)(segment[12] >> 4) * 4;
  __u32 length = header <= room ? room - header : 0;
  if (p->tcp_flags & kTcpSyn) length++;
  if (p->tcp_flags & kTcpFin) length++;
  out->sequence = 0;
  out->acknowledgment = load_be32(segment + 4) + length;
  out->flags = kTcpRst | kTcpAck;
}

// The TCP header of a reset, in place of the one that it answers: `sum` is that of its addresses.
SLUICE_INLINE void answer_tcp(__u8* tcp, const struct reset* r, const struct tuple* t, __u64 sum) {
  store_u16(tcp, t->destination_port);
  store_u16(tcp + 2, t->source_port);
  store_be32(tcp + 4, r->sequence);
  store_be32(tcp + 8, r->acknowledgment);
  store_be32(tcp + 12, 0x50000000 | r->flags << 16);
  store_u32(tcp + 16, 0);
  sum += swap_be16(20) + swap_be16(kProtocolTcp);
  store_u16(tcp + 16, checksum_fold(checksum_add(sum, tcp, 20)));
}

// Makes of a TCP packet the reset that ends its connection for its sender. 0 if it must not, or
// cannot, be answered; the frame may be any then. No reset answers a reset, or what nobody in
// particular has sent.
SLUICE_STAGE int answer_reset(frame* f, const struct packet* p) {
  if (!p || !(p->flags & kPacketHasPorts) || p->tuple.protocol != kProtocolTcp) return 0;
  if (p->flags & kPacketFragment) return 0;
  if ((p->tcp_flags & kTcpRst) || p->l4_offset > kHeaderOffsetMax) return 0;
  if (p->l3_offset != 14 && p->l3_offset != 18 && p->l3_offset != 22) return 0;
  const int four = p->tuple.version == 4;
  const __u32 first = swap_be32(p->tuple.source[0]) >> 24;
  if (four ? first == 0 || first >= 224 : first == 0xff) return 0;
  const __u8* segment = frame_data(f) + p->l4_offset;
  if (segment + 20 > frame_end(f)) return 0;
  struct reset r;
  reset_for(&r, segment, p);
  if (frame_shed(f, p->l4_offset) != 0) return 0;

  const __u32 l3 = answer_l3(p);
  const int length = (int)l3 + (four ? 40 : 60);
  if (frame_move_tail(f, length - (int)frame_length(f)) != 0) return 0;
  __u8* data = frame_data(f);
  if (data + 12 > frame_end(f)) return 0;
  answer_turn_ethernet(data);
  __u8* ip = data + l3;
  __u64 sum = 0;
  if (four) {
    if (ip + 40 > frame_end(f)) return 0;
    store_be32(ip, 0x45000000 | 40);
    store_be32(ip + 4, 0x00004000);
    store_be32(ip + 8, kAnswerHopLimit << 24 | kProtocolTcp << 16);
    store_u32(ip + 12, p->tuple.destination[0]);
    store_u32(ip + 16, p->tuple.source[0]);
    store_u16(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
    sum = (__u64)p->tuple.source[0] + p->tuple.destination[0];
    answer_tcp(ip + 20, &r, &p->tuple, sum);
  } else {
    if (ip + 60 > frame_end(f)) return 0;
    store_be32(ip, 0x60000000);
    store_be32(ip + 4, 20 << 16 | kProtocolTcp << 8 | kAnswerHopLimit);
    for (int i = 0; i < 4; i++) {
      store_u32(ip + 8 + 4 * i, p->tuple.destination[i]);
      store_u32(ip + 24 + 4 * i, p->tuple.source[i]);
      sum += (__u64)p->tuple.source[i] + p->tuple.destination[i];
    }
    answer_tcp(ip + 40, &r, &p->tuple, sum);
  }
  return 1;
}

// Makes of a packet that is longer than `mtu` the ICMP error about it, for its sender. 0 if it must
// not, or cannot, be answered; the frame is as it was then.
SLUICE_STAGE int answer_too_big(frame* f, const struct packet* p, __u32 mtu) {
  if (!p || (p->l3_offset != 14 && p->l3_offset != 18 && p->l3_offset != 22)) return 0;
  const __u32 l3 = answer_l3(p);
  if (frame_shed(f, p->l4_offset) != 0) return 0;
  if (!answer_is_due(frame_data(f) + l3, frame_end(f), p)) return 0;
  const int four = p->tuple.version == 4;
  // The quoted packet stays where it is: room in front for the new headers, and the rest cut off.
  const int header = (four ? 20 : 40) + kIcmpLength;
  const int length = (int)l3 + (four ? kQuote4 : kQuote6);
  if (frame_move_tail(f, length - (int)frame_length(f)) != 0) return 0;
  if (frame_move_head(f, -header) != 0) return 0;
  __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  if (four) {
    if (data + 20 + kIcmpLength + 22 > end) return 0;
    answer_ethernet(data, data + 20 + kIcmpLength, l3);
    __u8* ip = data + l3;
    if (ip + 20 + kIcmpLength + kQuote4 > end) return 0;
    answer_ipv4(ip, mtu);
  } else {
    if (data + 40 + kIcmpLength + 22 > end) return 0;
    answer_ethernet(data, data + 40 + kIcmpLength, l3);
    __u8* ip = data + l3;
    if (ip + 40 + kIcmpLength + kQuote6 > end) return 0;
    answer_ipv6(ip, mtu);
  }
  return 1;
}

SLUICE_END
