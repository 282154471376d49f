// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The NLB stage: an approved packet for a listener goes to one of its targets, with the client's
// address kept, and the target's answers get the listener's address back before they are inspected.
//
// Both rewrite one end of the packet, address and port, and mend the checksums incrementally (RFC
// 1624).
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

// Gives one end of a TCP or UDP packet another address and port, in the frame and in p->tuple. Of
// its fragments only the first has a port and the datagram's checksum to mend.
SLUICE_STAGE enum DropReason nlb_translate(frame* f, struct packet* p,
                                           const struct nlb_change* change) {
  if (!p || !change) return kDropNlbTranslation;
  if (!(p->flags & (kPacketHasPorts | kPacketFragment))) return kDropNlbTranslation;
  if (p->l3_offset > 512) return kDropNlbTranslation;
  const int is_source = change->end == kNlbSource;
  __u8* end = frame_end(f);
  __u8* ip = frame_data(f) + p->l3_offset;
  __u32* old_address = is_source ? p->tuple.source : p->tuple.destination;
  __u16* old_port = is_source ? &p->tuple.source_port : &p->tuple.destination_port;
  // ~old + new for every word that changes; the same difference mends both checksums.
  __u64 difference = 0;
  if (p->tuple.version == 4) {
    if (ip + 20 > end) return kDropNlbTranslation;
    difference = (__u64)(__u32)~old_address[0] + change->address[0];
    store_u32(ip + (is_source ? 12 : 16), change->address[0]);
    store_u16(ip + 10, checksum_fold((__u64)(__u16)~load_u16(ip + 10) + difference));
  } else {
    if (ip + 40 > end) return kDropNlbTranslation;
    for (int i = 0; i < 4; i++) {
      difference += (__u64)(__u32)~old_address[i] + change->address[i];
      store_u32(ip + (is_source ? 8 : 24) + 4 * i, change->address[i]);
    }
  }

  if (p->flags & kPacketHasPorts) {
    const enum DropReason reason = nlb_translate_port(f, p, change, *old_port, difference);
    if (reason != kDropNone) return reason;
  }
  for (int i = 0; i < 4; i++) old_address[i] = change->address[i];
  *old_port = change->port;
  return kDropNone;
}

SLUICE_END
