// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Chains: flows whose packets visit several appliances, one after another.
//
//   client ──▶ hop 1 ──▶ hop 2 ──▶ ... ──▶ server        and back: server ──▶ hop n ──▶ ... ──▶
//   client
//
// A flow still has one record. Its `target` is the first hop's, above kChainTarget, which is no
// place of the table: who looks for the target of a flow and does not know of chains finds none, so
// a flow without a chain is never asked about one. The other hops' targets are where a plain flow
// has its cookie, and in the unused end of the key. Each hop's cookie is worked out when it is
// needed; its digest covers the hop. So a return says which hop it comes from, only that hop's
// target can say so, and it goes on from there: nobody can make a packet pass by another hop.
#pragma once

#include "gateway/datapath/policy.h"

SLUICE_GATEWAY_BEGIN

enum {
  kChainTarget = 0xc000,
  kChainTargetMask = 0xfff,
  // The target of a hop that is skipped since the flow began, because its group failed open. (It
  // may be the last of 4,096 appliances, too; if that skips itself by a hint, it counts as nobody.)
  kChainNobody = kChainTargetMask,
  // Where a packet is: 0 at the client's end, the hops from 1 on, and behind the last one the
  // server's end.
  kChainClient = 0,
  kPositionCpu = 8,        // chain_count_passed: the CPU above the position
  kChainFormer = 1 << 16,  // chain_verify: it came under the cookie before the present one
};
#ifdef __cplusplus
static_assert(int{kTargetsMax} <= int{kChainTarget} &&
              int{kAppliancesMax} == int{kChainTargetMask} + 1);
#endif

SLUICE_INLINE int flow_is_chain(const struct flow_record* record) {
  return (record->target & ~kChainTargetMask) == kChainTarget;
}

// cookie: 4 bits of generation, a bit for each hop that is skipped, and 12 of the targets of hops 2
// and 3. key.zero: FlowKeyBits, 2 bits for the number of hops, and 12 of the target of hop 4.
SLUICE_INLINE __u32 chain_hops(const struct flow_record* record) {
  return (record->key.zero >> 12 & 3) + 1u;
}

SLUICE_INLINE __u32 chain_server(const struct flow_record* record) {
  return chain_hops(record) + 1;
}

// Where a packet is that comes in.
SLUICE_INLINE __u32 chain_begin(const struct flow_record* record, int from_client) {
  return from_client ? (__u32)kChainClient : chain_server(record);
}

SLUICE_INLINE int chain_skips(const struct flow_record* record, __u32 hop) {
  return record->cookie >> (23 + (hop & 7)) & 1;
}

SLUICE_INLINE __u32 chain_target(const struct flow_record* record, __u32 hop) {
  if (hop == 1) return record->target & kChainTargetMask;
  if (hop == 2) return record->cookie >> 12 & kChainTargetMask;
  if (hop == 3) return record->cookie & kChainTargetMask;
  return record->key.zero & kChainTargetMask;
}

SLUICE_INLINE void chain_set_target(struct flow_record* record, __u32 hop, __u32 target) {
  const __u32 t = target & kChainTargetMask;
  if (hop == 1) record->target = (__u16)(kChainTarget | t);
  if (hop == 2) record->cookie = (record->cookie & ~(0xfffu << 12)) | t << 12;
  if (hop == 3) record->cookie = (record->cookie & ~0xfffu) | t;
  if (hop == 4) record->key.zero = (__u16)((record->key.zero & ~0xfff) | t);
}

SLUICE_INLINE void chain_skip(struct flow_record* record, __u32 hop) {
  record->cookie |= 1u << (23 + (hop & 7));
  const __u32 all = (1u << chain_hops(record)) - 1;
  if ((record->cookie >> 24 & all) == all) record->flags |= kFlowBypass;
}

SLUICE_INLINE void chain_renew(struct flow_record* record) {
  record->cookie = (record->cookie & 0x0fffffff) | ((record->cookie >> 28) + 1) << 28;
}

// Whether packets pass by a hop now: its target is lost and its group fails open.
SLUICE_INLINE int chain_passes_by(const struct path_tables* tables, const struct flow_query* query,
                                  const struct flow_record* record, __u32 hop,
                                  const struct target* target) {
  if (target && target_serves(target)) return 0;
  const struct settings* settings = table_settings(tables, 0);
  if (!settings) return 0;
  const __u32 rule = policy_rule_now(settings, record->rule);
  const struct group* group = table_groups(tables, policy_group(tables, query, rule, hop - 1));
  return group && (group->flags & kGroupFailsOpen);
}

// Counts, as failed open, the hops that a packet passes by which goes on from the position `from`,
// because no target of their group is healthy, or was when the flow began; not those that wanted no
// more of it. Past all hops: that counts once, where the packet is delivered.
SLUICE_STAGE int chain_count_passed(const struct path_tables* tables,
                                    const struct flow_query* query, __u32 from, __u32 to_server) {
  struct counters* counters = table_counters(tables, from >> kPositionCpu & (kCpusMax - 1));
  const struct flow_record* record = query ? table_flow_records(tables, query->place) : 0;
  if (!counters || !record) return 0;
  __u32 position = from & ((1 << kPositionCpu) - 1);
  for (__u32 i = 0; i < kChainHopsMax; i++) {
    position = forget(to_server ? position + 1 : position - 1);
    if (position - 1 >= chain_hops(record)) break;
    const __u32 index = chain_target(record, position);
    if (chain_skips(record, position)) {
      if (index == kChainNobody) counters->event[kEventFailedOpen]++;
      continue;
    }
    if (!chain_passes_by(tables, query, record, position, table_targets(tables, index))) break;
    counters->event[kEventFailedOpen]++;
  }
  return 1;
}

// Where a packet goes next that is at the position `from`, of the flow at query->place: the target
// in the lower 16 bits, the smallest MTU from there to the end in the next ones, and the cookie
// above; kNone16: it has been to all hops, and is delivered.
SLUICE_STAGE __u64 chain_next(const struct path_tables* tables, const struct flow_query* query,
                              __u32 from, __u32 to_server) {
  if (!query) return kNone16;
  const struct flow_record* record = table_flow_records(tables, query->place);
  if (!record) return kNone16;
  __u32 position = from;
  __u32 first = 0;
  __u32 mtu = 0xffff;
  for (__u32 i = 0; i < kChainHopsMax; i++) {
    position = forget(to_server ? position + 1 : position - 1);
    if (position - 1 >= chain_hops(record)) break;
    if (chain_skips(record, position)) continue;
    const struct target* target = table_targets(tables, chain_target(record, position));
    if (chain_passes_by(tables, query, record, position, target)) continue;
    if (first == 0) first = position;
    if (target && target->mtu < mtu) mtu = target->mtu;
  }
  if (first == 0) return kNone16;
  const __u32 target = chain_target(record, first);
  const __u32 cookie = flow_cookie_apart(tables, query->hash, target, record->cookie >> 28, first);
  return target | mtu << 16 | (__u64)cookie << 32;
}

// Which hop of the flow at query->place a return comes from: its number above 8 bits, or a drop
// reason.
SLUICE_STAGE __u32 chain_verify(const struct path_tables* tables, const struct flow_query* query,
                                __u32 cookie, __u32 from, __u32 now_ms) {
  if (!query) return kDropFlowUnknown;
  const struct flow_record* record = table_flow_records(tables, query->place);
  const struct flow_usage* usage = table_flow_usages(tables, query->place);
  if (!record || !usage) return kDropFlowUnknown;
  const __u32 generation = cookie >> 28;
  const __u32 age = ((record->cookie >> 28) - generation) & 15;
  __u32 hop = 0;
  __u32 is_member = 0;
  for (__u32 i = 1; i <= kChainHopsMax; i++) {
    if (i > chain_hops(record)) break;
    is_member |= chain_target(record, i) == from;
    if (flow_cookie_apart(tables, query->hash, from, generation, i) == cookie) hop = i;
  }
  if (hop == 0 || age > 1 || (age == 1 && !flow_had_another_cookie(record)))
    return is_member ? kDropCookieMismatch : kDropTargetMismatch;
  if (age == 0) return chain_target(record, hop) == from ? hop << 8 : (__u32)kDropTargetMismatch;
  return silence_ms(usage->created_ms, now_ms) <= kFormerCookieMs ? hop << 8 | kChainFormer
                                                                  : (__u32)kDropCookieExpired;
}

SLUICE_END
