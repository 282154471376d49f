// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What the live benchmark's programs and their loader have in common.
#pragma once

#include "gateway/datapath/vocabulary.h"

SLUICE_GATEWAY_BEGIN

enum {
  kLivePortsMax = 64,  // interface indexes of the benchmark's namespaces are below this
  kLiveCpusMax = 128,
  kLiveFrameLength = 60,   // UDP over IPv4, as short as Ethernet frames are
  kLiveServerPort = 9999,  // where they go
  kLiveTap = 0x0a090063,   // 10.9.0.99: an appliance that takes what comes and sends nothing
};

// What the generator sends.
struct live_traffic {
  __u8 to[6];  // MAC addresses
  __u8 from[6];
  __u32 interface;  // to send by
  __u32 flows;      // a power of two
  __u64 step;       // packets so far
};

// What the sink of one CPU has seen, and the tap.
struct live_count {
  __u64 packets;
  __u64 tapped;  // by that appliance
  __u64 zero[6];
};

SLUICE_ASSERT_SIZE(live_traffic, 32);
SLUICE_ASSERT_SIZE(live_count, 64);

SLUICE_END
