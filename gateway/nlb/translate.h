// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The NLB stage: an approved packet for a listener goes to one of its targets, with the client's
// address kept, and the target's answers get the listener's address back before they are inspected.
//
// Both rewrite one end of the packet, address and port, and mend the checksums incrementally (RFC
// 1624). An ICMP error about such a packet goes the same way, with the packet that it quotes as its
// receiver knows it.
#pragma once

#include "gateway/datapath/frame.h"
#include "tunnels/checksum.h"

SLUICE_GATEWAY_BEGIN

enum NlbEnd { kNlbSource = 0, kNlbDestination = 1 };

// The listener of an address and port in packet byte order: its index, or kNone16.
SLUICE_STAGE __u32 nlb_find_listener(const struct path_tables* tables, const struct tuple* t) {
  if (!t) return kNone16;
  const __u32 home = listener_home(t->destination, t->destination_port, t->protocol);
  for (__u32 i = 0; i < kProbesMax; i++) {
    const __u32 index = (home + i) & (kListenersMax - 1);
    const struct listener* l = table_listeners(tables, index);
    if (!l || !l->in_use) return kNone16;
    if (l->port == t->destination_port && l->protocol == t->protocol && l->version == t->version &&
        l->address[0] == t->destination[0] && l->address[1] == t->destination[1] &&
        l->address[2] == t->destination[2] && l->address[3] == t->destination[3])
      return index;
  }
  return kNone16;
}

// The new address and port (packet byte order) of one end of a packet.
struct nlb_change {
  __u32 address[4];
  __u16 port;
  __u16 end;  // NlbEnd
};

// The port and the checksum of a TCP or UDP header. `difference`: of the addresses before and
// after.
SLUICE_INLINE enum DropReason nlb_translate_port(frame* f, const struct packet* p,
                                                 const struct nlb_change* change, __u16 old_port,
                                                 __u64 difference) {
  const __u32 l4 = p->l4_offset;
  if (l4 > kHeaderOffsetMax) return kDropNlbTranslation;
  __u8* transport = frame_data(f) + l4;
  if (transport + 4 > frame_end(f)) return kDropNlbTranslation;
  store_u16(transport + (change->end == kNlbSource ? 0 : 2), change->port);
  const __u64 ports = (__u64)(__u16)~old_port + change->port;
  return frame_mend_checksum(f, p, difference, ports) == 0 ? kDropNone : kDropNlbTranslation;
}

// Puts the first `words` of an address at `at`. What ~old + new of them sums up to.
SLUICE_INLINE __u64 nlb_put_address(__u8* at, const __u32* address, int words) {
  __u64 difference = 0;
  for (int i = 0; i < words; i++) {
    difference += (__u64)(__u32)~load_u32(at + 4 * i) + address[i];
    store_u32(at + 4 * i, address[i]);
  }
  return difference;
}

// Mends a checksum by such a sum. What ~old + new of the checksum itself is.
SLUICE_INLINE __u64 nlb_mend(__u8* field, __u64 difference, int is_udp) {
  const __u16 before = load_u16(field);
  if (is_udp && before == 0) return 0;  // over IPv4 it may carry none
  __u16 after = checksum_fold((__u64)(__u16)~before + difference);
  if (is_udp && after == 0) after = 0xffff;
  store_u16(field, after);
  return (__u64)(__u16)~before + after;
}

// One end of a TCP or UDP packet. Of its fragments only the first has a port and the datagram's
// checksum to mend.
SLUICE_INLINE enum DropReason nlb_translate_packet(frame* f, const struct packet* p,
                                                   const struct nlb_change* change) {
  const int is_source = change->end == kNlbSource;
  const __u16 old_port = is_source ? p->tuple.source_port : p->tuple.destination_port;
  __u8* end = frame_end(f);
  __u8* ip = frame_data(f) + p->l3_offset;
  // ~old + new for every word that changes; the same difference mends both checksums.
  __u64 difference = 0;
  if (p->tuple.version == 4) {
    if (ip + 20 > end) return kDropNlbTranslation;
    difference = nlb_put_address(ip + (is_source ? 12 : 16), change->address, 1);
    nlb_mend(ip + 10, difference, 0);
  } else {
    if (ip + 40 > end) return kDropNlbTranslation;
    difference = nlb_put_address(ip + (is_source ? 8 : 24), change->address, 4);
  }
  if (!(p->flags & kPacketHasPorts)) return kDropNone;
  return nlb_translate_port(f, p, change, old_port, difference);
}

// The packet that an ICMP error quotes went the other way, so it is its other end that changes:
// address, port, and what of its checksums is quoted. `end`: of the frame, which is the error's.
// What ~old + new of all words that change sums up to; 0 if the quoted packet denies by its own
// length that it has its headers.
SLUICE_INLINE __u64 nlb_translate_quote(__u8* quote, const __u8* end, const struct packet* p,
                                        const struct nlb_change* change) {
  const int is_source = change->end == kNlbDestination;
  const int is_udp = p->tuple.protocol == kProtocolUdp;
  const __u32 header = p->tuple.version == 4 ? 20 : 40;
  const __u32 length = header == 20 ? load_be16(quote + 2) : load_be16(quote + 4) + header;
  if (length < header + (is_udp ? 8 : 20)) return 0;
  __u64 difference;
  __u64 sum = 0;
  __u8* transport;
  if (header == 20) {
    difference = nlb_put_address(quote + (is_source ? 12 : 16), change->address, 1);
    sum = nlb_mend(quote + 10, difference, 0);
    transport = quote + 20;
  } else {
    difference = nlb_put_address(quote + (is_source ? 8 : 24), change->address, 4);
    transport = quote + 40;
  }
  sum += difference;
  __u8* port = transport + (is_source ? 0 : 2);
  const __u64 ports = (__u64)(__u16)~load_u16(port) + change->port;
  store_u16(port, change->port);
  const __u32 field = is_udp ? 6 : 16;
  if (transport + field + 2 <= end) sum += nlb_mend(transport + field, difference + ports, is_udp);
  return sum + ports;
}

// An ICMP error about a translated flow (RFC 5508 section 4.2); p->tuple is the quoted packet's,
// turned. Who sent that is who the error is for, so on its way to a target its destination changes.
// On the way to a client its source does, if it is the target that speaks; a router keeps its
// address. A checksum that was wrong stays wrong.
SLUICE_STAGE enum DropReason nlb_translate_error(frame* f, const struct packet* p,
                                                 const struct nlb_change* change) {
  frame_pull(f);
  if (!p || !change || p->l3_offset > kL3OffsetMax || p->l4_offset > kHeaderOffsetMax)
    return kDropNlbTranslation;
  const int is_source = change->end == kNlbSource;
  const int four = p->tuple.version == 4;
  __u8* ip = frame_data(f) + p->l3_offset;
  __u8* icmp = frame_data(f) + p->l4_offset;
  const __u8* end = frame_end(f);
  __u64 difference = 0;
  if (four) {
    if (ip + 20 > end || icmp + 36 > end) return kDropNlbTranslation;
    // A redirect names a router for the quoted destination; for another one it would be a lie.
    if (icmp[0] == 5) return kDropNlbTranslation;
    __u8* at = ip + (is_source ? 12 : 16);
    if (load_u32(at) == (is_source ? p->tuple.source[0] : p->tuple.destination[0]))
      nlb_mend(ip + 10, nlb_put_address(at, change->address, 1), 0);
    else if (!is_source)
      return kDropNlbTranslation;
  } else {
    if (ip + 40 > end || icmp + 56 > end) return kDropNlbTranslation;
    __u8* at = ip + (is_source ? 8 : 24);
    const __u32* old = is_source ? p->tuple.source : p->tuple.destination;
    __u32 differs = 0;
    for (int i = 0; i < 4; i++) differs |= load_u32(at + 4 * i) ^ old[i];
    if (differs == 0)
      difference = nlb_put_address(at, change->address, 4);  // of the pseudo-header
    else if (!is_source)
      return kDropNlbTranslation;
  }
  const __u64 quoted = nlb_translate_quote(icmp + 8, end, p, change);
  if (quoted == 0) return kDropNlbTranslation;
  nlb_mend(icmp + 2, difference + quoted, 0);
  return kDropNone;
}

// Gives one end of a packet another address and port, in the frame and in p->tuple.
SLUICE_STAGE enum DropReason nlb_translate(frame* f, struct packet* p,
                                           const struct nlb_change* change) {
  if (!p || !change || p->l3_offset > kL3OffsetMax) return kDropNlbTranslation;
  enum DropReason reason = kDropNlbTranslation;
  if (p->flags & (kPacketHasPorts | kPacketFragment))
    reason = nlb_translate_packet(f, p, change);
  else if (p->flags & kPacketIcmpError)
    reason = nlb_translate_error(f, p, change);
  if (reason != kDropNone) return reason;
  const int is_source = change->end == kNlbSource;
  __u32* address = is_source ? p->tuple.source : p->tuple.destination;
  for (int i = 0; i < 4; i++) address[i] = change->address[i];
  *(is_source ? &p->tuple.source_port : &p->tuple.destination_port) = change->port;
  return kDropNone;
}

SLUICE_END
