// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Tells what becomes of packets that somebody wants to see (sighting.h). When nobody does, it costs
// the path two looks at settings.watching.
//
// It stands around the path, not in it: a look at the packet and at its flow before, and another
// one after. What has happened between them is what this CPU's event counters have counted, for a
// CPU has one packet on its way at a time.
#pragma once

#include "gateway/datapath/path_steps.h"

SLUICE_GATEWAY_BEGIN

// Whether a packet is what somebody wants to see, wherever it is.
SLUICE_STAGE int watch_fits(const struct watch* w, const struct sighting* s) {
  if (!w || !s) return 0;
  if (w->hash != 0 && w->hash != s->hash) return 0;
  if (w->attachment != kNone16 && w->attachment != s->flow.attachment) return 0;
  if (w->protocol != kWatchAnyProtocol &&
      (s->tuple.version == 0 || w->protocol != s->tuple.protocol))
    return 0;
  if (w->port != 0 && w->port != s->tuple.source_port && w->port != s->tuple.destination_port)
    return 0;
  if (w->version == 0) return 1;
  const __u32* a = w->address;
  const __u32* from = s->tuple.source;
  const __u32* to = s->tuple.destination;
  if (w->version != s->tuple.version) return 0;
  return ((a[0] ^ from[0]) | (a[1] ^ from[1]) | (a[2] ^ from[2]) | (a[3] ^ from[3])) == 0 ||
         ((a[0] ^ to[0]) | (a[1] ^ to[1]) | (a[2] ^ to[2]) | (a[3] ^ to[3])) == 0;
}

// Where a flow without a record comes in, whatever knows of it. `query`: with the endpoint.
SLUICE_STAGE __u32 watch_attachment(const struct path_tables* tables, struct flow_query* query,
                                    __u32 now_ms) {
  if (!query) return kNone16;
  const struct unrecorded_flow* flow =
      unrecorded_at(tables, unrecorded_find(tables, query, now_ms));
  return flow ? unrecorded_attachment(flow) : (__u32)kNone16;
}

// Looks up the flow of the tuple. Of a tuple as an NLB target sees it, turns it into what the
// client sees first. `attachment`: kNone16 if only the endpoint is known.
SLUICE_STAGE int watch_flow(const struct path_tables* tables, struct sighting* s, __u32 attachment,
                            __u64 endpoint_id, __u32 now_ms) {
  const struct settings* settings = table_settings(tables, 0);
  if (!s || !settings) return 0;
  s->flow.found = 0;
  if (s->tuple.version == 0) return 0;
  struct flow_query query;
  for (int again = 0; again < 2; again++) {
    if (!flow_query_apart(tables, &query, &s->tuple, attachment)) return 0;
    query.endpoint_id = endpoint_id;
    s->hash = query.hash;
    s->direction = (__u8)query.direction;
    const struct flow_record* record = table_flow_records(tables, flow_find(tables, &query));
    if (!record) {
      if (attachment == kNone16)
        s->flow.attachment = (__u16)watch_attachment(tables, &query, now_ms);
      return 0;
    }
    if (record->flags & kFlowAlias) {
      const struct listener* l = table_listeners(tables, record->backend);
      if (!l || flow_is_from_client(record, &query)) return 0;
      for (int i = 0; i < 4; i++) s->tuple.source[i] = l->address[i];
      s->tuple.source_port = l->port;
      continue;
    }
    s->flow.cookie = record->cookie;
    s->flow.target = record->target;
    s->flow.backend = record->backend;
    s->flow.flags = record->flags;
    s->flow.chain = record->key.zero;
    s->flow.attachment = record->attachment;
    s->flow.rule = record->rule;
    s->flow.found = 1;
    return 1;
  }
  return 0;
}

// Tells those who want to see packets at this stage. There are no branches in the loops, for the
// verifier would take all ways through them.
SLUICE_STAGE int watch_tell(const struct path_tables* tables, frame* f, __u32 stage, __u32 cpu,
                            __u32 now_ms) {
  struct watch_state* state = table_watch_states(tables, cpu & (kCpusMax - 1));
  struct counters* counters = table_counters(tables, cpu & (kCpusMax - 1));
  const struct watch_list* list = table_watches(tables, 0);
  if (!state || !counters || !list) return 0;
  struct sighting* s = &state->now;
  const __u32 all = s->watches;
  __u32 bytes = 0;
  __u32 wanted = 0;
#pragma GCC unroll 8
  for (__u32 i = 0; i < kWatchesMax; i++) {
    const __u32 one = all >> i & list->watch[i].stages >> (stage & 31) & 1;
    wanted |= one << i;
    bytes |= list->watch[i].bytes & -one;  // enough for all of them
  }
  if (wanted == 0) return 0;
  s->time_ns = frame_time_ns(now_ms);
  s->stage = (__u8)stage;
  s->length = frame_length(f);
  s->captured = bytes < s->length ? bytes : s->length;
  s->watches = wanted;
  struct gate* gate = gate_of(tables, cpu, now_ms);
  const int told = gate && gate->seen++ < kSightingsMax && frame_tell(tables, f, s) == 0;
  s->watches = all;
  if (told) return 1;
  counters->event[kEventSightingLost]++;
#pragma GCC unroll 8
  for (__u32 i = 0; i < kWatchesMax; i++) state->lost[i] += wanted >> i & 1;
  return 0;
}

// A frame from outside or inside.
SLUICE_STAGE int watch_read_frame(const struct path_tables* tables, frame* f, struct sighting* s,
                                  __u32 attachment, __u32 now_ms) {
  const struct attachment* at = table_attachments(tables, attachment);
  struct packet p;
  if (!s || !at) return 0;
  const enum DropReason reason = frame_read(f, &p);
  if (reason != kDropNone || p.tuple.version == 0) return 0;
  struct fragment piece;
  if ((p.flags & kPacketFragment) && fragment_read(f, &p, &piece) == kDropNone) {
    fragment_name(tables, &p.tuple, at->endpoint_id, &piece);
    fragment_recall(tables, &p, &piece);
  }
  s->tuple = p.tuple;
  s->packet_length = p.l3_length;
  s->packet_flags = p.flags;
  s->tcp_flags = p.tcp_flags;
  return watch_flow(tables, s, attachment, 0, now_ms);
}

// A frame from a tunnel. 0 if it is none of the gateway's.
SLUICE_STAGE int watch_read_datagram(const struct path_tables* tables, frame* f, struct sighting* s,
                                     __u32 now_ms) {
  struct datagram d;
  if (!s) return 0;
  d.inner.tuple.version = 0;
  d.inner.flags = 0;
  const enum DropReason reason = datagram_read(tables, f, &d);
  if (!d.ours) return 0;
  if (reason != kDropNone) return 1;
  struct fragment piece;
  if ((d.inner.flags & kPacketFragment) && fragment_read(f, &d.inner, &piece) == kDropNone) {
    fragment_name(tables, &d.inner.tuple, d.geneve.endpoint_id, &piece);
    fragment_recall(tables, &d.inner, &piece);
  }
  s->tuple = d.inner.tuple;
  s->packet_length = d.inner.l3_length;
  s->packet_flags = d.inner.flags;
  s->tcp_flags = d.inner.tcp_flags;
  watch_flow(tables, s, kNone16, d.geneve.endpoint_id, now_ms);
  return 1;
}

// Before anything is done with a frame that came in at `interface_index`.
SLUICE_STAGE int watch_begin(const struct path_tables* tables, frame* f, __u32 interface_index,
                             __u32 cpu, __u32 now_ms) {
  struct watch_state* state = table_watch_states(tables, cpu & (kCpusMax - 1));
  const struct counters* counters = table_counters(tables, cpu & (kCpusMax - 1));
  const struct settings* settings = table_settings(tables, 0);
  const struct watch_list* list = table_watches(tables, 0);
  const struct port* port = table_ports(tables, interface_index);
  if (!state || !counters || !settings || !list || !port) return 0;
  struct sighting* s = &state->now;
  __builtin_memset(s, 0, sizeof(*s));
  s->came_in = interface_index;
  s->former_target = kNone16;
  s->flow.attachment = port->role == kPortTunnel ? (__u16)kNone16 : port->attachment;
  if (port->role == kPortTunnel) {
    if (!watch_read_datagram(tables, f, s, now_ms)) return 0;
  } else {
    watch_read_frame(tables, f, s, port->attachment, now_ms);
  }
  if (s->flow.found) s->former_target = s->flow.target;
  __u32 watches = 0;
#pragma GCC unroll 8
  for (__u32 i = 0; i < kWatchesMax; i++)
    watches |= (__u32)(watch_fits(&list->watch[i], s) & 1) << i;
  watches &= settings->watching;
  s->watches = watches;
  if (watches == 0) return 0;
  for (int i = 0; i < 32; i++) state->events[i] = counters->event[i];
  // What comes from the slow path was seen when it came in.
  if (!frame_is_slow(f))
    watch_tell(tables, f, port->role == kPortTunnel ? kSeenReturned : kSeenIn, cpu, now_ms);
  return 1;
}

SLUICE_INLINE __u32 watch_stage(enum Verdict verdict) {
  switch (verdict) {
    case kVerdictTarget:
      return kSeenEncapsulated;
    case kVerdictOutside:
    case kVerdictInside:
      return kSeenDelivered;
    case kVerdictCross:
      return kSeenCrossed;
    case kVerdictSlowPath:
      return kSeenHandedOver;
    case kVerdictProbe:
      return kSeenProbe;
    case kVerdictMirror:
      return kSeenMirror;
    default:
      return kSeenDropped;
  }
}

// At the end of its way. `end`: as path_end() tells it.
SLUICE_STAGE int watch_end(const struct path_tables* tables, frame* f, __u64 end, __u32 cpu,
                           __u32 now_ms) {
  struct watch_state* state = table_watch_states(tables, cpu & (kCpusMax - 1));
  const struct counters* counters = table_counters(tables, cpu & (kCpusMax - 1));
  if (!state || !counters || state->now.watches == 0) return 0;
  struct sighting* s = &state->now;
  const enum Verdict verdict = (enum Verdict)(end & 0xff);
  // What waits in the slow path was seen when it was handed over.
  if (verdict == kVerdictStack || (verdict == kVerdictSlowPath && frame_is_slow(f))) {
    s->watches = 0;
    return 0;
  }
  __u64 events = 0;
  for (int i = 0; i < 32; i++) {
    __u64 change = counters->event[i] ^ state->events[i];
    change = (change | -change) >> 63;
    events |= change << i;
  }
  s->events = events & ~((__u64)1 << kEventSightingLost);
  s->verdict = (__u8)verdict;
  s->reason = (__u8)(end >> 8);
  s->leaves_by = verdict == kVerdictDrop || verdict == kVerdictProbe ? 0 : (__u32)(end >> 32);
  const struct port* port = table_ports(tables, s->came_in);
  if (port && port->role != kPortTunnel)
    watch_flow(tables, s, port->attachment, 0, now_ms);
  else if (s->flow.found)
    watch_flow(tables, s, s->flow.attachment, 0, now_ms);
  watch_tell(tables, f, watch_stage(verdict), cpu, now_ms);
  s->watches = 0;
  return 1;
}

// The same, if somebody looks. `clock`: the CPU above 32 bits of time. Both ask: what one keeps for
// the other would make the verifier (6.x) look at the path twice.
SLUICE_INLINE void watch_before(const struct path_tables* tables, frame* f, __u32 interface_index,
                                __u64 clock) {
  const struct settings* settings = table_settings(tables, 0);
  if (settings && settings->watching)
    watch_begin(tables, f, interface_index, clock >> 32, (__u32)clock);
}
SLUICE_INLINE void watch_after(const struct path_tables* tables, frame* f, __u64 end, __u64 clock) {
  const struct settings* settings = table_settings(tables, 0);
  if (settings && settings->watching) watch_end(tables, f, end, clock >> 32, (__u32)clock);
}

SLUICE_END
