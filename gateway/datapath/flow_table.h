// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Finding and making flows.
//
// A bucket is one cache line with the names of eight flows; a record is another, with all that a
// packet of IPv4 reads and writes. A hit costs those two, and writes the first only when a flow's
// state or age changes. A flow stands at its home in the bucket if that is free, and there it is
// looked for first: the processor guesses so and fetches the record before the name has come. A
// full bucket gives up its least valuable flow: closed, then idle, then the oldest that only one
// end has spoken in. If all eight are established and alive, the newcomer is refused: what works
// keeps working.
//
// All CPUs share the table without a lock. A writer claims a place with one compare-and-swap (state
// 0: nobody finds it yet), fills the record, then publishes the entry. Two CPUs that meet the first
// packets of one flow at the same instant may make two records; steering and cookie are functions
// of the tuple, so the two agree, and the unused one expires.
#pragma once

#include "gateway/datapath/frame.h"

SLUICE_GATEWAY_BEGIN

enum {
  kFlowNotFound = 0xffffffff,
  kFlowEpochMask = 63,
  kFlowIdleEpochs = 32,     // never alive after this many epochs: settings.epoch_shift sees to it
  kFormerCookieMs = 10000,  // how long returns under a flow's former cookie are taken
  kFlowNameMask = 0xff,     // the bits of an entry that are not the name
};

SLUICE_INLINE __u32 flow_epoch(const struct settings* settings, __u32 now_ms) {
  return now_ms >> (settings->epoch_shift & 31) & kFlowEpochMask;
}

// What an entry has beside the name.
SLUICE_INLINE __u32 flow_mark(__u32 state, __u32 epoch) { return state << 6 | epoch; }

SLUICE_INLINE __u64 flow_named(__u64 hash, __u32 mark) {
  return (hash & ~(__u64)kFlowNameMask) | mark;
}

SLUICE_INLINE __u64 flow_entry(__u64 hash, __u32 state, __u32 epoch) {
  return flow_named(hash, flow_mark(state, epoch));
}

SLUICE_INLINE __u32 flow_entry_state(__u64 entry) { return entry >> 6 & 3; }

SLUICE_INLINE int flow_is_closed(const struct flow_record* record) {
  const __u16 both = kFlowFin0 | kFlowFin1;
  return (record->flags & kFlowReset) || (record->flags & both) == both;
}

SLUICE_INLINE int flow_is_expired(const struct settings* settings, const struct flow_record* record,
                                  __u32 now_ms) {
  const __u32 idle_class = record->flags >> kFlowIdleShift & (kIdleClasses - 1);
  return silence_ms(record->last_seen_ms, now_ms) > settings->idle_ms[idle_class];
}

// The flags of a new flow's idle class: that of the first rule for it, or its protocol's.
SLUICE_STAGE __u32 flow_idle_class(const struct path_tables* tables, const struct flow_key* key) {
  const struct settings* settings = table_settings(tables, 0);
  if (!settings || !key) return 0;
  for (__u32 i = kIdleRules; i < kIdleClasses; i++) {
    const struct idle_rule* rule = &settings->idle_rule[i];
    if (!rule->idle_class) break;
    if (rule->protocol != key->protocol) continue;
    if (rule->port == 0 || rule->port == key->port[0] || rule->port == key->port[1])
      return (rule->idle_class & (__u32)(kIdleClasses - 1)) << kFlowIdleShift;
  }
  return (__u32)(key->protocol == kProtocolTcp ? kIdleTcp : kIdleOther) << kFlowIdleShift;
}

// Whether a target takes the packets of its flows without a question.
SLUICE_INLINE int target_serves(const struct target* target) {
  const __u16 asked = kTargetInUse | kTargetAppliance | kTargetMoves | kTargetResets;
  return (target->flags & asked) == (kTargetInUse | kTargetAppliance);
}

// Where a flow stands in its bucket if it can choose.
SLUICE_INLINE __u32 flow_home(__u64 hash) { return (__u32)(hash >> 61); }

// Whether a flow may have had a cookie before its present one.
SLUICE_INLINE int flow_had_another_cookie(const struct flow_record* record) {
  return record->cookie >> 28 != 0 || (record->flags & kFlowMoved);
}

// Which flow is looked for, and where its packet goes.
struct flow_query {
  struct flow_key key;
  __u64 hash;
  __u64 endpoint_id;  // decides when attachment is kNone16: all that a returned packet tells
  __u32 attachment;
  __u32 direction;  // 0: from the key's first end
  __u32 elsewhere;  // out: other attachments know the tuple
  __u32 place;      // out: of the flow that is found, and then of the one that begins
};

// Whether a packet comes from the end that opened its flow.
SLUICE_INLINE int flow_is_from_client(const struct flow_record* record,
                                      const struct flow_query* query) {
  return (query->direction == 0) == ((record->flags & kFlowClientFirst) != 0);
}

SLUICE_INLINE void flow_query_from_tuple(struct flow_query* query, const struct settings* settings,
                                         const struct tuple* tuple, __u32 attachment,
                                         __u64 endpoint_id) {
  query->direction = flow_key_from_tuple(&query->key, tuple);
  query->hash = flow_hash(&settings->hash_key, &query->key, kFlowHash5Tuple);
  query->attachment = attachment;
  query->endpoint_id = endpoint_id;
  query->elsewhere = 0;
  query->place = kFlowNotFound;
}

// The same where there is no room for it in a frame of the kernel host's stack.
SLUICE_STAGE int flow_query_apart(const struct path_tables* tables, struct flow_query* query,
                                  const struct tuple* tuple, __u32 attachment) {
  const struct settings* settings = table_settings(tables, 0);
  if (!settings || !query || !tuple) return 0;
  flow_query_from_tuple(query, settings, tuple, attachment, 0);
  return 1;
}

// The place of the flow that is asked for, alive or not; kFlowNotFound if there is none.
SLUICE_STAGE __u32 flow_find(const struct path_tables* tables, struct flow_query* query) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !settings) return kFlowNotFound;
  const __u32 bucket_index = (__u32)query->hash & settings->flow_bucket_mask;
  const struct flow_bucket* bucket = table_flow_buckets(tables, bucket_index);
  if (!bucket) return kFlowNotFound;
  const __u32 home = flow_home(query->hash);
#pragma GCC unroll 8
  for (__u32 i = 0; i < kFlowWays; i++) {
    const __u32 way = home ^ i;
    const __u64 entry = bucket->entry[way];
    if ((entry ^ query->hash) >> 8 != 0 || flow_entry_state(entry) == kFlowEmpty) continue;
    const __u32 index = bucket_index * kFlowWays + way;
    const struct flow_record* record = &bucket->record[way];
    if (!flow_key_equal(&record->key, &query->key)) continue;
    if (query->attachment != kNone16) {
      if (record->attachment == query->attachment) return index;
    } else {
      const struct attachment* at = table_attachments(tables, record->attachment);
      if (at && at->endpoint_id == query->endpoint_id) return index;
    }
    query->elsewhere = 1;
  }
  // The place of a flow that begins now: its memory comes while the flow is decided upon.
  (void)*(const volatile __u32*)&bucket->record[home];
  return kFlowNotFound;
}

// How gladly a place is given away: 0 never, else the higher the sooner; within each of these, the
// older the sooner.
enum FlowExpendable {
  kExpendHalfOpen = 0x100,
  kExpendIdle = 0x200,
  kExpendClosed = 0x300,
  kExpendEmpty = 0x400,
};

SLUICE_INLINE __u32 flow_entry_expendable(__u64 entry, __u32 epoch) {
  if (entry == 0) return kExpendEmpty;
  const __u32 state = flow_entry_state(entry);
  const __u32 age = (epoch - (__u32)entry) & kFlowEpochMask;
  if (state == kFlowEmpty) return 0;  // being written by another CPU
  if (state == kFlowClosed) return kExpendClosed + age;
  if (age > kFlowIdleEpochs) return kExpendIdle + age;
  return state == kFlowHalfOpen ? kExpendHalfOpen + age : 0;
}

// Marks the place of an entry as being written; 0: another CPU was quicker.
SLUICE_INLINE int flow_seize(__u64* place, __u64 entry, __u64 hash) {
  return compare_and_swap(place, entry, flow_entry(hash, kFlowEmpty, kFlowEpochMask)) == entry;
}

// Claims the place of an established flow that has idled out though its mark says that it lives:
// marks know only the longest silence of all, and come round.
SLUICE_STAGE __u32 flow_claim_expired(const struct path_tables* tables, __u64 hash, __u32 now_ms,
                                      __u32 cpu) {
  const struct settings* settings = table_settings(tables, 0);
  struct counters* counters = table_counters(tables, cpu);
  if (!settings || !counters) return kFlowNotFound;
  const __u32 bucket_index = (__u32)hash & settings->flow_bucket_mask;
  struct flow_bucket* bucket = table_flow_buckets(tables, bucket_index);
  if (!bucket) return kFlowNotFound;
  for (__u32 way = 0; way < kFlowWays; way++) {
    const __u64 entry = bucket->entry[way];
    if (flow_entry_state(entry) != kFlowEstablished ||
        !flow_is_expired(settings, &bucket->record[way], now_ms) ||
        !flow_seize(&bucket->entry[way], entry, hash))
      continue;
    counters->event[kEventFlowExpired]++;
    return bucket_index * kFlowWays + way;
  }
  return kFlowNotFound;
}

// Claims the place of the most expendable flow, by the marks, that is at least so expendable.
SLUICE_STAGE __u32 flow_claim_marked(const struct path_tables* tables, __u64 hash, __u32 now_ms,
                                     __u32 cpu, __u32 least) {
  const struct settings* settings = table_settings(tables, 0);
  struct counters* counters = table_counters(tables, cpu);
  if (!settings || !counters) return kFlowNotFound;
  const __u32 bucket_index = (__u32)hash & settings->flow_bucket_mask;
  struct flow_bucket* bucket = table_flow_buckets(tables, bucket_index);
  if (!bucket) return kFlowNotFound;
  const __u32 epoch = flow_epoch(settings, now_ms);
  __u32 best = least - 1;
  __u32 best_way = kFlowWays;
  __u64 best_entry = 0;
  const __u32 home = flow_home(hash);
#pragma GCC unroll 8
  for (__u32 i = 0; i < kFlowWays; i++) {
    const __u32 way = home ^ i;
    const __u64 entry = bucket->entry[way];
    const __u32 expendable = flow_entry_expendable(entry, epoch);
    if (expendable > best) {
      best = expendable;
      best_way = way;
      best_entry = entry;
    }
  }
  if (best_way == kFlowWays) return kFlowNotFound;
  best_way &= kFlowWays - 1;
  if (!flow_seize(&bucket->entry[best_way], best_entry, hash))
    return kFlowNotFound;  // rare enough to refuse
  if (best < kExpendIdle)
    counters->event[kEventFlowEvicted]++;
  else if (best < kExpendEmpty)
    counters->event[kEventFlowExpired]++;
  return bucket_index * kFlowWays + best_way;
}

// Claims a place for a new flow and returns its index, or kFlowNotFound in a bucket full of live
// established flows. The caller fills the record and calls flow_publish. Records are looked at only
// where no mark says that a place is free; from here, because the kernel host's stack is full
// below.
SLUICE_INLINE __u32 flow_claim(const struct path_tables* tables, __u64 hash, __u32 now_ms,
                               __u32 cpu) {
  __u32 index = flow_claim_marked(tables, hash, now_ms, cpu, kExpendIdle);
  if (index == kFlowNotFound) index = flow_claim_expired(tables, hash, now_ms, cpu);
  if (index == kFlowNotFound) index = flow_claim_marked(tables, hash, now_ms, cpu, kExpendHalfOpen);
  return index;
}

// Lets others find the flow at `index`, and stamps its state and age (flow_marks) into its entry.
SLUICE_INLINE void flow_publish(const struct path_tables* tables, __u32 index, __u64 hash,
                                __u32 marks) {
  struct flow_bucket* bucket = table_flow_buckets(tables, index / kFlowWays);
  if (!bucket) return;
  __u64* place = &bucket->entry[index & (kFlowWays - 1)];
  const __u64 before = *place;
  const __u64 entry = flow_named(hash, marks);
  // Another CPU may have given the place away meanwhile; then it is not ours to stamp.
  if (before != entry && (before ^ hash) >> 8 == 0) *place = entry;
}

// 4 bits of generation, 12 of target index, 16 of a keyed digest of all three: names a flow to the
// appliance, differs each time a tuple is used again, and cannot be guessed from outside. `hop`: of
// a chain (chain.h), from 1 on; 0 without one.
SLUICE_INLINE __u32 flow_cookie(const struct settings* settings, __u64 hash, __u32 target,
                                __u32 generation, __u32 hop) {
  struct siphash_state s;
  const __u32 head = (generation & 15) << 12 | (target & 0xfff);
  siphash_init(&s, &settings->cookie_key);
  siphash_word(&s, hash);
  return head << 16 | (__u32)(siphash_finish(&s, head | hop << 16, 12) & 0xffff);
}

// The same where there is no room for it in a frame of the kernel host's stack.
SLUICE_STAGE __u32 flow_cookie_apart(const struct path_tables* tables, __u64 hash, __u32 target,
                                     __u32 generation, __u32 hop) {
  const struct settings* settings = table_settings(tables, 0);
  return settings ? flow_cookie(settings, hash, target, generation, hop) : 0;
}

SLUICE_END
