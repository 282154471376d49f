// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// How a flow begins: the rule of the policy for it, its target or chain of them, and its record.
#pragma once

#include "gateway/datapath/chain.h"
#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/new_flow_guard.h"
#include "gateway/datapath/passage.h"
#include "gateway/datapath/steer.h"
#include "gateway/datapath/target_traffic.h"
#include "gateway/datapath/unrecorded.h"
#include "gateway/nlb/translate.h"

SLUICE_GATEWAY_BEGIN

enum {
  // `where`: the side, and from these bits on the CPU, the rule with its copy, and how many hops
  // were looked at.
  kWhereCpu = 8,
  kWhereRule = 16,
  kWhereHops = 25,
  kWhereTarget = 32,
};

// A TCP packet, or a fragment of one.
SLUICE_INLINE int packet_is_tcp(const struct packet* p) {
  return (p->flags & (kPacketHasPorts | kPacketFragment)) && p->tuple.protocol == kProtocolTcp;
}

// A TCP packet other than the first of a connection.
SLUICE_INLINE int packet_is_mid_flow(const struct packet* p) {
  return packet_is_tcp(p) && (p->tcp_flags & (kTcpSyn | kTcpAck)) != kTcpSyn;
}

// The first packet of a connection, which says which end began.
SLUICE_INLINE int packet_is_syn(const struct packet* p) {
  return packet_is_tcp(p) && !packet_is_mid_flow(p);
}

// The target that a new flow goes to. kNone16: its group fails open.
SLUICE_INLINE enum DropReason flow_steer(const struct passage* way, const struct flow_query* query,
                                         __u32 group_index, int mid_flow, __u32* target) {
  const struct group* group = table_groups(way->tables, group_index);
  if (!group) return kDropNoTargetGroup;
  *target = kNone16;
  if (mid_flow) *target = steer_former(way->tables, group_index, query, way->now_ms);
  if (*target == kNone16) *target = steer(way->tables, group_index, query);
  return *target == kNone16 && !(group->flags & kGroupFailsOpen) ? kDropNoTarget : kDropNone;
}

// What a new flow's chain is, 0 if its rule has none: a drop reason in the lower 8 bits, or else
// the hops that are skipped (4 bits), how many there are less one (2 bits), and from bit 16 on 12
// bits with the target of each.
SLUICE_STAGE __u64 chain_choose(const struct path_tables* tables, const struct flow_query* query,
                                __u32 rule, __u32 mid_flow, __u32 now_ms) {
  struct passage way;
  passage_begin(&way, tables, 0, now_ms);
  if (!query || !way.settings) return 0;
  const struct policy_rule* r = policy_rule_at(tables, rule);
  if (!r || r->action != kPolicyForward || r->hops < 2) return 0;
  const __u32 hops = r->hops & 7;
  __u64 out = (__u64)((hops - 1) & 3) << 12;
  for (__u32 i = 0; i < kChainHopsMax; i++) {
    if (i >= hops) break;
    __u32 target = kNone16;
    const __u32 group = policy_group(tables, query, rule, i);
    const enum DropReason reason = flow_steer(&way, query, group, (int)mid_flow, &target);
    if (reason != kDropNone) return reason;
    if (target == kNone16) {
      out |= (__u64)1 << (8 + i);
      target = kChainNobody;
    }
    out |= (__u64)(target & kChainTargetMask) << (16 + 12 * i);
  }
  return out;
}

// Gives a flow that has just begun its chain.
SLUICE_STAGE int chain_keep(const struct path_tables* tables, __u32 place, __u64 chain) {
  struct flow_record* record = table_flow_records(tables, place);
  if (!record) return 0;
  record->flags &= ~kFlowBypass;
  record->cookie &= 0xf0000000;
  record->key.zero |= (__u16)((chain >> 12 & 3) << 12);
  if (chain >> 8 & 15) record->key.zero |= kFlowSkipsForLack;
  for (__u32 hop = 1; hop <= kChainHopsMax; hop++) {
    if (hop > chain_hops(record)) break;
    const __u32 target = (__u32)(chain >> (4 + 12 * hop)) & kChainTargetMask;
    chain_set_target(record, hop, target);
    if (chain >> (7 + hop) & 1) {
      chain_skip(record, hop);
    } else if (hop != 1) {
      struct target_counters* count = table_target_counters(tables, target);
      if (count) count->flows++;
    }
  }
  return 1;
}

// The place for the record of a flow that begins, kFlowNotFound if there is none. *generation: of
// its cookie. A tuple that is used again keeps its place and gets another generation; who replaces
// another flow has no need to wait for the memory of its record.
SLUICE_INLINE __u32 flow_place(const struct passage* way, const struct flow_query* query,
                               __u32 found, __u32* generation) {
  *generation = 0;
  if (found == kFlowNotFound) return flow_claim(way->tables, query->hash, way->now_ms, way->cpu);
  const struct flow_record* former = table_flow_records(way->tables, found);
  if (former) *generation = (former->cookie >> 28) + 1;
  return found;
}

// Fills the record of a new flow, or of a tuple that is used again.
SLUICE_INLINE void flow_start(const struct passage* way, struct flow_record* record, __u32 place,
                              const struct flow_query* query, __u32 generation, __u32 target,
                              __u16 flags, __u16 backend) {
  record->key = query->key;
  if (query->key.protocol != kProtocolTcp) record->key.zero = kFlowGoesOn;
  record->flags = flags | (__u16)flow_idle_class(way->tables, &query->key);
  record->attachment = (__u8)query->attachment;
  record->rule = 0;
  record->target = (__u16)target;
  record->backend = backend;
  record->layer2[0] = 0;
  record->layer2[1] = 0;
  record->cookie = flow_cookie_apart(way->tables, query->hash, target, generation, 0);
  record->last_seen_ms = way->now_ms;
  record->delivered = 0;
  struct flow_usage* usage = table_flow_usages(way->tables, place);
  const struct flow_usage unused = {{0, 0}, {0, 0}, {0, 0}, way->now_ms};
  if (usage) *usage = unused;
}

// The rule of the policy for a flow that a packet begins.
SLUICE_INLINE __u32 flow_rule(const struct path_tables* tables, const struct packet* p,
                              struct flow_query* query, const struct attachment* attachment,
                              __u32 now_ms) {
  if (!(attachment->flags & kAttachmentPolicy)) return 0;
  const int goes_on =
      !packet_is_syn(p) && unrecorded_former(tables, query, now_ms) != (__u32)kNone16;
  const int either_way = goes_on || packet_is_mid_flow(p) || (p->flags & kPacketIcmpError);
  const __u32 rule = policy_find(tables, query, &p->tuple, either_way);
  // A flow that goes on keeps its target, whatever else a rule would do.
  return goes_on && !policy_is_plain(tables, rule) ? 0 : rule;
}

// Where the flow goes that a packet begins, which has none or whose flow is over: a drop reason, or
// the target above 16 bits. kNone16, kUninspected: it is not inspected.
SLUICE_STAGE __u32 flow_decide(const struct path_tables* tables, const struct packet* p,
                               struct flow_query* query, __u32 where, __u32 now_ms) {
  if (!p || !query) return kDropFlowTableFull;
  struct passage way;
  passage_begin(&way, tables, where >> kWhereCpu, now_ms);
  const struct attachment* attachment = table_attachments(tables, query->attachment);
  if (!way.settings || !attachment) return kDropFlowTableFull;
  const int mid_flow = packet_is_mid_flow(p);
  if (mid_flow && query->place != kFlowNotFound) return kDropFlowExpired;
  __u32 target = kNone16;
  if (!packet_is_syn(p)) target = unrecorded_former(tables, query, now_ms);
  if (target != kNone16) return target << 16;
  // An ICMP error begins no connection either; its record would let the rest of one pass.
  const int goes_on =
      mid_flow || ((p->flags & kPacketIcmpError) && p->tuple.protocol == kProtocolTcp);
  if (goes_on && (attachment->flags & kAttachmentDropsUnknown)) return kDropFlowNotBegun;
  const __u32 rule = where >> kWhereRule & kRuleMask;
  const enum PolicyAction action = policy_action(tables, rule);
  if (action == kPolicyDrop) return policy_drop(tables, rule);
  if (action != kPolicyForward) return (__u32)kUninspected << 16;
  const __u32 group = flow_group(tables, attachment, query, rule);
  const enum DropReason reason = flow_steer(&way, query, group, mid_flow, &target);
  return reason != kDropNone ? (__u32)reason : target << 16;
}

// Makes that flow, at query->place, or where there is room if that is kFlowNotFound, and picks the
// NLB target if its destination is a listener. `where`: the target, too, from kWhereTarget on.
SLUICE_STAGE enum DropReason flow_open(const struct path_tables* tables, const struct packet* p,
                                       struct flow_query* query, __u64 where, __u32 now_ms) {
  if (!p || !query) return kDropFlowTableFull;
  struct passage way;
  passage_begin(&way, tables, (__u32)where >> kWhereCpu, now_ms);
  if (!way.settings || !way.counters) return kDropFlowTableFull;
  const __u32 side = where & 1, target = where >> kWhereTarget;
  const __u32 rule = where >> kWhereRule & kRuleMask;
  __u16 flags = query->direction == 0 ? kFlowClientFirst : 0;
  if (target >= kUninspected) flags |= kFlowBypass;
  if (policy_mirrors(tables, rule)) flags |= kFlowMirror;
  if ((query->direction == 0) == (side == 0)) flags |= kFlowFirstEndOutside;
  __u32 backend = 0;
  if (side == 0 && (p->flags & (kPacketHasPorts | kPacketFragment | kPacketIcmpError))) {
    const struct listener* l = table_listeners(tables, nlb_find_listener(tables, &p->tuple));
    if (l) {
      backend = steer(tables, l->group, query);
      if (backend == kNone16) return kDropNlbNoTarget;
      flags |= kFlowNlb;
    }
  }

  if (query->place == kFlowNotFound &&
      !new_flow_is_allowed(tables, query->attachment, way.cpu, now_ms))
    return kDropNewFlowRate;
  __u32 generation;
  query->place = flow_place(&way, query, query->place, &generation);
  struct flow_record* record = table_flow_records(tables, query->place);
  if (!record) return kDropFlowTableFull;
  flow_start(&way, record, query->place, query, generation, target, flags, (__u16)backend);
  record->rule = (__u8)rule;
  way.counters->event[kEventFlowCreated]++;
  if (packet_is_mid_flow(p)) way.counters->event[kEventMidFlow]++;
  count_flow(&way, target);
  if (flags & kFlowNlb) count_flow(&way, backend);
  if (rule != 0) policy_count_flow(tables, rule);
  return kDropNone;
}

SLUICE_END
