// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What the benchmark's BPF programs and its user space share.
#pragma once

#include <linux/types.h>

enum {
  kBenchFramesMax = 1 << 20,
  kBenchFrameLength = 144,  // room for a GENEVE datagram around the shortest TCP packet
};

// A frame to start each repetition from.
struct bench_frame {
  __u32 length;
  __u32 zero;
  __u8 bytes[kBenchFrameLength];
};

struct bench_state {
  __u32 frame_mask;  // frames in use - 1
  __u32 interface;   // where they come in
  __u32 new_flows;   // each repetition gets a source address and port never seen before
  __u32 step;        // how far the last repetition got
  __u64 verdicts[8];
};

// Repetition i takes this frame: a fixed walk that visits every one and that no prefetcher follows.
#define SLUICE_BENCH_FRAME(step, mask) (((step)*0x9e3779b1u + ((step) >> 16)) & (mask))
