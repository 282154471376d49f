// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The table of fragmented datagrams (fragment.h).
#pragma once

#include "gateway/datapath/vocabulary.h"

SLUICE_GATEWAY_BEGIN

enum {
  kTrailWays = 4,
  kTrailBuckets = 4096,  // 16,384 fragmented datagrams on their way at once
};

// What is known of a datagram that comes in fragments: enough to send all of them one way, and to
// let no two of them overlap.
enum TrailFlags {
  kTrailBegun = 1,     // its first fragment has passed: the ports are known
  kTrailEnds = 2,      // its last one has: `end` is its length
  kTrailReturned = 4,  // made of what a target returned: nothing was counted
};

struct fragment_trail {
  // Keyed hash of endpoint, addresses, identification, and IPv4's protocol; 0: an empty place.
  __u64 name;
  __u32 last_seen_ms;
  __u16 port[2];   // source, destination; packet byte order
  __u32 passed;    // bytes of its fragments
  __u32 end;       // past the last byte that one of them had
  __u32 flags;     // TrailFlags
  __u32 protocol;  // of the first; 0: each fragment's own header says it
};

struct trail_bucket {
  struct fragment_trail trail[kTrailWays];
};

SLUICE_ASSERT_SIZE(trail_bucket, 128);

SLUICE_END
