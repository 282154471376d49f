// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The kernel host's XDP entry.
#include "gateway/datapath/clock.h"
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int sluice_xdp(struct xdp_md* context) {
  struct departure departure = {0};
  const __u32 cpu = bpf_get_smp_processor_id() & (kCpusMax - 1);
  // No tables: they are maps of the program, and a constant takes no room on the stack.
  switch (path_enter(0, context, context->ingress_ifindex, cpu, clock_now_ms(cpu), &departure)) {
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
