// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The time of the kernel host's path: milliseconds of the coarse monotonic clock.
//
// That clock goes on once per tick, and so do the jiffies, which are read without a call. So it is
// asked once per tick on each CPU. Where it is asked in the instant that the tick begins, it may be
// a tick behind until the next one.
#pragma once

#include "gateway/datapath/frame.h"

static struct {
  __u64 tick;
  __u64 now_ms;
  __u64 line[6];  // no other CPU writes its cache line
} path_clocks[kCpusMax];

SLUICE_STAGE __u32 clock_ask(__u32 cpu, __u64 tick) {
  cpu &= kCpusMax - 1;
  path_clocks[cpu].now_ms = bpf_ktime_get_coarse_ns() / 1000000;
  path_clocks[cpu].tick = tick;
  return (__u32)path_clocks[cpu].now_ms;
}

// `cpu`: below kCpusMax.
SLUICE_INLINE __u32 clock_now_ms(__u32 cpu) {
  const __u64 tick = bpf_jiffies64();
  return path_clocks[cpu].tick == tick ? (__u32)path_clocks[cpu].now_ms : clock_ask(cpu, tick);
}
