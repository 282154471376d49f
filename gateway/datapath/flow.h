// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The life of a flow after its first packet (flow_open.h): followed while packets pass, moved or
// refused when its target is lost, ended by silence, FIN or RST.
#pragma once

#include "gateway/datapath/flow_open.h"
#include "gateway/datapath/layer2.h"

SLUICE_GATEWAY_BEGIN

// Gives a flow, or a hop of its chain, to another target, under a new cookie. What the former
// target still holds comes back under the former one (former_cookie).
SLUICE_INLINE void flow_move(const struct passage* way, struct flow_record* record,
                             const struct flow_query* query, __u32 hop, __u32 target) {
  if (hop != 0) {
    chain_set_target(record, hop, target);
    chain_renew(record);
  } else {
    const __u32 generation = (record->cookie >> 28) + 1;
    record->cookie = flow_cookie_apart(way->tables, query->hash, target, generation, 0);
    record->target = (__u16)target;
  }
  record->flags |= kFlowMoved;
  struct flow_usage* usage = table_flow_usages(way->tables, query->place);
  if (usage) usage->created_ms = way->now_ms;
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
                                const struct attachment* attachment) {
  if ((p->tcp_flags & (kTcpSyn | kTcpAck)) != kTcpSyn) return 0;
  const struct flow_usage* usage = table_flow_usages(way->tables, index);
  if (!usage || usage->packets[(query->direction ^ 1) & 1] != 0) return 0;
  const __u32 group_index =
      flow_group(way->tables, attachment, query, policy_rule_now(way->settings, record->rule));
  if (group_index == kNone16) return 0;
  const __u32 owner = steer(way->tables, group_index, query);
  return owner != kNone16 && owner != record->target;
}

enum {
  kTurnBegins = 1 << 16,     // beside a drop reason: the packet begins a flow
  kTurnFailsOpen = 1 << 17,  // passage.fails_open
  kTurnMoreHops = 1 << 18,   // nothing so far, but its flow has more hops to look at
};

// What its entry has beside a flow's name: state and age, as they are now.
SLUICE_INLINE __u32 flow_marks(const struct settings* settings, const struct flow_record* record,
                               const struct flow_usage* usage, __u32 now_ms) {
  const int both =
      usage->packets[0] != 0 && usage->packets[1] != 0 && (record->key.zero & kFlowGoesOn);
  const __u32 state = flow_is_closed(record) ? kFlowClosed
                      : both                 ? kFlowEstablished
                                             : kFlowHalfOpen;
  return flow_mark(state, flow_epoch(settings, now_ms));
}

// Lets the flow be found, with the state and age that it has now.
SLUICE_STAGE int flow_stamp(const struct path_tables* tables, __u32 place, __u64 hash,
                            __u32 now_ms) {
  const struct settings* settings = table_settings(tables, 0);
  const struct flow_record* record = table_flow_records(tables, place);
  const struct flow_usage* usage = table_flow_usages(tables, place);
  if (!settings || !record || !usage) return 0;
  flow_publish(tables, place, hash, flow_marks(settings, record, usage, now_ms));
  return 1;
}

// The target of a flow, or of a hop of its chain.
SLUICE_INLINE __u32 flow_target(const struct flow_record* record, __u32 hop) {
  return hop == 0 ? record->target : chain_target(record, hop);
}

// A packet whose flow's target, or that of a hop of its chain, is gone, or has lost the flow's row
// while its flows are to leave it. *begins becomes 1 if it opens a new flow instead.
SLUICE_INLINE enum DropReason flow_leave(struct passage* way, const struct packet* p,
                                         const struct flow_query* query, struct flow_record* record,
                                         const struct target* target,
                                         const struct attachment* attachment, __u32 hop,
                                         int* begins) {
  const __u32 rule = policy_rule_now(way->settings, record->rule);
  const __u32 group_index = hop == 0 ? flow_group(way->tables, attachment, query, rule)
                                     : policy_group(way->tables, query, rule, hop - 1);
  const __u32 owner = steer(way->tables, group_index, query);
  const int gone = !target || !(target->flags & kTargetInUse) || (target->flags & kTargetNlb);
  if (!gone && owner == flow_target(record, hop)) return kDropNone;
  if (!gone && !(target->flags & kTargetMoves)) {
    if (!packet_is_tcp(p)) return kDropNone;
    *begins = !packet_is_mid_flow(p);
    if (*begins) return kDropNone;
    record->flags |= kFlowReset;
    flow_stamp(way->tables, query->place, query->hash, way->now_ms);
    return kDropTargetLost;
  }
  if (owner != kNone16) {
    flow_move(way, record, query, hop, owner);
    way->counters->event[kEventFlowMoved]++;
    return kDropNone;
  }
  const struct group* group = table_groups(way->tables, group_index);
  if (!group) return kDropNoTargetGroup;
  way->fails_open = group->flags & kGroupFailsOpen;
  return way->fails_open || !gone ? kDropNone : kDropNoTarget;
}

// A packet that cannot just follow its flow, at query->place: there is none, it is over, or its
// target is not what it was. A drop reason, and what kTurn... says.
SLUICE_STAGE __u32 flow_turn(const struct path_tables* tables, const struct packet* p,
                             const struct flow_query* query, __u32 where, __u32 now_ms) {
  if (!p || !query) return kDropFlowTableFull;
  struct passage way;
  passage_begin(&way, tables, where >> kWhereCpu, now_ms);
  const struct attachment* attachment = table_attachments(tables, query->attachment);
  if (!way.settings || !way.counters || !attachment) return kDropFlowTableFull;
  struct flow_record* record = table_flow_records(tables, query->place);
  if (!record || flow_has_ended(&way, record, p)) return kTurnBegins;
  if (record->flags & kFlowBypass) return kDropNone;
  const __u32 hop = flow_is_chain(record) ? (where >> kWhereHops) + 1 : 0;
  const __u32 more = hop != 0 && hop < chain_hops(record) ? kTurnMoreHops : 0;
  if (hop != 0 && chain_skips(record, hop)) return more;
  const struct target* target = table_targets(tables, flow_target(record, hop));
  if (target && target_serves(target))
    return hop != 0 ? more : (__u32)kTurnBegins;  // flow_may_move
  int begins = 0;
  const __u32 reason = flow_leave(&way, p, query, record, target, attachment, hop, &begins);
  if (reason != kDropNone) return reason;
  if (begins) return kTurnBegins;
  if (hop != 0) return more;  // chain_passes_by
  return way.fails_open ? (__u32)kTurnFailsOpen : 0;
}

// A packet that cannot just follow its flow. query->place becomes that of the flow that it is of.
SLUICE_INLINE enum DropReason flow_revise(struct passage* way, const struct packet* p,
                                          struct flow_query* query,
                                          const struct attachment* attachment, __u32 side) {
  const __u32 where = side | way->cpu << kWhereCpu;
  __u32 turn = query->place == kFlowNotFound ? (__u32)kTurnBegins : (__u32)kTurnMoreHops;
  for (__u32 i = 0; i < kChainHopsMax && (turn & kTurnMoreHops); i++)
    turn = flow_turn(way->tables, p, query, where | i << kWhereHops, way->now_ms);
  way->fails_open = turn & kTurnFailsOpen;
  if (!(turn & kTurnBegins)) return (enum DropReason)(turn & 0xff);
  const __u32 rule = flow_rule(way->tables, p, query, attachment, way->now_ms);
  __u64 chain = 0;
  if (!policy_is_plain(way->tables, rule))
    chain = chain_choose(way->tables, query, rule, packet_is_mid_flow(p), way->now_ms);
  if (chain & 0xff) return (enum DropReason)(chain & 0xff);
  const __u32 here = where | rule << kWhereRule;
  const __u32 decided = flow_decide(way->tables, p, query, here, way->now_ms);
  if (decided & 0xff) return (enum DropReason)(decided & 0xff);
  const enum DropReason reason =
      flow_open(way->tables, p, query, here | (__u64)(decided >> 16) << kWhereTarget, way->now_ms);
  if (reason == kDropNone && chain != 0) chain_keep(way->tables, query->place, chain);
  return reason;
}

// Keeps the frame's own header for its flow's direction.
SLUICE_INLINE enum DropReason flow_remember_layer2(const struct passage* way, const frame* f,
                                                   __u32 length, struct flow_record* record,
                                                   __u32 direction) {
  const __u8* data = frame_data(f);
  if (data + 22 > frame_end(f)) return kDropFrameTruncated;
  struct layer2_name name;
  layer2_name_from_frame(&name, data, length, frame_tag(f));
  __u16* reference = &record->layer2[direction & 1];
  struct layer2* entry = layer2_get(way->tables, *reference);
  if (entry && layer2_is(entry, &name)) {
    layer2_use(entry, 0, way->now_ms);
    return kDropNone;
  }
  *reference = (__u16)layer2_intern(way->tables, &name, way->now_ms);
  return *reference == 0 ? kDropLayer2TableFull : kDropNone;
}

// Counts a packet that came in from outside or inside, or several in one frame.
SLUICE_INLINE void flow_account(const struct passage* way, struct flow_record* record,
                                const struct flow_query* query, __u32 packets, __u32 bytes) {
  struct flow_bucket* bucket = table_flow_buckets(way->tables, query->place / kFlowWays);
  if (!bucket) return;
  SLUICE_OPAQUE(bucket);  // no arithmetic on it before the check
  const __u64 entry = bucket->entry[query->place & (kFlowWays - 1)];
  // Another CPU may have given the place away meanwhile.
  if ((entry ^ query->hash) >> 8 != 0) return;
  struct flow_usage* usage = flow_usage_in(bucket, query->place);
  const __u32 direction = query->direction & 1;
  usage->packets[direction] += packets;
  usage->bytes_low[direction] += bytes;
  if (usage->bytes_low[direction] < bytes) usage->bytes_high[direction]++;
  if (record->last_seen_ms != way->now_ms) record->last_seen_ms = way->now_ms;
  if ((entry & kFlowNameMask) != flow_marks(way->settings, record, usage, way->now_ms))
    flow_stamp(way->tables, query->place, query->hash, way->now_ms);
}

// Follows the TCP flow at query->place by an approved packet. Its name tells at once: what is
// closed, or goes on now, has another worth in a full bucket.
SLUICE_STAGE int flow_follow(const struct path_tables* tables, const struct flow_query* query,
                             __u32 tcp_flags, __u32 now_ms) {
  if (!query) return 0;
  struct flow_record* record = table_flow_records(tables, query->place);
  if (!record) return 0;
  const int first_end = query->direction == 0;
  __u16 flags = record->flags;
  if (tcp_flags & kTcpRst) flags |= kFlowReset | (first_end ? kFlowReset0 : kFlowReset1);
  if (tcp_flags & kTcpFin) flags |= first_end ? kFlowFin0 : kFlowFin1;
  const int began = first_end == ((flags & kFlowClientFirst) != 0);
  const __u16 goes_on = began && !(tcp_flags & kTcpSyn) ? kFlowGoesOn : 0;
  if (flags == record->flags && (record->key.zero | goes_on) == record->key.zero) return 0;
  record->flags = flags;
  record->key.zero |= goes_on;
  return flow_stamp(tables, query->place, query->hash, now_ms);
}

// The same for any packet, the appliance's own resets included; most change nothing.
SLUICE_INLINE void flow_follow_tcp(const struct passage* way, const struct flow_record* record,
                                   const struct flow_query* query, const struct packet* p) {
  if (!(p->flags & kPacketHasPorts) || p->tuple.protocol != kProtocolTcp) return;
  if ((record->key.zero & kFlowGoesOn) && !(p->tcp_flags & (kTcpFin | kTcpRst))) return;
  flow_follow(way->tables, query, p->tcp_flags, way->now_ms);
}

SLUICE_END
