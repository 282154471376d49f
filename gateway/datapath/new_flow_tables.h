// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The tables of new flows: how many an endpoint may open (new_flow_guard.h), and what is known of
// those that have no record (unrecorded.h).
#pragma once

#include "gateway/datapath/vocabulary.h"

SLUICE_GATEWAY_BEGIN

enum {
  kUnrecordedWays = 4,
  kUnrecordedBuckets = 1 << 14,  // 65,536 flows without a record
};

// How many flows an endpoint may still open on a CPU.
struct new_flow_guard {
  __u32 last_ms;  // when tokens were last added
  __u32 tokens;   // in thousandths of a flow; the uppermost bit: it is closed
};

// A flow without a record.
struct unrecorded_flow {
  __u64 seen;  // when its last packet came in, below the upper 32 bits of its hash
  // From the lowest bit on: the layer2 references of both directions (16 each, as in flow_record),
  // its target (12), whether the key's first end is outside (1), 3 unused, its attachment (8), and
  // 8 further bits of its hash. 0 in the lower half: an empty place.
  __u64 way;
};

struct unrecorded_bucket {
  struct unrecorded_flow flow[kUnrecordedWays];
};

SLUICE_ASSERT_SIZE(new_flow_guard, 8);
SLUICE_ASSERT_SIZE(unrecorded_bucket, 64);

SLUICE_END
