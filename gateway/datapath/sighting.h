// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What is seen of packets while somebody looks (`sluice trace`, `sluice capture`): who looks at
// what, and what is told of a packet each time that it is seen.
#pragma once

#include "gateway/datapath/counters.h"
#include "tunnels/packet.h"

SLUICE_GATEWAY_BEGIN

// Where a packet is seen. X(enumerator, name).
#define SLUICE_SIGHTING_STAGES(X)                                                               \
  X(kSeenIn, "in")                     /* from outside or inside, as it came */                 \
  X(kSeenReturned, "returned")         /* from a target, as it came */                          \
  X(kSeenEncapsulated, "encapsulated") /* on its way to a target */                             \
  X(kSeenDelivered, "delivered")       /* on its way out */                                     \
  X(kSeenDropped, "dropped")           /* as it was then; or the answer that its sender gets */ \
  X(kSeenCrossed, "crossed")           /* ARP, neighbour discovery, not IP: on its way out */   \
  X(kSeenHandedOver, "handed_over")    /* to the slow path */                                   \
  X(kSeenProbe, "probe")               /* a probe of the gateway's own has come back */         \
  X(kSeenMirror, "mirror")             /* a copy has come back from a mirror */

enum SightingStage {
#define X(enumerator, name) enumerator,
  SLUICE_SIGHTING_STAGES(X)
#undef X
      kSeenStages
};

enum {
  kWatchesMax = 8,          // who may look at the same time
  kWatchBytesMax = 9216,    // of a frame; told are fewer than twice as many
  kWatchAnyProtocol = 255,  // reserved as a protocol
};

// Which packets somebody wants to see; all that is set must fit.
struct watch {
  __u64 hash;        // of the flow; 0: any
  __u32 address[4];  // of either end, packet byte order
  __u32 stages;      // a bit for each SightingStage
  __u32 bytes;       // of each frame
  __u16 attachment;  // kNone16: any
  __u16 port;        // of either end, packet byte order; 0: any
  __u8 protocol;     // kWatchAnyProtocol: any
  __u8 version;      // of `address`; 0: any address
  __u16 zero;
};

// All of them: one place, so that the verifier sees one look-up.
struct watch_list {
  struct watch watch[kWatchesMax];
};

// What of a flow's record says where its packets go.
struct seen_flow {
  __u32 cookie;
  __u16 target;
  __u16 backend;
  __u16 flags;       // FlowFlags
  __u16 chain;       // key.zero
  __u16 attachment;  // kNone16: not known; also without a flow
  __u8 rule;
  __u8 found;  // 0: there is none, and the others are not set
};

// A packet at one stage. The frame's first `captured` bytes are behind it.
struct sighting {
  __u64 time_ns;          // CLOCK_MONOTONIC, or virtual
  __u64 hash;             // of its flow; 0: it has no tuple
  __u64 events;           // a bit for each PathEvent that it has caused, at the end of its way
  struct tuple tuple;     // as targets see it; version 0: none
  struct seen_flow flow;  // as the packet finds it, or leaves it at the end of its way
  __u32 came_in;          // interface
  __u32 leaves_by;        // interface, 0 if it stays; with kVerdictSlowPath as in struct departure
  __u32 length;           // of the frame
  __u32 captured;
  __u32 packet_length;  // of the IP packet that came
  __u32 watches;        // a bit for each that it is for
  __u16 former_target;  // of the flow that it found; kNone16: none
  __u8 packet_flags;    // PacketFlags
  __u8 tcp_flags;
  __u8 stage;      // SightingStage
  __u8 verdict;    // from here on: at the end of its way
  __u8 reason;     // DropReason
  __u8 direction;  // 0: from the end that is the first one of its flow's key
  __u32 tag;  // VLAN tag that the frame has beside it (frame_tag()); the kernel host puts it back
  __u32 zero;
};

// One per CPU, for the packet that is on its way there.
struct watch_state {
  struct sighting now;
  __u64 events[32];         // as they were when it came
  __u64 lost[kWatchesMax];  // sightings that could not be told
};

SLUICE_ASSERT_SIZE(watch, 40);
SLUICE_ASSERT_SIZE(watch_list, 320);
SLUICE_ASSERT_SIZE(seen_flow, 16);
SLUICE_ASSERT_SIZE(sighting, 120);
SLUICE_ASSERT_SIZE(watch_state, 120 + 256 + 64);

SLUICE_END
