// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The macro layer between the packet path and its host: what a frame is, and how a table is
// reached.
//
// In the kernel host a frame is the context of XDP (frame_xdp.h) or of TC (frame_skb.h), and a
// table is a map of the same name. In the process host a frame is a buffer with room in front, and
// a table is a pointer.
#pragma once

#include "gateway/datapath/tables.h"
#include "tunnels/checksum.h"
#include "tunnels/packet.h"

// SLUICE_STAGE marks the functions that the kernel host keeps as BPF functions of their own. The
// verifier checks each once, for any arguments, so its work adds up; inlined into one program the
// branches of the stages would multiply past its limit of a million instructions. For that,
// arguments are a frame, numbers, or pointers to plain structs (checked for null, since anybody
// might call), at most five.
#ifdef __bpf__

#include <linux/bpf.h>
// libbpf's helpers use the types of linux/types.h above.
#include <bpf/bpf_helpers.h>

// weak: clang must not look inside and drop arguments that it finds unused there.
#define SLUICE_STAGE __attribute__((noinline, weak))
// Each direction has its own frame on the stack, which has 512 bytes for a chain of calls.
#define SLUICE_HALF static __attribute__((noinline))

// The kernel host's tables are maps of the program; nothing needs to be handed around.
struct path_tables {
  __u32 flow_buckets_count;
};

// Hides from the compiler what it knows about a value, so that the instruction before it stays as
// it is written. The verifier needs that where it cannot follow the compiler's shortcut.
#define SLUICE_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))

// Which of its two entries is compiled.
#ifdef SLUICE_ENTRY_TC
#include "gateway/datapath/frame_skb.h"
#else
#include "gateway/datapath/frame_xdp.h"
#endif

#define SLUICE_FLOW_BUCKETS 1  // the loader sizes them
#define SLUICE_DECLARE_MAP(table, record, entries)                                            \
  struct {                                                                                    \
    __uint(type, BPF_MAP_TYPE_ARRAY);                                                         \
    __uint(map_flags, BPF_F_MMAPABLE);                                                        \
    __uint(max_entries, entries);                                                             \
    __type(key, __u32);                                                                       \
    __type(value, struct record);                                                             \
  } table SEC(".maps");                                                                       \
  SLUICE_INLINE struct record* table_##table(const struct path_tables* tables, __u32 index) { \
    (void)tables;                                                                             \
    return bpf_map_lookup_elem(&table, &index);                                               \
  }
SLUICE_TABLES(SLUICE_DECLARE_MAP)

// Where frames wait for the process that runs the slow path: one ring for each CPU.
struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} handed_over SEC(".maps");

// Gives a copy of the frame to the slow path. 0 on success: nobody may listen, or have room.
SLUICE_INLINE int frame_hand_over(frame* f, __u32 interface, __u32 mtu) {
  const __u64 length = frame_length(f);
  struct handed_over_head head = {interface, (__u32)length, mtu, frame_tag(f)};
  return (int)bpf_perf_event_output(f, &handed_over, BPF_F_CURRENT_CPU | length << 32, &head,
                                    sizeof(head));
}
// Whether it is the slow path that runs, and what it has made of the frame.
SLUICE_INLINE __u32 frame_is_slow(const frame* f) {
  (void)f;
  return kSlowNot;
}

// Where sightings wait for the process that somebody has asked: one ring for each CPU.
struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} sightings SEC(".maps");

// Where copies for mirrors wait for the process that sends them: one ring for each CPU.
struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} mirrored SEC(".maps");

// Hands a copy of the frame over. 0 on success: nobody may listen, or have room.
SLUICE_INLINE int frame_mirror(const struct path_tables* tables, frame* f,
                               struct mirror_head* head) {
  (void)tables;
  const __u64 length = frame_length(f);
  head->length = (__u32)length;
  head->tag = frame_tag(f);
  head->segment = frame_segment(f);
  return (int)bpf_perf_event_output(f, &mirrored, BPF_F_CURRENT_CPU | length << 32, head,
                                    sizeof(*head));
}

// Tells what is seen of the frame, with its first s->captured bytes. 0 on success.
SLUICE_INLINE int frame_tell(const struct path_tables* tables, frame* f, struct sighting* s) {
  (void)tables;
  const __u64 captured = s->captured;
  s->tag = frame_tag(f);
  return (int)bpf_perf_event_output(f, &sightings, BPF_F_CURRENT_CPU | captured << 32, s,
                                    sizeof(*s));
}
// The time of a sighting. Only this host has a better clock than the path's own.
SLUICE_INLINE __u64 frame_time_ns(__u32 now_ms) {
  (void)now_ms;
  return bpf_ktime_get_ns();
}

#else

#include <stddef.h>

#define SLUICE_OPAQUE(value) (void)(value)
#define SLUICE_STAGE static inline __attribute__((unused))
#define SLUICE_HALF static inline

SLUICE_GATEWAY_BEGIN

// The frame lies in [data, end) of the buffer [head, limit). It is handed over by leaving it where
// it is: who has called the path takes it from there.
typedef struct frame {
  __u8* head;
  __u8* data;
  __u8* end;
  __u8* limit;
  __u32 slow;  // SlowFrame
} frame;

// Who is told of sightings in this process.
struct sighting_taker {
  void (*take)(void* self, const struct sighting* s, const __u8* bytes);
  void* self;
};

// Who takes the copies for mirrors in this process.
struct mirror_taker {
  void (*take)(void* self, const struct mirror_head* head, const __u8* bytes);
  void* self;
};

struct path_tables {
#define X(name, type, count) struct type* name;
  SLUICE_TABLES(X)
#undef X
  __u32 flow_buckets_count;
  const struct sighting_taker* sightings;  // null: nobody
  const struct mirror_taker* mirrors;      // null: nobody
};

SLUICE_INLINE __u8* frame_data(const frame* f) { return f->data; }
SLUICE_INLINE __u8* frame_end(const frame* f) { return f->end; }
SLUICE_INLINE __u32 frame_length(const frame* f) { return (__u32)(f->end - f->data); }
SLUICE_INLINE int frame_move_head(frame* f, int delta) {
  if (delta < f->head - f->data || delta > f->end - f->data) return -1;
  f->data += delta;
  return 0;
}
SLUICE_INLINE int frame_move_tail(frame* f, int delta) {
  if (delta > f->limit - f->end || delta < f->data - f->end) return -1;
  f->end += delta;
  return 0;
}
#include "gateway/datapath/frame_whole.h"

SLUICE_INLINE int frame_hand_over(frame* f, __u32 interface, __u32 mtu) {
  (void)f;
  (void)interface;
  (void)mtu;
  return 0;
}
SLUICE_INLINE __u32 frame_is_slow(const frame* f) { return f->slow; }
SLUICE_INLINE int frame_tell(const struct path_tables* tables, frame* f, struct sighting* s) {
  if (!tables->sightings) return -1;
  tables->sightings->take(tables->sightings->self, s, f->data);
  return 0;
}
SLUICE_INLINE __u64 frame_time_ns(__u32 now_ms) { return (__u64)now_ms * 1000000; }
SLUICE_INLINE int frame_mirror(const struct path_tables* tables, frame* f,
                               struct mirror_head* head) {
  if (!tables->mirrors) return -1;
  head->length = frame_length(f);
  tables->mirrors->take(tables->mirrors->self, head, f->data);
  return 0;
}

#define SLUICE_FLOW_BUCKETS (tables->flow_buckets_count)
#define SLUICE_DECLARE_TABLE(name, type, count)                                            \
  SLUICE_INLINE struct type* table_##name(const struct path_tables* tables, __u32 index) { \
    return index < (count) ? &tables->name[index] : NULL;                                  \
  }
SLUICE_TABLES(SLUICE_DECLARE_TABLE)

#endif

// How long nothing has been seen. Another CPU may have seen it a moment after `now_ms`.
SLUICE_INLINE __u32 silence_ms(__u32 seen_ms, __u32 now_ms) {
  const __u32 silence = now_ms - seen_ms;
  return silence > 0xffff0000 ? 0 : silence;
}

// The record and the usage of a flow, by its index.
SLUICE_INLINE struct flow_record* table_flow_records(const struct path_tables* tables,
                                                     __u32 index) {
  struct flow_bucket* bucket = table_flow_buckets(tables, index / kFlowWays);
  if (!bucket) return 0;
  SLUICE_OPAQUE(bucket);  // no arithmetic on it before the check
  return &bucket->record[index & (kFlowWays - 1)];
}
SLUICE_INLINE struct flow_usage* table_flow_usages(const struct path_tables* tables, __u32 index) {
  struct flow_bucket* bucket = table_flow_buckets(tables, index / kFlowWays);
  if (!bucket) return 0;
  SLUICE_OPAQUE(bucket);  // no arithmetic on it before the check
  return flow_usage_in(bucket, index);
}

SLUICE_INLINE __u64 compare_and_swap(__u64* place, __u64 expected, __u64 desired) {
  return __sync_val_compare_and_swap(place, expected, desired);
}

SLUICE_END
