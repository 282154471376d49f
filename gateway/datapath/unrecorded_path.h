// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The packet path for flows without a record (unrecorded.h): the same steps, but what a record
// would say is worked out anew for each packet, from its tuple alone, so that both directions go
// the same way.
#pragma once

#include "gateway/datapath/mirror.h"
#include "gateway/datapath/mss.h"
#include "gateway/datapath/partial_checksum.h"
#include "gateway/datapath/path_steps.h"
#include "gateway/datapath/profiled_return.h"
#include "gateway/datapath/relay.h"

SLUICE_GATEWAY_BEGIN

// The target for a packet, above 16 bits, kNone16 if its group fails open; or a drop reason: what
// `otherwise` says if its flow cannot do without a record. A flow that goes on stays with its
// target. But for a SYN a packet does not tell which end began, so a rule for either is its rule.
// One that lets a flow pass uninspected is not enough then: from the wrong end, anybody could
// choose it.
SLUICE_STAGE __u32 unrecorded_steer(const struct path_tables* tables, const struct packet* p,
                                    struct flow_query* query, __u32 otherwise, __u32 now_ms) {
  if (!p || !query) return otherwise;
  struct passage way;
  passage_begin(&way, tables, 0, now_ms);
  const struct attachment* attachment = table_attachments(tables, query->attachment);
  if (!way.settings || !attachment) return otherwise;
  const int begins = packet_is_syn(p);
  __u32 target = kNone16;
  if (!begins) target = unrecorded_former(tables, query, now_ms);
  if (target != kNone16) return target << 16;
  __u32 rule = 0;
  if (attachment->flags & kAttachmentPolicy) rule = policy_find(tables, query, &p->tuple, !begins);
  const struct policy_rule* r = rule != 0 ? policy_rule_at(tables, rule) : 0;
  if (r && r->action == kPolicyDrop) return policy_drop(tables, rule);
  if (r && (r->action != kPolicyForward || r->hops > 1)) return otherwise;
  const __u32 group = flow_group(tables, attachment, query, rule);
  const enum DropReason reason = flow_steer(&way, query, group, packet_is_mid_flow(p), &target);
  return reason != kDropNone ? (__u32)reason : target << 16;
}

// Keeps the frame's own header for the flow's direction, and where its packets go.
SLUICE_INLINE enum DropReason unrecorded_remember(const struct passage* way, const frame* f,
                                                  __u32 length, struct flow_query* query,
                                                  __u32 target, __u32 side) {
  const __u8* data = frame_data(f);
  if (data + 22 > frame_end(f)) return kDropFrameTruncated;
  struct layer2_name name;
  layer2_name_from_frame(&name, data, length, frame_tag(f));
  const __u32 layer2 = layer2_intern(way->tables, &name, way->now_ms);
  if (layer2 == 0) return kDropLayer2TableFull;
  unrecorded_keep(way->tables, query, layer2 | target << 16, way->cpu << 1 | (side ^ 1),
                  way->now_ms);
  return kDropNone;
}

// A frame from outside (side 0) or inside (side 1) that path_forward found no record for, and no
// room for one.
SLUICE_INLINE enum Verdict unrecorded_forward(struct passage* way, frame* f, __u32 attachment_index,
                                              __u32 side, enum DropReason otherwise) {
  const struct attachment* attachment = table_attachments(way->tables, attachment_index);
  struct packet p;
  if (!attachment) return path_drop(way, otherwise);
  enum DropReason reason = frame_read(f, &p);
  if (reason != kDropNone) return path_drop(way, otherwise);
  if (p.flags & kPacketFragment) {
    struct fragment piece;
    if (fragment_read(f, &p, &piece) != kDropNone) return path_drop(way, otherwise);
    fragment_name(way->tables, &p.tuple, attachment->endpoint_id, &piece);
    fragment_recall(way->tables, &p, &piece);
  }
  // What is translated needs a record.
  if (side == 0 && nlb_find_listener(way->tables, &p.tuple) != kNone16)
    return path_drop(way, otherwise);
  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &p.tuple, attachment_index, attachment->endpoint_id);
  const __u32 steered = unrecorded_steer(way->tables, &p, &query, otherwise, way->now_ms);
  if (steered & 0xff) return path_drop(way, (enum DropReason)(steered & 0xff));
  const __u32 index = steered >> 16;
  if (index == kNone16) {
    checksum_settle(way, f, &p);
    way->counters->event[kEventFailedOpen]++;
    way->departure.interface = attachment->interface[(side ^ 1) & 1];
    mirror_miss(way->tables, &p, &query, frame_packets(f, &p), way->cpu);
    return side == 0 ? kVerdictInside : kVerdictOutside;
  }
  const struct target* target = table_targets(way->tables, index);
  if (!target || !(target->flags & kTargetInUse)) return path_drop(way, kDropNoTarget);
  if (path_may_cut(f, &p, target->mtu))
    return path_cut(way, f, attachment->interface[side & 1], target->mtu);
  reason = unrecorded_remember(way, f, p.l3_offset, &query, index, side);
  if (reason != kDropNone) return path_drop(way, reason);
  if (!(target->flags & kTargetResolved)) return path_drop(way, kDropNeighbourUnresolved);
  if (frame_longest(f, &p) > target->mtu)
    return path_too_big(way, f, &p, 0, 0, target->mtu, attachment->interface[side & 1]);
  checksum_settle(way, f, &p);
  if ((p.tcp_flags & kTcpSyn) && way->settings->mss_clamp && mss_clamp(f, &p, target->mtu))
    way->counters->event[kEventMssClamped]++;
  const __u32 packets = frame_packets(f, &p);
  const __u32 cookie = unrecorded_cookie(way->tables, query.hash, query.endpoint_id, index,
                                         way->now_ms >> kUnrecordedEpochShift);
  const enum Verdict verdict =
      path_send(way, f, &p, target, index, attachment, &query, cookie, side);
  if (verdict != kVerdictTarget) return verdict;
  way->counters->event[kEventUnrecordedSent] += packets;
  mirror_miss(way->tables, &p, &query, packets, way->cpu);
  return verdict;
}

// A datagram from a target that path_return found no record for.
SLUICE_INLINE enum Verdict unrecorded_return(struct passage* way, frame* f,
                                             enum DropReason otherwise) {
  struct datagram d;
  if (datagram_parse(way->tables, f, &d) != kDropNone || !d.ours) return path_drop(way, otherwise);
  struct fragment piece;
  if (d.inner.flags & kPacketFragment) {
    if (fragment_read(f, &d.inner, &piece) != kDropNone) return path_drop(way, otherwise);
    fragment_name(way->tables, &d.inner.tuple, d.geneve.endpoint_id, &piece);
    fragment_recall(way->tables, &d.inner, &piece);
  }
  struct flow_query query;
  flow_query_from_tuple(&query, way->settings, &d.inner.tuple, kNone16, d.geneve.endpoint_id);
  query.elsewhere = otherwise == kDropEndpointMismatch;
  __u32 place = kFlowNotFound;
  enum DropReason reason = profiled_is_probe(&d)
                               ? otherwise
                               : unrecorded_verify(way->tables, &query, d.geneve.flow_cookie,
                                                   d.from, way->now_ms, &place);
  if (reason != kDropNone) return path_stray(way, f, &d, reason);
  const struct unrecorded_flow* flow = unrecorded_at(way->tables, place);
  if (!flow) return path_drop(way, otherwise);
  const struct attachment* attachment = table_attachments(way->tables, unrecorded_attachment(flow));
  if (!attachment || !attachment->in_use || !datagram_is_of(way->tables, &d, attachment))
    return path_drop(way, kDropEndpointMismatch);
  if (d.inner.flags & kPacketFirstFragment)
    fragment_note(way->tables, &d.inner, &piece, fragment_clock(way));
  const int from_outside = (query.direction == 0) == unrecorded_first_end_outside(flow);
  reason = restore_layer2(way, f, &d.inner, unrecorded_layer2(flow, query.direction),
                          unrecorded_layer2(flow, query.direction ^ 1));
  if (reason != kDropNone) return path_drop(way, reason);
  way->counters->event[kEventUnrecordedReturned] += frame_packets(f, &d.inner);
  count_return(way, f, &d);
  way->departure.interface = attachment->interface[from_outside ? 1 : 0];
  return from_outside ? kVerdictInside : kVerdictOutside;
}

SLUICE_END
