// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The policy: which rule is for a new flow, and which target groups its packets visit.
//
// A rule decides once, when a flow begins, and the flow keeps its rule. Later, the rule is only
// asked for the group that takes over from a lost target.
//
// What decides about one packet is one copy of the policy, whatever user space writes meanwhile: a
// rule is its place and, from kRuleCopyShift on, the copy that it was found in.
#pragma once

#include "gateway/datapath/flow_table.h"

SLUICE_GATEWAY_BEGIN

enum {
  kRuleCopyShift = 8,
  kRuleMask = 0x1ff,  // a rule with its copy
};

// A number that a flow draws: the same for both directions, and on every gateway with the same key;
// independent of the row that the flow is in, and of what it draws with another salt. What belongs
// together in `form` draws together. That needs no flow_hash(): nobody gains by aiming at a draw.
SLUICE_INLINE __u32 policy_draw(const struct settings* settings, const struct flow_query* query,
                                __u32 form, __u32 salt) {
  const __u64 factor = 0x9e3779b97f4a7c15ULL;
  __u64 x = query->hash;
  if (form != kFlowHash5Tuple) {
    x = settings->hash_key.word[0];
    if (form == kFlowHash3Tuple) x += query->key.protocol;
    x = ((x ^ query->key.address[0]) * factor ^ query->key.address[1]) * factor;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
      x = ((x ^ query->key.rest[0][i]) * factor ^ query->key.rest[1][i]) * factor;
    x ^= x >> 32;
  }
  x = (x ^ salt) * factor;
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
  return (__u32)(x >> 32);
}

SLUICE_INLINE int policy_prefix_has(const __u32 prefix[4], const __u32 mask[4],
                                    const __u32 address[4]) {
  return (((address[0] & mask[0]) ^ prefix[0]) | ((address[1] & mask[1]) ^ prefix[1]) |
          ((address[2] & mask[2]) ^ prefix[2]) | ((address[3] & mask[3]) ^ prefix[3])) == 0;
}

// 0 if an entry is for an attachment and a tuple's protocol and IP version. Worked out without a
// branch: the verifier goes through the loop that asks for every one of them.
SLUICE_INLINE __u64 policy_is_about_others(const struct policy_entry* e, const struct tuple* t,
                                           __u32 attachment) {
  const __u32 protocol = (__u32)(e->protocol ^ kPolicyAnyProtocol) * (e->protocol ^ t->protocol);
  const __u32 version = (__u32)e->version * (e->version ^ t->version);
  const __u64 here = e->attachments[attachment / 64] >> attachment % 64 & 1;
  return (here ^ 1) | protocol | version;
}

// Whether one that is, is for flows that a packet of this tuple, or of one that is turned round,
// opens.
SLUICE_STAGE int policy_fits(const struct policy_entry* e, const struct tuple* t, __u32 turned) {
  if (!e || !t) return 0;
  const __u16 port = swap_be16(turned ? t->source_port : t->destination_port);
  if (port < e->port_first || port > e->port_last) return 0;
  return policy_prefix_has(e->source, e->source_mask, turned ? t->destination : t->source) &&
         policy_prefix_has(e->destination, e->destination_mask,
                           turned ? t->source : t->destination);
}

// The rule at a place of the copy that settings.policy names.
SLUICE_INLINE __u32 policy_rule_in(__u64 policy, __u32 place) {
  return place | (__u32)(policy >> 32) / kPolicyEntriesMax << kRuleCopyShift;
}

// Where a rule stands, in both copies.
SLUICE_INLINE __u32 policy_place(__u32 rule) { return rule & (kPolicySlots - 1); }

// The rule at a place now: what a flow keeps is the place.
SLUICE_INLINE __u32 policy_rule_now(const struct settings* settings, __u32 place) {
  return policy_rule_in(settings->policy, place);
}

// Its place in policy_rules.
SLUICE_INLINE __u32 policy_slot(__u32 rule) {
  return (rule >> kRuleCopyShift & 1) * kPolicySlots + policy_place(rule);
}

// What a rule says, if it is there.
SLUICE_INLINE const struct policy_rule* policy_rule_at(const struct path_tables* tables,
                                                       __u32 rule) {
  const struct policy_rule* r = table_policy_rules(tables, policy_slot(rule));
  return r && r->in_use ? r : 0;
}

// The rule for the flow that a packet begins; 0: none. `either_way`: the packet does not tell which
// end began, so that a rule for either is its rule, and both directions have the same; but none
// that lets it pass uninspected only because it is turned round: who sends such a packet could
// choose it.
SLUICE_STAGE __u32 policy_find(const struct path_tables* tables, const struct flow_query* query,
                               const struct tuple* tuple, __u32 either_way) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !tuple || !settings) return 0;
  const __u32 at = query->attachment & (kAttachmentsMax - 1);
  const __u64 policy = settings->policy;
  for (__u32 i = 0; i < kPolicyEntriesMax; i++) {
    if (i >= (__u32)policy) break;
    const struct policy_entry* e = table_policy_entries(tables, (__u32)(policy >> 32) + i);
    if (!e) break;
    if (policy_is_about_others(e, tuple, at) != 0) continue;
    if (!policy_fits(e, tuple, 0)) {
      if (!either_way || !policy_fits(e, tuple, 1)) continue;
      const struct policy_rule* r = policy_rule_at(tables, policy_rule_in(policy, e->rule));
      if (!r || r->action == kPolicyBypass) continue;
    }
    if (e->share == 0xffffffff || policy_draw(settings, query, e->form, e->salt) <= e->share)
      return policy_rule_in(policy, e->rule);
  }
  return 0;
}

// The target group that takes the flow at a hop of its rule; kNone16 if the rule has no such hop
// (any more).
SLUICE_STAGE __u32 policy_group(const struct path_tables* tables, const struct flow_query* query,
                                __u32 rule, __u32 hop_number) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !settings) return kNone16;
  const struct policy_rule* r = policy_rule_at(tables, rule);
  if (!r || r->action != kPolicyForward || hop_number >= r->hops) return kNone16;
  const struct policy_hop* hop = &r->hop[hop_number & (kChainHopsMax - 1)];
  if (hop->groups == 1) return hop->group[0];
  const __u32 draw = policy_draw(settings, query, r->form, r->salt + hop_number + 1);
#pragma GCC unroll 5
  for (__u32 i = 0; i < kHopGroupsMax; i++)
    if (i < hop->groups && draw <= hop->upto[i]) return hop->group[i];
  return kNone16;
}

// The target group that a flow goes to: its rule's, or that of its attachment's listener if no rule
// is for it, or its rule is gone.
SLUICE_INLINE __u32 flow_group(const struct path_tables* tables,
                               const struct attachment* attachment, const struct flow_query* query,
                               __u32 rule) {
  if (policy_place(rule) == 0) return attachment->group;
  const __u32 group = policy_group(tables, query, rule, 0);
  return group == kNone16 ? attachment->group : group;
}

SLUICE_INLINE void policy_count_flow(const struct path_tables* tables, __u32 rule) {
  struct policy_counters* count = table_policy_counters(tables, policy_place(rule));
  if (count) count->flows++;
}

SLUICE_INLINE enum DropReason policy_drop(const struct path_tables* tables, __u32 rule) {
  struct policy_counters* count = table_policy_counters(tables, policy_place(rule));
  if (count) count->packets_dropped++;
  return kDropPolicy;
}

// Whether a rule does no more than say which target group a flow's one appliance is of; so does
// none (0).
SLUICE_INLINE int policy_is_plain(const struct path_tables* tables, __u32 rule) {
  const struct policy_rule* r = rule != 0 ? policy_rule_at(tables, rule) : 0;
  return !r || (r->action == kPolicyForward && r->hops < 2);
}

// Whether copies are wanted of its flows' packets (mirror.h).
SLUICE_INLINE int policy_mirrors(const struct path_tables* tables, __u32 rule) {
  if (rule == 0) return 0;
  const struct policy_rule* r = policy_rule_at(tables, rule);
  return r && r->mirror != 0;
}

// Whether copies are wanted of any flow's packets.
SLUICE_INLINE int policy_mirrors_some(const struct path_tables* tables,
                                      const struct settings* settings) {
  const struct policy_rule* all =
      table_policy_rules(tables, policy_slot(policy_rule_now(settings, 0)));
  return all && all->mirror != 0;
}

// What is to be done with a flow, by its rule.
SLUICE_INLINE enum PolicyAction policy_action(const struct path_tables* tables, __u32 rule) {
  if (rule == 0) return kPolicyForward;
  const struct policy_rule* r = policy_rule_at(tables, rule);
  return r ? (enum PolicyAction)r->action : kPolicyForward;
}

SLUICE_END
