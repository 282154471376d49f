// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The frames that a benchmark of the packet path starts from: arithmetic on one small template, so
// that the harness touches no memory that a flow table could want in the cache.
#pragma once

#include "gateway/datapath/flow_table.h"

SLUICE_GATEWAY_BEGIN

enum {
  kBenchAppliances = 4,     // row i belongs to appliance i % 4 (path_fixture.h)
  kBenchNoVerdict = 15,     // the place beside the verdicts where frames without one are counted
  kBenchFrameLength = 144,  // room for a GENEVE datagram around the shortest TCP packet
};

// What user space tells the harness, and hears from it.
struct bench_state {
  __u32 flow_mask;  // flows - 1
  __u32 interface;  // where the frames come in
  __u32 returns;    // frames are what an appliance sends back, not what a client sends
  __u32 new_flows;  // no flow twice
  __u32 step;       // repetitions so far
  __u32 length;     // of the template
  __u8 frame[kBenchFrameLength];
  __u64 verdicts[kBenchNoVerdict + 1];
};

// Repetition `step` takes this flow: a walk that visits every one and that no prefetcher follows.
SLUICE_INLINE __u32 bench_flow(const struct bench_state* state, __u32 step) {
  return state->new_flows ? step : (step * 0x9e3779b1u) & state->flow_mask;
}

// Turns a copy of the template into the flow's frame: the inner source address and port, and in a
// returned datagram the appliance and the cookie. `data` has state->length bytes.
SLUICE_INLINE void bench_stamp(__u8* data, __u32 flow, const struct settings* settings,
                               int returns) {
  const __u32 at = returns ? kTargetHeaderLength : 14;
  const __u32 source = 0x0a000000 + (flow >> 4);
  const __u16 port_number = (__u16)(1024 + (flow & 15));
  store_be32(data + at + 12, source);
  store_be16(data + at + 20, port_number);
  if (!returns) return;
  struct tuple t = {{swap_be32(source), 0, 0, 0},
                    {load_u32(data + at + 16), 0, 0, 0},
                    swap_be16(port_number),
                    load_u16(data + at + 22),
                    kProtocolTcp,
                    4,
                    0};
  struct flow_key key;
  flow_key_from_tuple(&key, &t);
  const __u64 hash = flow_hash(&settings->hash_key, &key, kFlowHash5Tuple);
  const __u32 target = (__u32)(hash >> 32) % kBenchAppliances;
  data[29] = (__u8)(11 + target);
  store_be32(data + 78, flow_cookie(settings, hash, target, 0, 0));
}

SLUICE_END
