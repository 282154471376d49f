// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// How many flows an endpoint may open (sluice.new_flows_per_second): a token for each, on each CPU
// for itself, and tokens of one second at most. Without one the guard is closed, and what would
// open a flow goes without a record (unrecorded.h). It is asked only when a flow is to be opened.
#pragma once

#include "gateway/datapath/frame.h"

SLUICE_GATEWAY_BEGIN

enum {
  kNewFlowsMost = 2000000,  // a second
  kGuardFlow = 1000,        // what a flow costs; a millisecond brings new_flows_per_second
  // A guard that has closed opens when it has a flow's cost and, so that it does not open and close
  // all the time, what comes in 64 ms.
  kGuardOpensShift = 6,
};
#define SLUICE_GUARD_CLOSED 0x80000000u
#ifdef __cplusplus
static_assert(uint64_t{kNewFlowsMost} * kGuardFlow < SLUICE_GUARD_CLOSED);
#endif

// Of an endpoint with a limit.
SLUICE_STAGE __u32 new_flow_takes_token(const struct path_tables* tables, __u32 attachment_index,
                                        __u32 cpu, __u32 now_ms) {
  const struct attachment* attachment = table_attachments(tables, attachment_index);
  // The limit may have been taken away since somebody asked for a token.
  const __u32 rate = attachment ? attachment->new_flows_per_second : 0;
  if (rate == 0) return 1;
  struct new_flow_guard* guard =
      table_new_flow_guards(tables, (cpu & (kCpusMax - 1)) * kAttachmentsMax +
                                        (attachment_index & (kAttachmentsMax - 1)));
  struct counters* counters = table_counters(tables, cpu);
  if (!guard || !counters) return 1;

  const __u32 was_closed = guard->tokens & SLUICE_GUARD_CLOSED;
  __u32 elapsed_ms = now_ms - guard->last_ms;
  if (elapsed_ms > 1000) elapsed_ms = 1000;
  __u64 tokens = (guard->tokens & ~SLUICE_GUARD_CLOSED) + (__u64)elapsed_ms * rate;
  if (tokens > (__u64)rate * kGuardFlow) tokens = (__u64)rate * kGuardFlow;
  __u64 wanted = was_closed ? (__u64)rate << kGuardOpensShift : 0;
  if (wanted < kGuardFlow) wanted = kGuardFlow;
  guard->last_ms = now_ms;
  if (tokens < wanted) {
    if (!was_closed) counters->event[kEventGuardClosed]++;
    guard->tokens = (__u32)tokens | SLUICE_GUARD_CLOSED;
    return 0;
  }
  guard->tokens = (__u32)tokens - kGuardFlow;
  return 1;
}

// Whether the endpoint may open one more flow now; takes a token for it if so.
SLUICE_INLINE __u32 new_flow_is_allowed(const struct path_tables* tables, __u32 attachment_index,
                                        __u32 cpu, __u32 now_ms) {
  const struct attachment* attachment = table_attachments(tables, attachment_index);
  if (!attachment || attachment->new_flows_per_second == 0) return 1;
  return new_flow_takes_token(tables, attachment_index, cpu, now_ms);
}

SLUICE_END
