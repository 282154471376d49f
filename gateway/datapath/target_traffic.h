// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What a target is counted for besides what goes to an appliance and comes back (path.h).
#pragma once

#include "gateway/datapath/passage.h"

SLUICE_GATEWAY_BEGIN

SLUICE_INLINE int is_tcp_reset(const struct packet* p) {
  return p->tuple.protocol == kProtocolTcp && (p->flags & kPacketHasPorts) &&
         (p->tcp_flags & kTcpRst);
}

// A flow that was opened to it, as an appliance or behind a listener.
SLUICE_INLINE void count_flow(const struct passage* way, __u32 target) {
  struct target_counters* count = table_target_counters(way->tables, target);
  if (count) count->flows++;
}

// A packet of a client, translated to the NLB target.
SLUICE_INLINE void count_to_backend(const struct passage* way, const frame* f, __u32 target,
                                    const struct packet* p) {
  struct target_counters* count = table_target_counters(way->tables, target);
  if (!count) return;
  count->packets_sent += frame_packets(f, p);
  count->bytes_sent += frame_bytes(f, p);
  if (is_tcp_reset(p)) count->resets_sent++;
}

// An answer of the NLB target.
SLUICE_INLINE void count_from_backend(const struct passage* way, const frame* f, __u32 target,
                                      const struct packet* p) {
  struct target_counters* count = table_target_counters(way->tables, target);
  if (!count) return;
  count->packets_returned += frame_packets(f, p);
  count->bytes_returned += frame_bytes(f, p);
  if (is_tcp_reset(p)) count->resets_returned++;
}

SLUICE_END
