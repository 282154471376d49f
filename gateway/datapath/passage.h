// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What one packet carries along on its way through the path, and how it ends.
#pragma once

#include "gateway/datapath/frame.h"

SLUICE_GATEWAY_BEGIN

// How a packet leaves the path, beside its verdict.
struct departure {
  // To leave by, with kVerdictCross, Target, Outside, Inside, Answered. With SlowPath: the MTU that
  // the packet is to be cut for, or 0, if it is to wait.
  __u32 interface;
  __u32 reason;  // DropReason, with kVerdictDrop and kVerdictAnswered
};

// What a packet's way through the path carries along; lives on the stack of path_enter.
struct passage {
  const struct path_tables* tables;
  const struct settings* settings;
  struct counters* counters;
  __u32 cpu;
  __u32 now_ms;
  struct departure departure;
  __u32 fails_open;  // the packet is delivered without inspection: its group has no healthy target
};

// `settings` and `counters` are null if there are none.
SLUICE_INLINE void passage_begin(struct passage* way, const struct path_tables* tables, __u32 cpu,
                                 __u32 now_ms) {
  way->tables = tables;
  way->settings = table_settings(tables, 0);
  way->cpu = cpu & (kCpusMax - 1);
  way->counters = table_counters(tables, way->cpu);
  way->now_ms = now_ms;
  way->departure.interface = 0;
  way->departure.reason = kDropNone;
  way->fails_open = 0;
}

SLUICE_INLINE enum Verdict path_drop(struct passage* way, enum DropReason reason) {
  way->counters->drop[(__u32)reason & 63]++;
  way->departure.reason = reason;
  return kVerdictDrop;
}

// The path begins anew without a record of the packet's flow (unrecorded_path.h); it is dropped as
// what `otherwise` says if it cannot do without.
SLUICE_INLINE enum Verdict path_again(struct passage* way, enum DropReason otherwise) {
  way->departure.reason = otherwise;
  return kVerdictAgain;
}

// What the CPU has done in the present window.
SLUICE_INLINE struct gate* gate_of(const struct path_tables* tables, __u32 cpu, __u32 now_ms) {
  struct gate* gate = table_gates(tables, cpu & (kCpusMax - 1));
  if (gate && gate->window != now_ms >> kGateShift) {
    gate->window = now_ms >> kGateShift;
    gate->handed_over = 0;
    gate->seen = 0;
    gate->mirror_copies = 0;
    gate->mirror_returns = 0;
  }
  return gate;
}

// Hands the frame, as it came in at `interface`, over to the slow path: to be cut for `mtu`, or to
// wait. 0 on success.
SLUICE_INLINE int path_hand_over(struct passage* way, frame* f, __u32 interface, __u32 mtu) {
  way->departure.interface = mtu;
  if (frame_is_slow(f)) return 0;  // it is there
  struct gate* gate = gate_of(way->tables, way->cpu, way->now_ms);
  if (!gate || gate->handed_over >= kHandedOverMax) return -1;
  gate->handed_over++;
  return frame_hand_over(f, interface, mtu);
}

SLUICE_END
