// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// IP fragments go where their flow goes (RFC 791 section 3.2, RFC 8200 section 4.5).
//
// Only the first fragment of a datagram has the ports, and says what they are of. It leaves a
// trail, found by the datagram's name, from which the others take them. One that comes before its
// first is handed over to the slow path and waits there (slow_path.h); the trail then says so, and
// the first follows it there, so that nothing has to be told from here.
//
// No two fragments that pass overlap (RFC 5722, RFC 1858): the trail counts their bytes and knows
// the datagram's length so far. Together they may never have more bytes than that; so if they leave
// no gap, they have no overlap either, and with a gap nobody can put them together.
#pragma once

#include "gateway/datapath/passage.h"
#include "tunnels/siphash.h"

SLUICE_GATEWAY_BEGIN

enum {
  kFragmentMs = 2000,  // how long one waits for its first
  // How long after the last one that has passed a datagram's next fragment may come. Nobody puts
  // datagrams together for longer (RFC 8200 section 4.5), so none that overlaps comes after it.
  kReassemblyMs = 60000,
  kDatagramMax = 65535,
};

// One fragment.
struct fragment {
  __u64 name;    // of its datagram
  __u32 id;      // as in its header
  __u16 offset;  // of its payload in the datagram's, a multiple of 8; bit 0: it is not the last
  __u16 length;
};

// Reads what parse_ip has found to be a fragment, but for the name; of a first one the ports, too.
SLUICE_STAGE enum DropReason fragment_read(frame* f, struct packet* p, struct fragment* out) {
  if (!p || !out) return kDropFragmentInvalid;
  const __u8* data = frame_data(f);
  const __u8* end = frame_end(f);
  __u32 payload;
  const enum DropReason reason = parse_fragment(data, end, p, &payload);
  if (reason != kDropNone) return reason;
  const __u32 l3 = p->l3_offset;
  if (l3 > kHeaderOffsetMax || payload > kHeaderOffsetMax || payload < 8)
    return kDropFragmentInvalid;
  const int four = p->tuple.version == 4;
  // Flags, offset and identification: in the IPv4 header, or just before an IPv6 fragment's
  // payload.
  const __u8* header = data + (four ? l3 + 4 : payload - 8);
  if (header + 8 > end) return kDropFragmentInvalid;
  const __u16 field = load_be16(header + 2);
  const __u32 more = four ? field >> 13 & 1 : field & 1;
  const __u32 offset = four ? (field & 0x1fffu) * 8 : field & 0xfff8u;
  const __u32 length = l3 + p->l3_length - payload;
  if (length == 0 || length > kDatagramMax || offset + length > kDatagramMax ||
      (more && length % 8 != 0))
    return kDropFragmentInvalid;
  out->id = four ? load_u16(header) : load_u32(header + 4);
  out->offset = (__u16)(offset | more);
  out->length = (__u16)length;
  return kDropNone;
}

// Names the datagram of a fragment. Of IPv6 without the protocol: a fragment that carries extension
// headers begins with another header than the next one, and only the first one's counts.
SLUICE_STAGE int fragment_name(const struct path_tables* tables, const struct tuple* t,
                               __u64 endpoint_id, struct fragment* piece) {
  const struct settings* settings = table_settings(tables, 0);
  if (!settings || !t || !piece) return 0;
  struct siphash_state s;
  siphash_init(&s, &settings->cookie_key);
  siphash_word(&s, endpoint_id);
  siphash_word(&s, (__u64)t->source[0] | (__u64)t->destination[0] << 32);
  __u32 length = 22;
  if (t->version == 6) {
    siphash_word(&s, (__u64)t->source[1] | (__u64)t->source[2] << 32);
    siphash_word(&s, (__u64)t->source[3] | (__u64)t->destination[3] << 32);
    siphash_word(&s, (__u64)t->destination[1] | (__u64)t->destination[2] << 32);
    length = 46;
  }
  const __u64 protocol = t->version == 6 ? 0 : t->protocol;
  const __u64 last = (__u64)piece->id | protocol << 32 | (__u64)t->version << 40;
  const __u64 name = siphash_finish(&s, last, length);
  piece->name = name != 0 ? name : 1;  // 0 is an empty place
  return 1;
}

SLUICE_INLINE struct trail_bucket* trail_bucket_of(const struct path_tables* tables, __u64 name) {
  return table_trail_buckets(tables, (__u32)(name >> 40) & (kTrailBuckets - 1));
}

SLUICE_INLINE struct fragment_trail* trail_find(struct trail_bucket* bucket, __u64 name) {
#pragma GCC unroll 4
  for (int way = 0; way < kTrailWays; way++)
    if (bucket->trail[way].name == name) return &bucket->trail[way];
  return 0;
}

// Whether further fragments of its datagram are expected.
SLUICE_INLINE int trail_is_open(const struct fragment_trail* trail, __u32 now_ms) {
  const __u32 longest = trail->flags & kTrailBegun ? kReassemblyMs : kFragmentMs;
  if (silence_ms(trail->last_seen_ms, now_ms) > longest) return 0;
  if (trail->flags & kTrailReturned) return 0;
  return !(trail->flags & kTrailEnds) || trail->passed != trail->end;
}

// How gladly the place of a trail is given to another: the higher the sooner.
SLUICE_INLINE __u32 trail_expendable(const struct fragment_trail* trail, __u32 now_ms) {
  if (trail->name == 0) return 0xffffffff;
  const __u32 age = silence_ms(trail->last_seen_ms, now_ms) & 0x7fffffff;
  return trail_is_open(trail, now_ms) ? age : age | 0x80000000;
}

// An empty trail, without a name, in the place of the most expendable.
SLUICE_INLINE struct fragment_trail* trail_claim(const struct path_tables* tables,
                                                 struct trail_bucket* bucket, __u64 clock) {
  const __u32 now_ms = (__u32)clock;
  struct counters* counters = table_counters(tables, (__u32)(clock >> 32));
  __u32 best = 0;
  __u32 best_way = 0;
#pragma GCC unroll 4
  for (__u32 way = 0; way < kTrailWays; way++) {
    const __u32 expendable = trail_expendable(&bucket->trail[way], now_ms);
    if (expendable < best) continue;
    best = expendable;
    best_way = way;
  }
  if (counters && best < 0x80000000) counters->event[kEventTrailEvicted]++;
  SLUICE_OPAQUE(bucket);  // no arithmetic on it before the check
  struct fragment_trail* trail = &bucket->trail[best_way & (kTrailWays - 1)];
  trail->name = 0;  // nobody finds it while it changes
  trail->last_seen_ms = now_ms;
  trail->passed = 0;
  trail->end = 0;
  trail->flags = 0;
  return trail;
}

// Whether a further fragment may pass, and counts it if so.
SLUICE_INLINE int trail_take(struct fragment_trail* trail, const struct fragment* piece,
                             __u32 now_ms) {
  const int more = piece->offset & 1;
  __u32 end = (piece->offset & ~1u) + piece->length;
  const int ends = (trail->flags & kTrailEnds) != 0;
  if (more ? ends && end > trail->end : ends || end < trail->end) return 0;
  if (end < trail->end) end = trail->end;
  if (trail->passed + piece->length > end) return 0;
  trail->passed += piece->length;
  trail->end = end;
  if (!more) trail->flags |= kTrailEnds;
  trail->last_seen_ms = now_ms;
  return 1;
}

// What a first fragment leaves, ...
SLUICE_INLINE void trail_begin(struct fragment_trail* trail, const struct packet* p,
                               const struct fragment* piece, __u32 now_ms, __u32 flags) {
  trail->port[0] = p->tuple.source_port;
  trail->port[1] = p->tuple.destination_port;
  trail->protocol = p->tuple.protocol;
  trail->passed = piece->length;
  trail->end = piece->length;
  trail->flags = kTrailBegun | flags;
  trail->last_seen_ms = now_ms;
  trail->name = piece->name;
}

// ... and what the others take.
SLUICE_INLINE void trail_follow(const struct fragment_trail* trail, struct packet* p) {
  p->tuple.source_port = trail->port[0];
  p->tuple.destination_port = trail->port[1];
  if (trail->protocol != 0) p->tuple.protocol = (__u8)trail->protocol;
}

// The stages below take their CPU and the time as one number.
SLUICE_INLINE __u64 fragment_clock(const struct passage* way) {
  return (__u64)way->cpu << 32 | way->now_ms;
}

// A fragment from outside or inside: gives it its flow's tuple. kDropFragmentEarly: it is for the
// slow path, or, if that is who asks (`slow`, SlowFrame), to wait there.
SLUICE_STAGE enum DropReason fragment_follow(const struct path_tables* tables, struct packet* p,
                                             const struct fragment* piece, __u64 clock,
                                             __u32 slow) {
  if (!p || !piece) return kDropFragmentInvalid;
  const __u32 now_ms = (__u32)clock;
  struct trail_bucket* bucket = trail_bucket_of(tables, piece->name);
  if (!bucket) return kDropFragmentInvalid;
  struct fragment_trail* trail = trail_find(bucket, piece->name);
  const int open = trail && trail_is_open(trail, now_ms);
  const int begun = open && (trail->flags & kTrailBegun);
  if (slow == kSlowPiece) {  // its packet, whole or a fragment, has been judged
    if (p->flags & kPacketFirstFragment) {
      if (!trail) trail = trail_claim(tables, bucket, clock);
      if (!begun) trail_begin(trail, p, piece, now_ms, kTrailReturned);
      return kDropNone;
    }
    if (!trail || !(trail->flags & kTrailBegun)) return kDropFragmentEarly;
    trail_follow(trail, p);
    return kDropNone;
  }
  if (p->flags & kPacketFirstFragment) {
    if (begun) return kDropFragmentOverlap;
    if (open && !slow) return kDropFragmentEarly;  // others wait for it there
    if (!trail) trail = trail_claim(tables, bucket, clock);
    trail_begin(trail, p, piece, now_ms, 0);
    return kDropNone;
  }
  if (!begun) return kDropFragmentEarly;
  if (!trail_take(trail, piece, now_ms)) return kDropFragmentOverlap;
  trail_follow(trail, p);
  return kDropNone;
}

// A fragment has been handed over: its first one is to follow it.
SLUICE_STAGE int fragment_await(const struct path_tables* tables, const struct fragment* piece,
                                __u64 clock) {
  if (!piece) return 0;
  const __u32 now_ms = (__u32)clock;
  struct trail_bucket* bucket = trail_bucket_of(tables, piece->name);
  if (!bucket) return 0;
  struct fragment_trail* trail = trail_find(bucket, piece->name);
  if (!trail) trail = trail_claim(tables, bucket, clock);
  if (!trail_is_open(trail, now_ms)) trail->flags = 0;
  trail->last_seen_ms = now_ms;
  trail->name = piece->name;
  return 1;
}

// A fragment that a target returns: gives it the tuple that its datagram went there with. Without a
// trail it keeps the tuple without ports, which no flow with ports has.
SLUICE_STAGE int fragment_recall(const struct path_tables* tables, struct packet* p,
                                 const struct fragment* piece) {
  if (!p || !piece || (p->flags & kPacketFirstFragment)) return 0;
  struct trail_bucket* bucket = trail_bucket_of(tables, piece->name);
  const struct fragment_trail* trail = bucket ? trail_find(bucket, piece->name) : 0;
  if (!trail || !(trail->flags & kTrailBegun)) return 0;
  trail_follow(trail, p);
  return 1;
}

// Leaves a trail for fragments that will be returned: of a first fragment that was approved (its
// target may have made it of a whole packet), or that has just got another address.
SLUICE_STAGE int fragment_note(const struct path_tables* tables, const struct packet* p,
                               const struct fragment* piece, __u64 clock) {
  if (!p || !piece) return 0;
  struct trail_bucket* bucket = trail_bucket_of(tables, piece->name);
  if (!bucket) return 0;
  struct fragment_trail* trail = trail_find(bucket, piece->name);
  if (trail && trail_is_open(trail, (__u32)clock)) return 0;
  if (!trail) trail = trail_claim(tables, bucket, clock);
  trail_begin(trail, p, piece, (__u32)clock, kTrailReturned);
  return 1;
}

SLUICE_END
