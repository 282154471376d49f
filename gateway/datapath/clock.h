// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The time of the kernel host's path: milliseconds of the coarse monotonic clock.
//
// That clock goes on once per tick, and so do the jiffies, which are read without a call. So it is
// asked once per tick on each CPU. But the jiffies are a moment ahead where a tick begins, and what
// the clock says then is the tick before's. So an answer is kept only if it is another than the one
// before it, in this tick or the last; a CPU that was idle asks for each packet until then.
#pragma once

#include "gateway/datapath/frame.h"

static struct {
  __u64 tick;  // for which now_ms is kept
  __u64 now_ms;
  __u64 now_ns;   // the last answer, ...
  __u64 asked;    // ... and the tick that it came in
  __u64 line[4];  // no other CPU writes its cache line
} path_clocks[kCpusMax];

SLUICE_STAGE __u32 clock_ask(__u32 cpu, __u64 tick) {
  cpu &= kCpusMax - 1;
  const __u64 now_ns = bpf_ktime_get_coarse_ns();
  const int goes_on = now_ns != path_clocks[cpu].now_ns && tick - path_clocks[cpu].asked <= 1;
  path_clocks[cpu].now_ms = now_ns / 1000000;
  path_clocks[cpu].now_ns = now_ns;
  path_clocks[cpu].asked = tick;
  if (goes_on) path_clocks[cpu].tick = tick;
  return (__u32)path_clocks[cpu].now_ms;
}

// `cpu`: below kCpusMax.
SLUICE_INLINE __u32 clock_now_ms(__u32 cpu) {
  const __u64 tick = bpf_jiffies64();
  return path_clocks[cpu].tick == tick ? (__u32)path_clocks[cpu].now_ms : clock_ask(cpu, tick);
}
