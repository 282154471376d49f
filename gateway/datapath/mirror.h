// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Copies of packets for another target group, that of a mirror or shadow.
//
// The path sends no copy itself: XDP cannot make one, and nothing may hold up the packet. It hands
// one over to the process, with all that decides where it goes (mirror_copies.h sends it), and
// counts it if there is no room. The copy's cookie has a digest of its own, so that what comes back
// under it is known for what it is: it ends here, whoever sends it, and touches no flow.
#pragma once

#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/flow.h"
#include "gateway/datapath/relay.h"

SLUICE_GATEWAY_BEGIN

// Several CPUs may count at once.
SLUICE_INLINE void mirror_add(__u64* counter, __u32 packets) {
  __sync_fetch_and_add(counter, packets);
}

// What mirror_hand_over() is told of a packet.
SLUICE_INLINE __u64 mirror_what(enum MirrorKind kind, const frame* f, const struct packet* p) {
  return kind | (__u64)(frame_packets(f, p) & 0xffff) << 8 | (__u64)(p->l3_offset & 0xffff) << 24 |
         (__u64)(p->l3_length & 0xffff) << 40;
}

// Hands over the frame, of the flow at query->place. `clock`: the CPU above 32 bits of time. Of
// what comes back only what is to be compared.
SLUICE_STAGE int mirror_hand_over(const struct path_tables* tables, frame* f,
                                  const struct flow_query* query, __u64 what, __u64 clock) {
  const __u32 cpu = (__u32)(clock >> 32) & (kCpusMax - 1);
  struct gate* gate = gate_of(tables, cpu, (__u32)clock);
  struct counters* counters = table_counters(tables, cpu);
  if (!query || !gate || !counters) return 0;
  const struct flow_record* record = table_flow_records(tables, query->place);
  const struct settings* settings = table_settings(tables, 0);
  if (!record || !settings) return 0;
  const __u32 rule = record->rule;
  const struct policy_rule* r = policy_rule_at(tables, policy_rule_now(settings, rule));
  struct mirror_counters* count = table_mirror_counters(tables, rule);
  if (!r || r->mirror == 0 || !count) return 0;
  const __u32 packets = what >> 8 & 0xffff;
  const int returns = (what & 0xff) >= kMirrorDelivered;
  if (returns && !r->shadow) return 0;
  struct mirror_head head;
  __builtin_memset(&head, 0, sizeof(head));
  head.hash = query->hash;
  head.attachment = record->attachment;
  head.rule = (__u8)rule;
  head.kind = (__u8)what;
  head.l3_offset = (__u16)(what >> 24);
  head.l3_length = (__u16)(what >> 40);
  if (!returns) {
    const __u32 target = steer(tables, r->mirror - 1u, query);
    if (target == kNone16) {
      mirror_add(&count->no_target, packets);
      return 0;
    }
    head.target = (__u16)target;
    head.cookie = flow_cookie_apart(tables, query->hash, target, record->cookie >> 28, kMirrorHop);
  }
  __u32* used = returns ? &gate->mirror_returns : &gate->mirror_copies;
  const __u32 limit = returns ? kMirrorReturnsMax : kMirrorCopiesMax;
  const int told =
      *used < limit && frame_length(f) <= kMirrorLengthMax && frame_mirror(tables, f, &head) == 0;
  *used += *used < limit;
  if (!told) counters->event[kEventMirrorLost] += packets;
  if (returns) {
    if (!told) mirror_add(&count->returns_lost, packets);
  } else if (told) {
    counters->event[kEventMirrored] += packets;
    mirror_add(&count->copied, packets);
  } else {
    mirror_add(&count->lost, packets);
  }
  return told;
}

// A packet of a flow without record (unrecorded_path.h) goes on, and no copy of it is made: that is
// counted, if its rule has a mirror. Nobody could tell what came back of the copy.
SLUICE_STAGE int mirror_miss(const struct path_tables* tables, const struct packet* p,
                             const struct flow_query* query, __u32 packets, __u32 cpu) {
  const struct settings* settings = table_settings(tables, 0);
  struct counters* counters = table_counters(tables, cpu & (kCpusMax - 1));
  if (!p || !query || !settings || !counters) return 0;
  if (!policy_mirrors_some(tables, settings)) return 0;
  const __u32 rule = policy_find(tables, query, &p->tuple, !packet_is_syn(p));
  struct mirror_counters* count = table_mirror_counters(tables, policy_place(rule));
  if (!count || !policy_mirrors(tables, rule)) return 0;
  counters->event[kEventMirrorUnrecorded] += packets;
  mirror_add(&count->unrecorded, packets);
  return 1;
}

// Whether a datagram that its flow's targets did not send is a copy that comes back: from the
// target that its cookie names, under the flow's present generation or the one before.
SLUICE_STAGE int mirror_is_answer(const struct path_tables* tables, const struct flow_query* query,
                                  __u32 cookie, __u32 from) {
  if (!query || from >= kAppliancesMax) return 0;
  const struct flow_record* record = table_flow_records(tables, query->place);
  if (!record || !(record->flags & kFlowMirror)) return 0;
  const __u32 generation = cookie >> 28;
  if ((((record->cookie >> 28) - generation) & 15) > 1) return 0;
  return flow_cookie_apart(tables, query->hash, from, generation, kMirrorHop) == cookie;
}

// Whether copies of the flow go to a target, or did before its row changed.
SLUICE_STAGE int mirror_is_target(const struct path_tables* tables, const struct flow_query* query,
                                  __u32 target) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !settings) return 0;
  const struct flow_record* record = table_flow_records(tables, query->place);
  if (!record) return 0;
  const struct policy_rule* r = policy_rule_at(tables, policy_rule_now(settings, record->rule));
  if (!r || r->mirror == 0) return 0;
  const struct row* row = steer_row(tables, r->mirror - 1u, query);
  return row && (row->target == target || row->previous == target);
}

// That datagram's end.
SLUICE_INLINE enum Verdict mirror_end(struct passage* way, frame* f, const struct datagram* d,
                                      const struct flow_query* query, __u64 clock) {
  const int surplus = (int)frame_length(f) - (int)(d->inner.l3_offset + d->inner.l3_length);
  if (surplus > 0 && frame_is_many(f)) return path_drop(way, kDropSuperPacket);  // several
  const struct flow_record* record = table_flow_records(way->tables, query->place);
  struct mirror_counters* count = record ? table_mirror_counters(way->tables, record->rule) : 0;
  if (count) mirror_add(&count->answers, frame_packets(f, &d->inner));
  count_return(way, f, d);
  mirror_hand_over(way->tables, f, query, mirror_what(kMirrorAnswer, f, &d->inner), clock);
  return kVerdictMirror;
}

SLUICE_END
