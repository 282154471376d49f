// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The life of a flow: opened by its first packet, followed while packets pass, ended by silence,
// FIN or RST.
#pragma once

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/layer2.h"
#include "gateway/datapath/passage.h"
#include "gateway/nlb/translate.h"

SLUICE_GATEWAY_BEGIN

// The target that a new flow belongs to: its row's owner. kNone16 when the row has none.
SLUICE_INLINE __u32 steer(const struct passage* way, __u32 group_index,
                          const struct flow_query* query) {
  const struct group* group = table_groups(way->tables, group_index);
  if (!group) return kNone16;
  const __u64 hash = group->stickiness == kFlowHash5Tuple
                         ? query->hash
                         : flow_hash(&way->settings->hash_key, &query->key, group->stickiness);
  const struct row* row = table_rows(way->tables, row_index(group_index, hash));
  return row ? row->target : (__u32)kNone16;
}

// Fills the record of a new flow, or of a tuple that is used again: its cookie differs from the
// former one.
SLUICE_INLINE void flow_start(const struct passage* way, struct flow_record* record,
                              struct flow_usage* usage, const struct flow_query* query,
                              __u32 target, __u16 flags, __u16 backend) {
  const int used_again =
      flow_key_equal(&record->key, &query->key) && record->attachment == query->attachment;
  const __u32 generation = used_again ? (record->cookie >> 28) + 1 : 0;
  record->key = query->key;
  record->flags = flags;
  record->attachment = (__u16)query->attachment;
  record->target = (__u16)target;
  record->backend = backend;
  record->layer2[0] = 0;
  record->layer2[1] = 0;
  record->cookie = flow_cookie(way->settings, query->hash, target, generation);
  record->last_seen_ms = way->now_ms;
  record->created_ms = way->now_ms;
  usage->packets[0] = 0;
  usage->packets[1] = 0;
  usage->bytes[0] = 0;
  usage->bytes[1] = 0;
}

// Makes the flow of a packet that has none: picks the appliance, and the NLB target if its
// destination is a listener. *index: the place of a flow that has ended, or kFlowNotFound; becomes
// the new flow's.
SLUICE_INLINE enum DropReason flow_open(struct passage* way, const struct packet* p,
                                        const struct flow_query* query, __u32 group_index,
                                        __u32 side, __u32* index) {
  if (group_index == kNone16) return kDropNoTargetGroup;
  const __u32 target = steer(way, group_index, query);
  if (target == kNone16) return kDropNoTarget;

  __u16 flags = query->direction == 0 ? kFlowClientFirst : 0;
  if ((query->direction == 0) == (side == 0)) flags |= kFlowFirstEndOutside;
  __u32 backend = 0;
  if (side == 0 && (p->flags & kPacketHasPorts)) {
    const struct listener* l =
        table_listeners(way->tables, nlb_find_listener(way->tables, &p->tuple));
    if (l) {
      backend = steer(way, l->group, query);
      if (backend == kNone16) return kDropNlbNoTarget;
      flags |= kFlowNlb;
    }
  }

  if (*index == kFlowNotFound) *index = flow_claim(way->tables, query->hash, way->now_ms, way->cpu);
  struct flow_record* record = table_flow_records(way->tables, *index);
  struct flow_usage* usage = table_flow_usages(way->tables, *index);
  if (!record || !usage) return kDropFlowTableFull;
  flow_start(way, record, usage, query, target, flags, (__u16)backend);
  way->counters->event[kEventFlowCreated]++;
  return kDropNone;
}

// Whether a packet of a flow that is in the table begins a new one: the old one idled out, or had
// closed and a SYN uses its tuple again.
SLUICE_INLINE int flow_has_ended(const struct passage* way, const struct flow_record* record,
                                 const struct packet* p) {
  if (flow_is_expired(way->settings, record, way->now_ms)) return 1;
  return flow_is_closed(record) && (p->tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
}

// Whether a flow that nobody has answered may go to another target: its SYN is sent again and its
// row has a new owner, so the first target died, or left, before it approved anything.
SLUICE_INLINE int flow_may_move(const struct passage* way, const struct flow_record* record,
                                __u32 index, const struct flow_query* query, const struct packet* p,
                                __u32 group_index) {
  if ((p->tcp_flags & (kTcpSyn | kTcpAck)) != kTcpSyn || group_index == kNone16) return 0;
  const struct flow_usage* usage = table_flow_usages(way->tables, index);
  if (!usage || usage->packets[(query->direction ^ 1) & 1] != 0) return 0;
  const __u32 owner = steer(way, group_index, query);
  return owner != kNone16 && owner != record->target;
}

// Keeps the frame's own header for its flow's direction.
SLUICE_INLINE enum DropReason flow_remember_layer2(const struct passage* way, const frame* f,
                                                   __u32 length, struct flow_record* record,
                                                   __u32 direction) {
  const __u8* data = frame_data(f);
  if (data + 22 > frame_end(f)) return kDropFrameTruncated;
  struct layer2_name name;
  layer2_name_from_frame(&name, data, length);
  __u16* reference = &record->layer2[direction & 1];
  struct layer2* entry = layer2_get(way->tables, *reference);
  if (entry && layer2_is(entry, &name)) {
    layer2_use(entry, 0, way->now_ms);
    return kDropNone;
  }
  *reference = (__u16)layer2_intern(way->tables, &name, way->now_ms);
  return *reference == 0 ? kDropLayer2TableFull : kDropNone;
}

SLUICE_INLINE void flow_account(const struct passage* way, __u32 index, struct flow_record* record,
                                const struct flow_query* query, __u32 bytes) {
  struct flow_usage* usage = table_flow_usages(way->tables, index);
  if (!usage) return;
  usage->packets[query->direction & 1]++;
  usage->bytes[query->direction & 1] += bytes;
  if (record->last_seen_ms != way->now_ms) record->last_seen_ms = way->now_ms;
  const int both = usage->packets[0] != 0 && usage->packets[1] != 0;
  const __u32 state = flow_is_closed(record) ? kFlowClosed
                      : both                 ? kFlowEstablished
                                             : kFlowHalfOpen;
  flow_publish(way->tables, way->settings, index, query->hash, state, way->now_ms);
}

// Follows a TCP flow by what was approved, the appliance's own resets included.
SLUICE_INLINE void flow_follow_tcp(struct flow_record* record, const struct packet* p,
                                   __u32 direction) {
  if (!(p->flags & kPacketHasPorts) || p->tuple.protocol != kProtocolTcp) return;
  __u16 flags = record->flags;
  if (p->tcp_flags & kTcpRst) flags |= kFlowReset;
  if (p->tcp_flags & kTcpFin) flags |= direction == 0 ? kFlowFin0 : kFlowFin1;
  if (flags != record->flags) record->flags = flags;
}

SLUICE_END
