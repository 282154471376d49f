// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The packet path: what happens to a frame, from the port it comes in at to exactly one verdict.
//
//   outside or inside: parse > flow > steer > encapsulate > target           path_forward
//   tunnel:            decapsulate > flow > deliver > the other side         path_return
//
// One function per direction owns the order and every branch; the stages below it are in their own
// files. docs/life-of-a-packet.md tells the same story.
#pragma once

#include "gateway/datapath/hint.h"
#include "gateway/datapath/mirror.h"
#include "gateway/datapath/profiled_return.h"
#include "gateway/datapath/unrecorded_path.h"
#include "gateway/datapath/watch.h"

SLUICE_GATEWAY_BEGIN

// ---- from outside or inside, to a target ----

// A packet that may not go on. Who sent it is told by RST where that is wanted.
SLUICE_INLINE enum Verdict path_refuse(struct passage* way, frame* f, struct packet* p,
                                       const struct flow_record* record, int from_backend,
                                       const struct attachment* attachment, __u32 side,
                                       enum DropReason reason) {
  const int ended = reason == kDropFlowExpired || reason == kDropFlowNotBegun;
  const int resets =
      (ended && (attachment->flags & kAttachmentResets)) || reason == kDropTargetLost;
  path_drop(way, reason);
  if (!resets) return kVerdictDrop;
  // An NLB target must see its own address in the answer.
  if (from_backend && record) nlb_undo_return(way->tables, f, p, record->backend);
  if (!answer_reset(f, p)) return kVerdictDrop;
  way->counters->event[kEventResetSent]++;
  way->departure.interface = attachment->interface[side & 1];
  return kVerdictAnswered;
}

// A packet of a flow whose appliance has seen enough: straight to the other side.
SLUICE_INLINE enum Verdict path_bypass(struct passage* way, frame* f, struct packet* p,
                                       struct flow_record* record,
                                       const struct attachment* attachment,
                                       struct flow_query* query, __u32 side) {
  checksum_settle(way, f, p);
  flow_follow_tcp(way, record, query, p);
  if ((record->flags & kFlowNlb) && side == 0) {
    const enum DropReason reason = nlb_send_to_target(way, f, p, record, query);
    if (reason != kDropNone) return path_drop(way, reason);
  }
  record->delivered += frame_packets(f, p);
  const int failed_open = way->fails_open || record->target == kNone16 ||
                          (flow_is_chain(record) && (record->key.zero & kFlowSkipsForLack));
  way->counters->event[failed_open ? kEventFailedOpen : kEventBypassed]++;
  way->departure.interface = attachment->interface[(side ^ 1) & 1];
  return side == 0 ? kVerdictInside : kVerdictOutside;
}

// A fragment that cannot go on from here: the slow path's, or dropped as what `reason` says.
SLUICE_INLINE enum Verdict path_stop_fragment(struct passage* way, frame* f,
                                              const struct fragment* piece, __u32 interface,
                                              enum DropReason reason) {
  if (reason != kDropFragmentEarly) return path_drop(way, reason);
  if (path_hand_over(way, f, interface, 0) != 0) return path_drop(way, kDropSlowPathFull);
  fragment_await(way->tables, piece, fragment_clock(way));
  return kVerdictSlowPath;
}

// A frame from outside (side 0) or inside (side 1).
SLUICE_INLINE enum Verdict path_forward(struct passage* way, frame* f, __u32 attachment_index,
                                        __u32 side) {
  const struct attachment* attachment = table_attachments(way->tables, attachment_index);
  if (!attachment || !attachment->in_use) return kVerdictStack;
  way->departure.interface = attachment->interface[(side ^ 1) & 1];

  struct packet p;
  enum DropReason reason = frame_read(f, &p);
  if (reason != kDropNone) return path_drop(way, reason);
  if (p.tuple.version == 0 || (p.flags & kPacketNeighbourDiscovery)) return kVerdictCross;
  const int padding = (int)frame_length(f) - (int)(p.l3_offset + p.l3_length);
  if (padding > 0 && frame_move_tail(f, -padding) != 0) return path_drop(way, kDropNoRoom);

  if (p.flags & kPacketFragment) {
    struct fragment piece;
    reason = fragment_read(f, &p, &piece);
    if (reason != kDropNone) return path_drop(way, reason);
    fragment_name(way->tables, &p.tuple, attachment->endpoint_id, &piece);
    reason = fragment_follow(way->tables, &p, &piece, fragment_clock(way), frame_is_slow(f));
    if (reason != kDropNone)
      return path_stop_fragment(way, f, &piece, attachment->interface[side & 1], reason);
  }

  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &p.tuple, attachment_index, 0);
  query.place = flow_look_up(way->tables, way->settings, &query);
  struct flow_record* record = table_flow_records(way->tables, query.place);
  int from_backend = 0;
  if (record && (record->flags & kFlowAlias) &&
      !flow_is_expired(way->settings, record, way->now_ms)) {
    // Targets are inside: from outside it is no answer, whoever it says has sent it.
    if (side == 0) return path_drop(way, kDropNlbTupleConflict);
    reason = nlb_return_to_listener(way, f, &p, &query);
    if (reason != kDropNone) return path_drop(way, reason);
    record = table_flow_records(way->tables, query.place);
    from_backend = 1;
    if (p.flags & kPacketFirstFragment) {
      struct fragment piece;
      reason = fragment_read(f, &p, &piece);
      if (reason != kDropNone) return path_drop(way, reason);
      fragment_name(way->tables, &p.tuple, attachment->endpoint_id, &piece);
      fragment_note(way->tables, &p, &piece, fragment_clock(way));
    }
  }

  const struct target* target = record ? table_targets(way->tables, record->target) : 0;
  if (!target || !target_serves(target) || flow_has_ended(way, record, &p) ||
      flow_may_move(way, record, query.place, &query, &p, attachment)) {
    reason = flow_revise(way, &p, &query, attachment, side);
    if ((reason == kDropNewFlowRate || reason == kDropFlowTableFull) && !from_backend)
      return path_again(way, reason);
    if (reason != kDropNone)
      return path_refuse(way, f, &p, record, from_backend, attachment, side, reason);
    record = table_flow_records(way->tables, query.place);
    if (!record) return path_drop(way, kDropFlowTableFull);
    target = table_targets(way->tables, record->target);
  }
  __u32 cookie = record->cookie;
  __u32 appliance = record->target;
  __u32 mtu = target ? target->mtu : 0;
  if (!target && flow_is_chain(record) && !(record->flags & kFlowBypass)) {
    const __u64 stop = path_first_hop(way, record, &query);
    appliance = (__u32)stop & 0xffff;
    way->fails_open |= appliance == kNone16;
    mtu = (__u32)stop >> 16;
    cookie = (__u32)(stop >> 32);
    target = table_targets(way->tables, appliance);
  }
  const int inspected = !(record->flags & kFlowBypass) && !way->fails_open;
  if (inspected && target && (target->flags & kTargetInUse) && path_may_cut(f, &p, mtu)) {
    record->last_seen_ms = way->now_ms;
    flow_stamp(way->tables, query.place, query.hash, way->now_ms);
    return path_cut(way, f, attachment->interface[side & 1], mtu);
  }
  reason = flow_remember_layer2(way, f, p.l3_offset, record, query.direction);
  flow_account(way, record, &query, frame_packets(f, &p), frame_bytes(f, &p));
  if (reason != kDropNone) return path_drop(way, reason);

  if (!inspected) {
    if (record->flags & kFlowMirror)
      mirror_hand_over(way->tables, f, &query, mirror_what(kMirrorPassing, f, &p),
                       fragment_clock(way));
    return path_bypass(way, f, &p, record, attachment, &query, side);
  }
  if (!target || !(target->flags & kTargetInUse)) return path_drop(way, kDropNoTarget);
  if (!(target->flags & kTargetResolved)) return path_drop(way, kDropNeighbourUnresolved);
  if (frame_longest(f, &p) > mtu)
    return path_too_big(way, f, &p, record, from_backend, mtu, attachment->interface[side & 1]);
  checksum_settle(way, f, &p);
  if ((p.tcp_flags & kTcpSyn) && way->settings->mss_clamp && mss_clamp(f, &p, mtu))
    way->counters->event[kEventMssClamped]++;
  if (record->flags & kFlowMirror)
    mirror_hand_over(way->tables, f, &query, mirror_what(kMirrorCopy, f, &p), fragment_clock(way));
  const enum Verdict verdict =
      path_send(way, f, &p, target, appliance, attachment, &query, cookie, 0);
  if (verdict == kVerdictTarget && flow_is_chain(record)) path_count_passed(way, record, &query);
  return verdict;
}

// ---- from a target, to the other side ----

// A datagram that is not under its flow's present cookie: taken if the cookie is the one before,
// its target sends it, and the change is young. Cookies carry their target and a keyed digest, so
// nothing had to be kept about it.
SLUICE_INLINE enum DropReason former_cookie(const struct passage* way,
                                            const struct flow_query* query,
                                            const struct flow_record* record, __u32 cookie,
                                            __u32 from) {
  const __u32 generation = cookie >> 28;
  const struct flow_usage* usage = table_flow_usages(way->tables, query->place);
  int genuine = flow_had_another_cookie(record) &&
                (((record->cookie >> 28) - generation) & 15) == 1 &&
                flow_cookie_apart(way->tables, query->hash, from, generation, 0) == cookie;
  // Or the flow had no record until now.
  if (!genuine && usage && record->target == from)
    genuine = (int)unrecorded_cookie_fits(way->tables, query, cookie, from, usage->created_ms);
  if (!genuine) return record->target != from ? kDropTargetMismatch : kDropCookieMismatch;
  const int young = usage && silence_ms(usage->created_ms, way->now_ms) <= kFormerCookieMs;
  return young ? kDropNone : kDropCookieExpired;
}

// Whether a datagram is what its flow's target may return: a drop reason, and as chain_verify for a
// flow with a chain. query->place becomes the flow's.
SLUICE_INLINE __u32 verify_return(const struct passage* way, struct datagram* d,
                                  struct flow_query* query) {
  const __u32 from = d->from;
  if (from == kNone16) return kDropSourceUnregistered;
  query->place = flow_look_up(way->tables, way->settings, query);
  const struct flow_record* record = table_flow_records(way->tables, query->place);
  if (!record) return query->elsewhere ? kDropEndpointMismatch : kDropFlowUnknown;
  if (record->flags & kFlowAlias) return kDropFlowUnknown;
  if (source_is_profiled(from)) return verify_profiled(way->tables, d, query->place);
  const struct attachment* attachment = table_attachments(way->tables, record->attachment);
  if (!attachment || attachment->attachment_id != d->geneve.attachment_id)
    return kDropEndpointMismatch;
  if (record->target == from && record->cookie == d->geneve.flow_cookie) return kDropNone;
  __u32 verified;
  if (flow_is_chain(record)) {
    verified = chain_verify(way->tables, query, d->geneve.flow_cookie, from, way->now_ms);
    if (!(verified & kChainFormer)) return verified;
  } else {
    verified = former_cookie(way, query, record, d->geneve.flow_cookie, from);
    if (verified != kDropNone) return verified;
  }
  // It has seen enough of the flow to guess what its cookie was.
  if ((record->flags & kFlowMirror) && mirror_is_target(way->tables, query, from))
    return kDropTargetMismatch;
  way->counters->event[kEventFormerCookie]++;
  return verified;
}

// A frame from an interface that faces the appliances.
SLUICE_INLINE enum Verdict path_return(struct passage* way, frame* f) {
  struct datagram d;
  enum DropReason reason = kDropNone;
  if (!datagram_parse_plain(way->tables, way->settings, f, &d))
    reason = datagram_read(way->tables, f, &d);
  if (!d.ours) return kVerdictStack;
  if (reason != kDropNone) return path_drop(way, reason);

  struct fragment piece;
  if (d.inner.flags & kPacketFragment) {
    reason = fragment_read(f, &d.inner, &piece);
    if (reason != kDropNone) return path_drop(way, reason);
    fragment_name(way->tables, &d.inner.tuple, d.geneve.endpoint_id, &piece);
    fragment_recall(way->tables, &d.inner, &piece);
  }
  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &d.inner.tuple, kNone16, d.geneve.endpoint_id);
  const __u32 verified = verify_return(way, &d, &query);
  if (verified == kDropFlowUnknown || verified == kDropEndpointMismatch)
    return path_again(way, (enum DropReason)verified);
  if (verified & 0xff) {
    if (mirror_is_answer(way->tables, &query, d.geneve.flow_cookie, d.from))
      return mirror_end(way, f, &d, &query, fragment_clock(way));
    return path_stray(way, f, &d, (enum DropReason)(verified & 0xff));
  }
  struct flow_record* record = table_flow_records(way->tables, query.place);
  if (!record) return path_drop(way, kDropFlowUnknown);
  const struct attachment* attachment = table_attachments(way->tables, record->attachment);
  if (!attachment || !attachment->in_use) return path_drop(way, kDropEndpointMismatch);
  if (d.inner.flags & kPacketFirstFragment)
    fragment_note(way->tables, &d.inner, &piece, fragment_clock(way));

  const int from_client = flow_is_from_client(record, &query);
  if (verified != kDropNone) {
    const __u32 hop = verified >> 8 & 7;
    if (d.geneve.hint != 0 && !(verified & kChainFormer))
      hint_take(way, d.geneve.hint, record, hop, &query);
    const __u64 stop = chain_next(way->tables, &query, hop, (__u32)from_client);
    if ((stop & 0xffff) != kNone16) {
      query.attachment = record->attachment;
      const enum Verdict verdict = path_relay(way, f, &d, attachment, &query, stop);
      if (verdict == kVerdictTarget)
        chain_count_passed(way->tables, &query, hop | way->cpu << kPositionCpu, (__u32)from_client);
      return verdict;
    }
  }
  reason = restore_layer2(way, f, &d.inner, record->layer2[query.direction & 1],
                          record->layer2[(query.direction ^ 1) & 1]);
  if (reason != kDropNone) return path_drop(way, reason);
  if (record->flags & kFlowMirror)
    mirror_hand_over(way->tables, f, &query, mirror_what(kMirrorDelivered, f, &d.inner),
                     fragment_clock(way));
  flow_follow_tcp(way, record, &query, &d.inner);
  // From the flow's present target only: a former one's advice is old.
  if (d.geneve.hint != 0 && verified == kDropNone && d.geneve.flow_cookie == record->cookie)
    hint_take(way, d.geneve.hint, record, 0, &query);
  if (verified != kDropNone)
    chain_count_passed(way->tables, &query, (verified >> 8 & 7) | way->cpu << kPositionCpu,
                       (__u32)from_client);
  const int from_outside = (query.direction == 0) == ((record->flags & kFlowFirstEndOutside) != 0);
  if ((record->flags & kFlowNlb) && from_client) {
    reason = nlb_send_to_target(way, f, &d.inner, record, &query);
    if (reason != kDropNone) return path_drop(way, reason);
  }

  record->delivered += frame_packets(f, &d.inner);
  count_return(way, f, &d);
  way->departure.interface = attachment->interface[from_outside ? 1 : 0];
  return from_outside ? kVerdictInside : kVerdictOutside;
}

// Each direction is a function of its own in the kernel host, too, for its frame on the stack. They
// return all that there is to say: the verdict, the drop reason above 8 bits, and the interface
// above 32.
SLUICE_INLINE __u64 path_end(struct passage* way, const frame* f, enum Verdict verdict) {
  // What waits in the slow path has been counted when it was handed over.
  if (verdict != kVerdictAgain && (verdict != kVerdictSlowPath || !frame_is_slow(f)))
    way->counters->verdict[verdict]++;
  return verdict | way->departure.reason << 8 | (__u64)way->departure.interface << 32;
}

SLUICE_HALF __u64 path_in(const struct path_tables* tables, frame* f, const struct port* port,
                          __u64 clock) {
  struct passage way;
  passage_begin(&way, tables, clock >> 32, (__u32)clock);
  if (!way.settings || !way.counters) return kVerdictStack;
  return path_end(&way, f, path_forward(&way, f, port->attachment, port->role == kPortInside));
}

SLUICE_HALF __u64 path_back(const struct path_tables* tables, frame* f, __u64 clock) {
  struct passage way;
  passage_begin(&way, tables, clock >> 32, (__u32)clock);
  if (!way.settings || !way.counters) return kVerdictStack;
  return path_end(&way, f, path_return(&way, f));
}

SLUICE_HALF __u64 path_in_unrecorded(const struct path_tables* tables, frame* f,
                                     const struct port* port, __u32 cpu_and_reason, __u32 now_ms) {
  struct passage way;
  passage_begin(&way, tables, cpu_and_reason & 0xff, now_ms);
  if (!way.settings || !way.counters) return kVerdictStack;
  return path_end(&way, f,
                  unrecorded_forward(&way, f, port->attachment, port->role == kPortInside,
                                     (enum DropReason)(cpu_and_reason >> 8)));
}

SLUICE_HALF __u64 path_back_unrecorded(const struct path_tables* tables, frame* f,
                                       __u32 cpu_and_reason, __u32 now_ms) {
  struct passage way;
  passage_begin(&way, tables, cpu_and_reason & 0xff, now_ms);
  if (!way.settings || !way.counters) return kVerdictStack;
  return path_end(&way, f, unrecorded_return(&way, f, (enum DropReason)(cpu_and_reason >> 8)));
}

// The entry: a frame that came in at `interface_index`.
SLUICE_INLINE enum Verdict path_enter(const struct path_tables* tables, frame* f,
                                      __u32 interface_index, __u32 cpu, __u32 now_ms,
                                      struct departure* departure) {
  // One value, so that what is kept here stays in registers: the stack is full.
  __u64 clock = (__u64)(cpu & (kCpusMax - 1)) << 32 | now_ms;
  SLUICE_OPAQUE(clock);
  const struct port* port = table_ports(tables, interface_index);
  if (!port || port->role == kPortUnused) return kVerdictStack;
  watch_before(tables, f, interface_index, clock);
  __u64 end =
      port->role == kPortTunnel ? path_back(tables, f, clock) : path_in(tables, f, port, clock);
  if ((end & 0xff) == kVerdictAgain) {
    const __u32 again = (__u32)(clock >> 32) | (__u32)(end & 0xff00);
    end = port->role == kPortTunnel ? path_back_unrecorded(tables, f, again, (__u32)clock)
                                    : path_in_unrecorded(tables, f, port, again, (__u32)clock);
  }
  watch_after(tables, f, end, clock);
  departure->interface = (__u32)(end >> 32);
  departure->reason = (__u32)end >> 8;
  return (enum Verdict)(end & 0xff);
}

SLUICE_END
