// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// To a target: from outside or inside, or from one hop of a chain to the next.
#pragma once

#include "gateway/datapath/chain.h"
#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/passage.h"

SLUICE_GATEWAY_BEGIN

// To a target, in a tunnel. The packet fits, and ends the frame. `leaving`: it comes from the
// inside; asked of a flow without a record.
SLUICE_INLINE enum Verdict path_send(struct passage* way, frame* f, const struct packet* p,
                                     const struct target* target, __u32 target_index,
                                     const struct attachment* attachment,
                                     const struct flow_query* query, __u32 cookie, __u32 leaving) {
  const __u32 packets = frame_packets(f, p);
  const __u32 bytes = frame_bytes(f, p);
  way->departure.interface = target->interface;
  enum DropReason reason;
  if (target->flags & kTargetProfiled)
    reason =
        encapsulate_as(way->tables, f, p, query,
                       target_index << kWhatTarget | (leaving & 1) | (__u64)cookie << kWhatCookie);
  else
    reason = encapsulate(f, p, target, attachment, query->hash, cookie);
  if (reason != kDropNone) return path_drop(way, reason);
  struct target_counters* sent = table_target_counters(way->tables, target_index);
  if (sent) {
    sent->packets_sent += packets;
    sent->bytes_sent += bytes;
  }
  return kVerdictTarget;
}

// Where a packet that comes in goes first, in a flow with a chain; as chain_next.
SLUICE_INLINE __u64 path_first_hop(const struct passage* way, const struct flow_record* record,
                                   const struct flow_query* query) {
  const int from_client = flow_is_from_client(record, query);
  const __u32 position = chain_begin(record, from_client);
  return chain_next(way->tables, query, position, (__u32)from_client);
}

// Counts the hops before that one.
SLUICE_INLINE void path_count_passed(const struct passage* way, const struct flow_record* record,
                                     const struct flow_query* query) {
  const int from_client = flow_is_from_client(record, query);
  const __u32 position = chain_begin(record, from_client);
  chain_count_passed(way->tables, query, position | way->cpu << kPositionCpu, (__u32)from_client);
}

SLUICE_INLINE void count_return(const struct passage* way, const frame* f,
                                const struct datagram* d) {
  struct target_counters* returned =
      table_target_counters(way->tables, d->geneve.flow_cookie >> 16 & 0xfff);
  if (!returned) return;
  returned->packets_returned += frame_packets(f, &d->inner);
  returned->bytes_returned += frame_bytes(f, &d->inner);
}

// From one hop of a chain to the next, `stop`: as chain_next. The sender is told of no MTU here:
// what fits all hops was let in, and has grown since.
SLUICE_INLINE enum Verdict path_relay(struct passage* way, frame* f, struct datagram* d,
                                      const struct attachment* attachment,
                                      const struct flow_query* query, __u64 stop) {
  const struct target* target = table_targets(way->tables, (__u32)stop & 0xffff);
  if (!target || !(target->flags & kTargetInUse)) return path_drop(way, kDropNoTarget);
  if (!(target->flags & kTargetResolved)) return path_drop(way, kDropNeighbourUnresolved);
  if (frame_longest(f, &d->inner) > target->mtu) return path_drop(way, kDropTooBig);
  const int surplus = (int)frame_length(f) - (int)(d->inner.l3_offset + d->inner.l3_length);
  if (surplus > 0 && frame_is_many(f)) return path_drop(way, kDropSuperPacket);
  if (surplus > 0 && frame_move_tail(f, -surplus) != 0) return path_drop(way, kDropNoRoom);
  count_return(way, f, d);
  return path_send(way, f, &d->inner, target, (__u32)stop & 0xffff, attachment, query,
                   (__u32)(stop >> 32), 0);
}

SLUICE_END
