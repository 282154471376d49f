// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The packet path: what happens to a frame, from the port it comes in at to exactly one verdict.
//
//   outside or inside: parse > flow > steer > encapsulate > target           path_forward
//   tunnel:            decapsulate > flow > deliver > the other side         path_return
//
// One function per direction owns the order and every branch; the stages below it are in their own
// files. docs/life-of-a-packet.md tells the same story.
#pragma once

#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/partial_checksum.h"
#include "gateway/nlb/translate.h"

SLUICE_GATEWAY_BEGIN

// How a packet leaves the path, beside its verdict.
struct departure {
  __u32 interface;  // to leave by, with kVerdictCross, Target, Outside, Inside
  __u32 reason;     // DropReason, with kVerdictDrop
};

// What a packet's way through the path carries along; lives on the stack of path_enter.
struct passage {
  const struct path_tables* tables;
  const struct settings* settings;
  struct counters* counters;
  __u32 cpu;
  __u32 now_ms;
  struct departure departure;
};

SLUICE_INLINE enum Verdict path_drop(struct passage* way, enum DropReason reason) {
  way->counters->drop[(__u32)reason & 63]++;
  way->departure.reason = reason;
  return kVerdictDrop;
}

// ---- flows ----

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

// ---- the NLB stage ----

// An answer of an NLB target: gives it the listener's address back, so that the appliance sees the
// flow that the client opened. *index is the alias's place and becomes that flow's.
SLUICE_INLINE enum DropReason nlb_return_to_listener(struct passage* way, frame* f,
                                                     struct packet* p, struct flow_query* query,
                                                     __u32* index) {
  struct flow_record* alias = table_flow_records(way->tables, *index);
  if (!alias) return kDropFlowUnknown;
  // From the client's end it is no answer, but a packet past the listener with an NLB flow's tuple.
  if ((query->direction == 0) == ((alias->flags & kFlowClientFirst) != 0))
    return kDropNlbTupleConflict;
  const struct listener* l = table_listeners(way->tables, alias->backend);
  if (!l || !l->in_use) return kDropNlbNoTarget;
  alias->last_seen_ms = way->now_ms;
  flow_publish(way->tables, way->settings, *index, query->hash, kFlowEstablished, way->now_ms);
  if (checksum_is_partial(frame_data(f), frame_end(f), p) && checksum_complete(f, p))
    way->counters->event[kEventChecksumCompleted]++;
  struct nlb_change change = {
      {l->address[0], l->address[1], l->address[2], l->address[3]}, l->port, kNlbSource};
  const enum DropReason reason = nlb_translate(f, p, &change);
  if (reason != kDropNone) return reason;
  way->counters->event[kEventNlbTranslated]++;
  flow_query_from_tuple(query, way->settings, &p->tuple, query->attachment, 0);
  *index = flow_find(way->tables, query);
  return *index == kFlowNotFound ? kDropFlowUnknown : kDropNone;
}

// Makes sure that the answers of an NLB target are recognised: a record of the tuple as the target
// sees it.
SLUICE_INLINE enum DropReason nlb_keep_alias(struct passage* way, const struct tuple* translated,
                                             __u32 attachment_index, __u32 listener_index) {
  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, translated, attachment_index, 0);
  __u32 index = flow_find(way->tables, &query);
  struct flow_record* record = table_flow_records(way->tables, index);
  if (record && !flow_is_expired(way->settings, record, way->now_ms)) {
    if (!(record->flags & kFlowAlias) || record->backend != listener_index)
      return kDropNlbTupleConflict;
    record->last_seen_ms = way->now_ms;
    return kDropNone;
  }
  if (index == kFlowNotFound) index = flow_claim(way->tables, query.hash, way->now_ms, way->cpu);
  record = table_flow_records(way->tables, index);
  struct flow_usage* usage = table_flow_usages(way->tables, index);
  if (!record || !usage) return kDropFlowTableFull;
  const __u16 flags =
      kFlowAlias | (query.direction == 0 ? kFlowClientFirst | kFlowFirstEndOutside : 0);
  flow_start(way, record, usage, &query, 0, flags, (__u16)listener_index);
  flow_publish(way->tables, way->settings, index, query.hash, kFlowEstablished, way->now_ms);
  return kDropNone;
}

// An approved packet from the client of an NLB flow: to the target's address, port and MAC.
SLUICE_INLINE enum DropReason nlb_send_to_target(struct passage* way, frame* f, struct packet* p,
                                                 const struct flow_record* record) {
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
  reason = nlb_keep_alias(way, &p->tuple, record->attachment, listener_index);
  if (reason != kDropNone) return reason;
  way->counters->event[kEventNlbTranslated]++;

  const __u8* mac = target->mac;
  if (load_u32(mac) == 0 && load_u16(mac + 4) == 0) return kDropNone;
  __u8* data = frame_data(f);
  if (data + 6 > frame_end(f)) return kDropNoRoom;
  store_u32(data, load_u32(mac));
  store_u16(data + 4, load_u16(mac + 4));
  return kDropNone;
}

// ---- from outside or inside, to a target ----

// The frame's headers. A frame that is not IP has version 0 in its tuple and no error.
SLUICE_STAGE enum DropReason frame_parse(frame* f, struct packet* p) {
  if (!p) return kDropFrameTruncated;
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  const __u16 ether_type = parse_ethernet(data, end, p);
  if (ether_type == 0) return kDropFrameTruncated;
  p->tuple.version = 0;
  if (ether_type != kEtherTypeIpv4 && ether_type != kEtherTypeIpv6) return kDropNone;
  return parse_ip(data, end, ether_type == kEtherTypeIpv4 ? 4 : 6, p);
}

// A frame from outside (side 0) or inside (side 1).
SLUICE_INLINE enum Verdict path_forward(struct passage* way, frame* f, __u32 attachment_index,
                                        __u32 side) {
  const struct attachment* attachment = table_attachments(way->tables, attachment_index);
  if (!attachment || !attachment->in_use) return kVerdictStack;
  way->departure.interface = attachment->interface[(side ^ 1) & 1];

  struct packet p;
  enum DropReason reason = frame_parse(f, &p);
  if (reason != kDropNone) return path_drop(way, reason);
  if (p.tuple.version == 0 || (p.flags & kPacketNeighbourDiscovery)) return kVerdictCross;
  const int padding = (int)frame_length(f) - (int)(p.l3_offset + p.l3_length);
  if (padding > 0 && frame_move_tail(f, -padding) != 0) return path_drop(way, kDropNoRoom);

  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &p.tuple, attachment_index, 0);
  __u32 index = flow_find(way->tables, &query);
  struct flow_record* record = table_flow_records(way->tables, index);
  if (record && (record->flags & kFlowAlias) &&
      !flow_is_expired(way->settings, record, way->now_ms)) {
    reason = nlb_return_to_listener(way, f, &p, &query, &index);
    if (reason != kDropNone) return path_drop(way, reason);
    record = table_flow_records(way->tables, index);
  }

  const struct target* target = record ? table_targets(way->tables, record->target) : 0;
  if (!target || !(target->flags & kTargetInUse) || flow_has_ended(way, record, &p) ||
      flow_may_move(way, record, index, &query, &p, attachment->group)) {
    reason = flow_open(way, &p, &query, attachment->group, side, &index);
    if (reason != kDropNone) return path_drop(way, reason);
    record = table_flow_records(way->tables, index);
    if (!record) return path_drop(way, kDropFlowTableFull);
    target = table_targets(way->tables, record->target);
  }
  reason = flow_remember_layer2(way, f, p.l3_offset, record, query.direction);
  flow_account(way, index, record, &query, p.l3_length);
  if (reason != kDropNone) return path_drop(way, reason);

  if (!target || !(target->flags & kTargetInUse)) return path_drop(way, kDropNoTarget);
  if (!(target->flags & kTargetResolved)) return path_drop(way, kDropNeighbourUnresolved);
  if (p.l3_length + kEncapsulationOverhead > target->mtu) return path_drop(way, kDropTooBig);
  if (checksum_is_partial(frame_data(f), frame_end(f), &p) && checksum_complete(f, &p))
    way->counters->event[kEventChecksumCompleted]++;
  reason = encapsulate(f, &p, target, attachment, query.hash, record->cookie);
  if (reason != kDropNone) return path_drop(way, reason);

  struct target_counters* sent = table_target_counters(way->tables, record->target);
  if (sent) {
    sent->packets_sent++;
    sent->bytes_sent += p.l3_length;
  }
  way->departure.interface = target->interface;
  return kVerdictTarget;
}

// ---- from a target, to the other side ----

// The registered target at an outer address, or kNone16.
SLUICE_STAGE __u32 source_target(const struct path_tables* tables, __u32 address) {
  const __u32 home = source_home(address);
  for (__u32 i = 0; i < kProbesMax; i++) {
    const struct source* s = table_sources(tables, (home + i) & (kSourcesMax - 1));
    if (!s || !s->in_use) return kNone16;
    if (s->address == address) return s->target;
  }
  return kNone16;
}

// Whether a datagram is what its flow's target may return; *index becomes the flow's place.
SLUICE_INLINE enum DropReason verify_return(const struct passage* way, const struct datagram* d,
                                            struct flow_query* query, __u32* index) {
  const __u32 from = source_target(way->tables, d->source);
  if (from == kNone16) return kDropSourceUnregistered;
  *index = flow_find(way->tables, query);
  const struct flow_record* record = table_flow_records(way->tables, *index);
  if (!record) return query->elsewhere ? kDropEndpointMismatch : kDropFlowUnknown;
  if (record->flags & kFlowAlias) return kDropFlowUnknown;
  const struct attachment* attachment = table_attachments(way->tables, record->attachment);
  if (!attachment || attachment->attachment_id != d->geneve.attachment_id)
    return kDropEndpointMismatch;
  if (record->target != from) return kDropTargetMismatch;
  if (record->cookie != d->geneve.flow_cookie) return kDropCookieMismatch;
  return kDropNone;
}

// Puts back the header that this direction's frames came with, or the other direction's turned
// round when nothing has come this way yet (an appliance's reset, say).
SLUICE_INLINE enum DropReason restore_layer2(const struct passage* way, frame* f,
                                             struct packet* inner, const struct flow_record* record,
                                             __u32 direction) {
  int swapped = 0;
  const struct layer2* header = layer2_get(way->tables, record->layer2[direction & 1]);
  if (!header) {
    header = layer2_get(way->tables, record->layer2[(direction ^ 1) & 1]);
    swapped = 1;
  }
  return header ? decapsulate(f, inner, header, swapped) : kDropLayer2Gone;
}

// A frame from an interface that faces the appliances.
SLUICE_INLINE enum Verdict path_return(struct passage* way, frame* f) {
  struct datagram d;
  enum DropReason reason = datagram_parse(way->tables, f, &d);
  if (!d.ours) return kVerdictStack;
  if (reason != kDropNone) return path_drop(way, reason);

  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &d.inner.tuple, kNone16, d.geneve.endpoint_id);
  __u32 index = kFlowNotFound;
  reason = verify_return(way, &d, &query, &index);
  if (reason != kDropNone) return path_drop(way, reason);
  struct flow_record* record = table_flow_records(way->tables, index);
  if (!record) return path_drop(way, kDropFlowUnknown);
  const struct attachment* attachment = table_attachments(way->tables, record->attachment);
  if (!attachment || !attachment->in_use) return path_drop(way, kDropEndpointMismatch);

  reason = restore_layer2(way, f, &d.inner, record, query.direction);
  if (reason != kDropNone) return path_drop(way, reason);
  flow_follow_tcp(record, &d.inner, query.direction);
  const int from_client = (query.direction == 0) == ((record->flags & kFlowClientFirst) != 0);
  if ((record->flags & kFlowNlb) && from_client) {
    reason = nlb_send_to_target(way, f, &d.inner, record);
    if (reason != kDropNone) return path_drop(way, reason);
  }

  struct target_counters* returned = table_target_counters(way->tables, record->target);
  if (returned) {
    returned->packets_returned++;
    returned->bytes_returned += d.inner.l3_length;
  }
  const int from_outside = (query.direction == 0) == ((record->flags & kFlowFirstEndOutside) != 0);
  way->departure.interface = attachment->interface[from_outside ? 1 : 0];
  return from_outside ? kVerdictInside : kVerdictOutside;
}

// The entry: a frame that came in at `interface_index`.
SLUICE_INLINE enum Verdict path_enter(const struct path_tables* tables, frame* f,
                                      __u32 interface_index, __u32 cpu, __u32 now_ms,
                                      struct departure* departure) {
  const struct port* port = table_ports(tables, interface_index);
  if (!port || port->role == kPortUnused) return kVerdictStack;
  struct passage way;
  way.tables = tables;
  way.settings = table_settings(tables, 0);
  way.cpu = cpu & (kCpusMax - 1);
  way.counters = table_counters(tables, way.cpu);
  way.now_ms = now_ms;
  way.departure.interface = 0;
  way.departure.reason = kDropNone;
  if (!way.settings || !way.counters) return kVerdictStack;
  const enum Verdict verdict = port->role == kPortTunnel ? path_return(&way, f)
                                                         : path_forward(&way, f, port->attachment,
                                                                        port->role == kPortInside);
  way.counters->verdict[verdict]++;
  *departure = way.departure;
  return verdict;
}

SLUICE_END
