// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The kernel host's TC entry.
#define SLUICE_ENTRY_TC
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { kTcNext = -1, kTcDrop = 2 };  // TCX_NEXT, TCX_DROP

SEC("tc")
int sluice_tc(struct __sk_buff* context) {
  struct departure departure = {0};
  const __u32 now_ms = (__u32)(bpf_ktime_get_coarse_ns() / 1000000);
  switch (
      path_enter(0, context, context->ifindex, bpf_get_smp_processor_id(), now_ms, &departure)) {
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
