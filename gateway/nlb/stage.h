// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The NLB stage in the packet path: which packets are translated, and how answers are recognised.
#pragma once

#include "gateway/datapath/flow.h"
#include "gateway/datapath/partial_checksum.h"
#include "gateway/nlb/translate.h"

SLUICE_GATEWAY_BEGIN

// An answer through the alias at query->place keeps that alive. How far a TCP flow has come the
// client's packets tell (nlb_keep_alias), but for a target's last one, after which there may be
// none.
SLUICE_STAGE int nlb_touch_alias(const struct path_tables* tables, const struct flow_query* query,
                                 const struct packet* p, __u32 now_ms) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !p || !settings) return 0;
  struct flow_record* alias = table_flow_records(tables, query->place);
  const struct flow_bucket* bucket = table_flow_buckets(tables, query->place / kFlowWays);
  if (!alias || !bucket) return 0;
  alias->last_seen_ms = now_ms;
  __u32 state = flow_entry_state(bucket->entry[query->place & (kFlowWays - 1)]);
  if (alias->key.zero & kFlowGoesOn) state = kFlowEstablished;
  const __u32 ends = alias->flags & kFlowFin0 ? kTcpRst | kTcpFin : kTcpRst;
  if (state == kFlowClosed) state = kFlowHalfOpen;  // it goes on: what ended it was not approved
  if (packet_is_tcp(p) && (p->tcp_flags & ends)) state = kFlowClosed;
  flow_publish(tables, query->place, query->hash, flow_mark(state, flow_epoch(settings, now_ms)));
  return 1;
}

// An answer of an NLB target: gives it the listener's address back, so that the appliance sees the
// flow that the client opened. query->place is the alias's and becomes that flow's.
SLUICE_INLINE enum DropReason nlb_return_to_listener(struct passage* way, frame* f,
                                                     struct packet* p, struct flow_query* query) {
  struct flow_record* alias = table_flow_records(way->tables, query->place);
  if (!alias) return kDropFlowUnknown;
  // From the client's end it is no answer, but a packet past the listener with an NLB flow's tuple.
  if (flow_is_from_client(alias, query)) return kDropNlbTupleConflict;
  const struct listener* l = table_listeners(way->tables, alias->backend);
  if (!l || !l->in_use) return kDropNlbNoTarget;
  nlb_touch_alias(way->tables, query, p, way->now_ms);
  checksum_settle(way, f, p);
  struct nlb_change change = {
      {l->address[0], l->address[1], l->address[2], l->address[3]}, l->port, kNlbSource};
  const enum DropReason reason = nlb_translate(f, p, &change);
  if (reason != kDropNone) return reason;
  way->counters->event[kEventNlbTranslated]++;
  if (!flow_query_apart(way->tables, query, &p->tuple, query->attachment)) return kDropFlowUnknown;
  query->place = flow_find(way->tables, query);
  const struct flow_record* record = table_flow_records(way->tables, query->place);
  if (!record) return kDropFlowUnknown;
  if (record->flags & kFlowNlb) count_from_backend(way, f, record->backend, p);
  return kDropNone;
}

// Gives an answer that nlb_return_to_listener has translated its target's address again.
SLUICE_STAGE int nlb_undo_return(const struct path_tables* tables, frame* f, struct packet* p,
                                 __u32 backend) {
  const struct target* target = table_targets(tables, backend);
  if (!target || !p) return 0;
  struct nlb_change change = {
      {target->address[0], target->address[1], target->address[2], target->address[3]},
      target->port != 0 ? target->port : p->tuple.source_port,
      kNlbSource};
  return nlb_translate(f, p, &change) == kDropNone;
}

// Whether the flow in whose record the alias `query` of a listener wants to be is over, or so
// little of a flow that it makes way: a TCP handshake that is not complete, or packets of the
// target's that nobody has answered, as of answers whose alias was lost. `entry`: of its name.
SLUICE_INLINE int nlb_makes_way(const struct flow_record* record, __u64 entry,
                                const struct flow_query* query, __u32 listener_index) {
  const __u32 state = flow_entry_state(entry);
  if (record->flags & kFlowAlias) return record->backend != listener_index && state == kFlowClosed;
  if (flow_is_closed(record)) return 1;
  return state == kFlowHalfOpen &&
         (record->key.protocol == kProtocolTcp || !flow_is_from_client(record, query));
}

// Makes sure that the answers of an NLB target are recognised: a record of the tuple as the target
// sees it, which is `query`, worth as much in a full bucket as the flow at the place `of`. `where`:
// the CPU, from kWhereCpu on, and the listener from kWhereTarget on.
SLUICE_STAGE enum DropReason nlb_keep_alias(const struct path_tables* tables,
                                            struct flow_query* query, __u64 where, __u32 of,
                                            __u32 now_ms) {
  if (!query) return kDropFlowTableFull;
  struct passage way;
  passage_begin(&way, tables, (__u32)where >> kWhereCpu, now_ms);
  const struct flow_record* flow = table_flow_records(tables, of);
  const struct flow_usage* usage = table_flow_usages(tables, of);
  if (!way.settings || !way.counters || !flow || !usage) return kDropFlowTableFull;
  const __u32 listener_index = (__u32)(where >> kWhereTarget);
  const __u32 marks = flow_marks(way.settings, flow, usage, now_ms);
  __u32 index = flow_find(tables, query);
  struct flow_record* record = table_flow_records(tables, index);
  const struct flow_bucket* bucket = table_flow_buckets(tables, index / kFlowWays);
  if (record && bucket && !flow_is_expired(way.settings, record, now_ms) &&
      !nlb_makes_way(record, bucket->entry[index & (kFlowWays - 1)], query, listener_index)) {
    if (!(record->flags & kFlowAlias) || record->backend != listener_index)
      return kDropNlbTupleConflict;
    const __u16 fin = flow->flags & kFlowClientFirst ? kFlowFin0 : kFlowFin1;
    record->flags = (__u16)((record->flags & ~kFlowFin0) | (flow->flags & fin ? kFlowFin0 : 0));
    record->last_seen_ms = now_ms;
    flow_publish(tables, index, query->hash, marks);
    return kDropNone;
  }
  __u32 generation;
  index = flow_place(&way, query, index, &generation);
  record = table_flow_records(tables, index);
  if (!record) return kDropFlowTableFull;
  const __u16 flags =
      kFlowAlias | (query->direction == 0 ? kFlowClientFirst | kFlowFirstEndOutside : 0);
  flow_start(&way, record, index, query, generation, 0, flags, (__u16)listener_index);
  flow_publish(tables, index, query->hash, marks);
  return kDropNone;
}

// An approved packet from the client of the NLB flow at query->place: to the target's address, port
// and MAC. `query` is used for that, too, and another one afterwards.
SLUICE_INLINE enum DropReason nlb_send_to_target(struct passage* way, frame* f, struct packet* p,
                                                 const struct flow_record* record,
                                                 struct flow_query* query) {
  const struct target* target = table_targets(way->tables, record->backend);
  if (!target || !(target->flags & kTargetInUse)) return kDropNlbNoTarget;
  if (!(target->flags & kTargetResolved)) return kDropNeighbourUnresolved;
  const __u32 listener_index = nlb_find_listener(way->tables, &p->tuple);
  if (listener_index == kNone16) return kDropNlbTranslation;  // the listener was removed
  struct nlb_change change = {
      {target->address[0], target->address[1], target->address[2], target->address[3]},
      target->port != 0 ? target->port : p->tuple.destination_port,
      kNlbDestination};
  enum DropReason reason = nlb_translate(f, p, &change);
  if (reason != kDropNone) return reason;
  const __u32 of = query->place;
  if (!flow_query_apart(way->tables, query, &p->tuple, record->attachment)) return kDropFlowUnknown;
  const __u64 where = way->cpu << kWhereCpu | (__u64)listener_index << kWhereTarget;
  reason = nlb_keep_alias(way->tables, query, where, of, way->now_ms);
  if (reason != kDropNone) return reason;
  way->counters->event[kEventNlbTranslated]++;
  count_to_backend(way, f, record->backend, p);

  const __u8* mac = target->mac;
  if (load_u32(mac) == 0 && load_u16(mac + 4) == 0) return kDropNone;
  __u8* data = frame_data(f);
  if (data + 6 > frame_end(f)) return kDropNoRoom;
  store_u32(data, load_u32(mac));
  store_u16(data + 4, load_u16(mac + 4));
  return kDropNone;
}

SLUICE_END
