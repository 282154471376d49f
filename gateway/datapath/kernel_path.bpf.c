// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The kernel host's XDP entry.
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int sluice_xdp(struct xdp_md* context) {
  const struct path_tables tables = {0};
  struct departure departure = {0};
  const __u32 now_ms = (__u32)(bpf_ktime_get_coarse_ns() / 1000000);
  switch (path_enter(&tables, context, context->ingress_ifindex, bpf_get_smp_processor_id(), now_ms,
                     &departure)) {
    case kVerdictStack:
      return XDP_PASS;
    case kVerdictDrop:
    case kVerdictProbe:
    case kVerdictSlowPath:
      return XDP_DROP;
    default:
      return bpf_redirect(departure.interface, 0);
  }
}
