// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Flows without a record: when the guard of new flows is closed, or the flow's bucket holds only
// flows that are alive, a packet goes by its steering row alone, in both directions to the same
// target. What has to be known on its way back fits 16 bytes in a table of a fixed size: the side
// that it came from, the frame's own header, and the target. The flow gets a record with a later
// packet, when it may; until then nothing is counted or logged of it, its FIN ends nothing, and
// hints about it are not followed.
//
// Its cookie is for 16 s of the clock instead of a use of the tuple, and its digest covers the
// endpoint. A return must carry the cookie of the time when a packet of the flow came in last, and
// be of the target that this went to: an appliance can say something about flows that it was given,
// and nothing about others.
#pragma once

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/profiled.h"

SLUICE_GATEWAY_BEGIN

enum {
  kUnrecordedEpochShift = 14,  // milliseconds >> this: what a cookie is for
  kUnrecordedTargetShift = 32,
  kUnrecordedSideShift = 44,
  kUnrecordedAttachmentShift = 48,
  kUnrecordedCheckShift = 56,
};

SLUICE_INLINE struct unrecorded_flow* unrecorded_at(const struct path_tables* tables, __u32 place) {
  struct unrecorded_bucket* bucket = table_unrecorded_buckets(tables, place / kUnrecordedWays);
  if (!bucket) return 0;
  SLUICE_OPAQUE(bucket);  // no arithmetic on it before the check
  return &bucket->flow[place & (kUnrecordedWays - 1)];
}

SLUICE_INLINE __u32 unrecorded_target(const struct unrecorded_flow* flow) {
  return (__u32)(flow->way >> kUnrecordedTargetShift) & (kAppliancesMax - 1);
}
SLUICE_INLINE __u32 unrecorded_attachment(const struct unrecorded_flow* flow) {
  return (__u32)(flow->way >> kUnrecordedAttachmentShift) & (kAttachmentsMax - 1);
}
SLUICE_INLINE __u32 unrecorded_first_end_outside(const struct unrecorded_flow* flow) {
  return (__u32)(flow->way >> kUnrecordedSideShift) & 1;
}
SLUICE_INLINE __u16 unrecorded_layer2(const struct unrecorded_flow* flow, __u32 direction) {
  return (__u16)(flow->way >> 16 * (direction & 1));
}

// Whether the words are of the flow with this hash, both of them.
SLUICE_INLINE int unrecorded_is(__u64 seen, __u64 way, __u64 hash) {
  return (seen ^ hash) >> 32 == 0 && (way >> kUnrecordedCheckShift) == (hash >> 24 & 0xff) &&
         (__u32)way != 0;
}

// A flow is remembered for as long as one with a record.
SLUICE_INLINE int unrecorded_is_alive(const struct settings* settings, __u64 seen, __u32 idle_class,
                                      __u32 now_ms) {
  return silence_ms((__u32)seen, now_ms) <= settings->idle_ms[idle_class & (kIdleClasses - 1)];
}

// The place of a flow that is remembered and alive, or kFlowNotFound.
SLUICE_STAGE __u32 unrecorded_find(const struct path_tables* tables, struct flow_query* query,
                                   __u32 now_ms) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !settings) return kFlowNotFound;
  const __u32 idle_class = flow_idle_class(tables, &query->key) >> kFlowIdleShift;
  const __u32 first = ((__u32)query->hash & (kUnrecordedBuckets - 1)) * kUnrecordedWays;
  for (__u32 i = 0; i < kUnrecordedWays; i++) {
    const struct unrecorded_flow* flow = unrecorded_at(tables, first + i);
    if (!flow) return kFlowNotFound;
    if (!unrecorded_is(flow->seen, flow->way, query->hash) ||
        !unrecorded_is_alive(settings, flow->seen, idle_class, now_ms))
      continue;
    const __u32 index = unrecorded_attachment(flow);
    if (query->attachment == index) return first + i;
    const struct attachment* at = table_attachments(tables, index);
    if (query->attachment == kNone16 && at && at->endpoint_id == query->endpoint_id)
      return first + i;
    query->elsewhere = 1;
  }
  return kFlowNotFound;
}

// The target that a flow without record has gone to, if that serves; else kNone16.
SLUICE_STAGE __u32 unrecorded_former(const struct path_tables* tables, struct flow_query* query,
                                     __u32 now_ms) {
  const struct unrecorded_flow* flow =
      unrecorded_at(tables, unrecorded_find(tables, query, now_ms));
  if (!flow) return kNone16;
  const __u32 index = unrecorded_target(flow);
  const struct target* target = table_targets(tables, index);
  return target && target_serves(target) ? index : (__u32)kNone16;
}

// How gladly a place is given away: the higher the sooner. Flows that both ends have spoken in stay
// longest: a flood is of others.
SLUICE_INLINE __u32 unrecorded_expendable(const struct unrecorded_flow* flow, __u32 now_ms) {
  if ((__u32)flow->way == 0) return 0xffffffff;
  const int both = unrecorded_layer2(flow, 0) != 0 && unrecorded_layer2(flow, 1) != 0;
  __u32 age = now_ms - (__u32)flow->seen;
  if (age > 0x3fffffff) age = 0;
  return both ? age : age | 0x40000000;
}

// A place for a flow that has none.
SLUICE_INLINE __u32 unrecorded_claim(const struct path_tables* tables, __u64 hash, __u32 now_ms,
                                     __u32 cpu) {
  const __u32 first = ((__u32)hash & (kUnrecordedBuckets - 1)) * kUnrecordedWays;
  __u32 best = 0;
  __u32 place = first;
  for (__u32 i = 0; i < kUnrecordedWays; i++) {
    const struct unrecorded_flow* flow = unrecorded_at(tables, first + i);
    const __u32 expendable = flow ? unrecorded_expendable(flow, now_ms) : 0;
    if (expendable < best) continue;
    best = expendable;
    place = first + i;
  }
  struct counters* counters = table_counters(tables, cpu);
  if (counters && best != 0xffffffff) counters->event[kEventUnrecordedEvicted]++;
  return place;
}

// Remembers that a packet of the flow goes to `target`, and came with the frame header that the
// reference `layer2` means. `from`: the CPU above a bit, which is 1 for a packet from outside. Two
// stores: who reads between them finds that they do not belong together.
SLUICE_STAGE int unrecorded_keep(const struct path_tables* tables, struct flow_query* query,
                                 __u64 target_and_layer2, __u32 from, __u32 now_ms) {
  if (!query) return 0;
  const __u32 direction = query->direction & 1;
  const __u64 layer2 = target_and_layer2 & 0xffff;
  const __u64 target = target_and_layer2 >> 16 & (kAppliancesMax - 1);
  __u64 first_end_outside = (direction == 0) == (from & 1);
  __u64 other = 0;
  __u32 place = unrecorded_find(tables, query, now_ms);
  if (place != kFlowNotFound) {
    const struct unrecorded_flow* before = unrecorded_at(tables, place);
    if (!before) return 0;
    first_end_outside = unrecorded_first_end_outside(before);
    other = unrecorded_layer2(before, direction ^ 1);
  } else {
    place = unrecorded_claim(tables, query->hash, now_ms, from >> 1);
  }
  struct unrecorded_flow* flow = unrecorded_at(tables, place);
  if (!flow) return 0;
  const __u64 way = layer2 << 16 * direction | other << 16 * (direction ^ 1) |
                    target << kUnrecordedTargetShift | first_end_outside << kUnrecordedSideShift |
                    (__u64)query->attachment << kUnrecordedAttachmentShift |
                    (query->hash >> 24 & 0xff) << kUnrecordedCheckShift;
  if (flow->way != way) flow->way = way;
  const __u64 seen = (query->hash & ~(__u64)0xffffffff) | now_ms;
  if (flow->seen != seen) flow->seen = seen;
  return 1;
}

// As a flow_cookie: the lower 4 bits of the epoch, the target, and a digest of all. `epoch` is what
// is left of now_ms.
SLUICE_STAGE __u32 unrecorded_cookie(const struct path_tables* tables, __u64 hash,
                                     __u64 endpoint_id, __u32 target, __u32 epoch) {
  const struct settings* settings = table_settings(tables, 0);
  if (!settings) return 0;
  struct siphash_state s;
  siphash_init(&s, &settings->cookie_key);
  siphash_word(&s, hash);
  siphash_word(&s, endpoint_id);
  siphash_word(&s, (__u64)epoch << 32 | (target & 0xfff));
  const __u32 head = (epoch & 15) << 12 | (target & 0xfff);
  return head << 16 | (__u32)(siphash_finish(&s, 0, 24) & 0xffff);
}

// Whether a cookie was made for the target in the epoch that `then_ms` is in, or in the one before.
SLUICE_STAGE __u32 unrecorded_cookie_fits(const struct path_tables* tables,
                                          const struct flow_query* query, __u32 cookie,
                                          __u32 target, __u32 then_ms) {
  if (!query) return 0;
  __u32 epoch = then_ms >> kUnrecordedEpochShift;
  if ((cookie >> 28) != (epoch & 15)) epoch = (epoch - 1) & (0xffffffff >> kUnrecordedEpochShift);
  return unrecorded_cookie(tables, query->hash, query->endpoint_id, target, epoch) == cookie;
}

// Whether a target may return this of a flow without record; *place becomes that of the flow. A
// target whose profile has no cookie returns what it was given last.
SLUICE_INLINE enum DropReason unrecorded_verify(const struct path_tables* tables,
                                                struct flow_query* query, __u32 cookie, __u32 from,
                                                __u32 now_ms, __u32* place) {
  *place = unrecorded_find(tables, query, now_ms);
  const struct unrecorded_flow* flow = unrecorded_at(tables, *place);
  const int profiled = source_is_profiled(from);
  if (!flow) {
    if (!profiled && unrecorded_cookie_fits(tables, query, cookie, from, now_ms))
      return kDropLayer2Gone;
    return query->elsewhere ? kDropEndpointMismatch : kDropFlowUnknown;
  }
  if (profiled) from &= kAppliancesMax - 1;
  if (unrecorded_target(flow) != from) return kDropTargetMismatch;
  if (profiled) return kDropNone;
  return unrecorded_cookie_fits(tables, query, cookie, from, (__u32)flow->seen)
             ? kDropNone
             : kDropCookieMismatch;
}

SLUICE_END
