// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The kernel host's TC entry.
#define SLUICE_ENTRY_TC
#include "gateway/datapath/clock.h"
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { kTcNext = -1, kTcDrop = 2 };  // TCX_NEXT, TCX_DROP

SEC("tc")
int sluice_tc(struct __sk_buff* context) {
  struct departure departure = {0};
  const __u32 cpu = bpf_get_smp_processor_id() & (kCpusMax - 1);
  switch (path_enter(0, context, context->ifindex, cpu, clock_now_ms(cpu), &departure)) {
    case kVerdictStack:
      return kTcNext;
    case kVerdictDrop:
    case kVerdictProbe:
    case kVerdictMirror:
    case kVerdictSlowPath:
      return kTcDrop;
    default:
      return (int)bpf_redirect(departure.interface, 0);
  }
}
