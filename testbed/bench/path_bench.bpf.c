// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The packet path under repetition: BPF_PROG_TEST_RUN hands the same buffer to every run as the one
// before left it, so each run first restores a frame, another one each time. bench_restore does all
// but the path: its cost is taken off.
#include "testbed/bench/path_bench.h"
#include "gateway/datapath/clock.h"
#include "gateway/datapath/path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bench_state);
} bench_state SEC(".maps");

// Makes the buffer exactly the next frame. 0 on success.
static __attribute__((noinline)) int restore(struct xdp_md* context) {
  const __u32 zero = 0;
  struct bench_state* state = bpf_map_lookup_elem(&bench_state, &zero);
  const struct settings* path_settings = bpf_map_lookup_elem(&settings, &zero);
  if (!state || !path_settings) return -1;
  const int grow = (int)state->length - (int)frame_length(context);
  if (grow != 0 && frame_move_head(context, -grow) != 0) return -1;
  __u8* data = frame_data(context);
  const __u8* end = frame_end(context);
  for (int i = 0; i < kBenchFrameLength; i += 4) {
    if (data + i + 4 > end) break;
    store_u32(data + i, load_u32(state->frame + i));
  }
  const __u32 flow = bench_flow(state, state->step++);
  if (state->returns) {
    if (data + kTargetHeaderLength + 24 > end) return -1;
    bench_stamp(data, flow, path_settings, 1);
  } else {
    if (data + 14 + 24 > end) return -1;
    bench_stamp(data, flow, path_settings, 0);
  }
  return 0;
}

// Apart, for the stack: what calls the path has as little on it as the kernel host's own entry.
static __attribute__((noinline)) __u32 interface_of_case(void) {
  const __u32 zero = 0;
  const struct bench_state* state = bpf_map_lookup_elem(&bench_state, &zero);
  return state ? state->interface : 0;
}

static __attribute__((noinline)) int count(__u32 verdict) {
  const __u32 zero = 0;
  struct bench_state* state = bpf_map_lookup_elem(&bench_state, &zero);
  if (!state) return XDP_ABORTED;
  state->verdicts[verdict & kBenchNoVerdict]++;
  return XDP_PASS;
}

SEC("xdp")
int bench_restore(struct xdp_md* context) {
  if (restore(context) != 0 || interface_of_case() == 0) return XDP_ABORTED;
  return count(kBenchNoVerdict);
}

SEC("xdp")
int bench_path(struct xdp_md* context) {
  if (restore(context) != 0) return XDP_ABORTED;
  struct departure departure = {0};
  // CPU 0, as in the process host: there is one at a time, and a constant takes no room.
  return count(path_enter(0, context, interface_of_case(), 0, clock_now_ms(0), &departure));
}
