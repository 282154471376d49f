// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The kernel host's XDP entry.
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int sluice_xdp(struct xdp_md* context) {
  struct departure departure = {0};
  const __u32 now_ms = (__u32)(bpf_ktime_get_coarse_ns() / 1000000);
  // No tables: they are maps of the program, and a constant takes no room on the stack.
  switch (path_enter(0, context, context->ingress_ifindex, bpf_get_smp_processor_id(), now_ms,
                     &departure)) {
    case kVerdictStack:
      return XDP_PASS;
    case kVerdictDrop:
    case kVerdictProbe:
    case kVerdictMirror:
    case kVerdictSlowPath:
      return XDP_DROP;
    default:
      return bpf_redirect(departure.interface, 0);
  }
}
