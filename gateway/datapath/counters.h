// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// How packets end, and what is counted of them.
#pragma once

#include "gateway/datapath/vocabulary.h"
#include "tunnels/drop_reasons.h"

SLUICE_GATEWAY_BEGIN

// Every packet that the path takes ends in exactly one verdict; what is handed over to the slow
// path gets one more there.
enum Verdict {
  kVerdictStack = 0,     // not for the path: left to the kernel (or host) as it is
  kVerdictCross = 1,     // ARP, neighbour discovery, not IP: out of the other side untouched
  kVerdictTarget = 2,    // encapsulated, to a target
  kVerdictOutside = 3,   // approved and delivered out of the outside
  kVerdictInside = 4,    // approved and delivered out of the inside
  kVerdictDrop = 5,      // with a DropReason
  kVerdictAnswered = 6,  // dropped with a DropReason, and its sender told: out of where it came in
  kVerdictProbe = 7,     // a probe of the gateway's own that an appliance has returned
  kVerdictSlowPath = 8,  // handed over to the process, which runs the path for it (slow_path.h)
  kVerdictMirror = 9,    // a copy that has come back from a mirror: never delivered
  kVerdictCount = 10,
  // No end, but the way on without a record of the packet's flow (unrecorded_path.h).
  kVerdictAgain = 15,
};

// What happened on the way, besides the verdict. X(enumerator, name).
#define SLUICE_PATH_EVENTS(X)                                                                     \
  X(kEventFlowCreated, "flow_created")                                                            \
  X(kEventFlowEvicted, "flow_evicted") /* a place was taken from a live flow */                   \
  X(kEventFlowExpired, "flow_expired") /* a place was taken from an idle or closed flow */        \
  X(kEventChecksumCompleted, "checksum_completed") /* that the sender had left to its hardware */ \
  X(kEventNlbTranslated, "nlb_translated")                                                        \
  X(kEventMssClamped, "mss_clamped")                                                              \
  X(kEventBypassed, "bypassed") /* a packet was delivered without inspection, as was allowed */   \
  X(kEventHintTaken, "hint_taken")                                                                \
  X(kEventHintUnknown, "hint_unknown")   /* a hint that the configuration does not mention */     \
  X(kEventFormerCookie, "former_cookie") /* a return under the cookie before the current one */   \
  X(kEventFlowMoved, "flow_moved")       /* to another target: its own is unhealthy or gone */    \
  X(kEventMidFlow, "mid_flow") /* a flow was opened by a TCP packet that opens no connection */   \
  X(kEventFailedOpen,                                                                             \
    "failed_open")                 /* a packet was delivered uninspected: no target is healthy */ \
  X(kEventResetSent, "reset_sent") /* a TCP packet was answered by RST */                         \
  X(kEventTrailEvicted, "trail_evicted") /* a fragmented datagram was forgotten for another */    \
  X(kEventFragmented, "fragmented")      /* a packet was cut for the way to its target */         \
  X(kEventFragmentMade, "fragment_made") /* one of its fragments */                               \
  X(kEventGuardClosed, "new_flow_guard_closed") /* an endpoint had opened enough flows */         \
  X(kEventUnrecordedSent,                                                                         \
    "unrecorded_sent") /* a packet of a flow without record went to its target */                 \
  X(kEventUnrecordedReturned, "unrecorded_returned") /* and one was delivered */                  \
  X(kEventUnrecordedEvicted,                                                                      \
    "unrecorded_evicted")                /* a flow without record was forgotten for another */    \
  X(kEventSightingLost, "sighting_lost") /* what somebody wanted to see, and could not be told */ \
  X(kEventMirrored, "mirrored")          /* a copy of a packet was handed over for a mirror */    \
  X(kEventMirrorLost, "mirror_lost")     /* a copy, or what came back of one, was not */          \
  X(kEventMirrorUnrecorded,                                                                       \
    "mirror_unrecorded") /* no copy was made of a packet of a flow without record */              \
  X(kEventSlowPathUnsent, "slow_path_unsent") /* what came out of the slow path could not leave */

enum PathEvent {
#define X(enumerator, name) enumerator,
  SLUICE_PATH_EVENTS(X)
#undef X
      kEventCount
};
// One per CPU: nobody else writes it, readers add them up.
struct counters {
  __u64 verdict[16];
  __u64 event[32];
  __u64 drop[64];  // by DropReason
};

// One per target; approximate when several CPUs send to the same target at the same instant.
struct target_counters {
  __u64 packets_sent;
  __u64 bytes_sent;  // of the inner packets
  __u64 packets_returned;
  __u64 bytes_returned;
  __u64 flows;            // that were opened to it
  __u64 resets_sent;      // TCP RST of clients, to NLB targets
  __u64 resets_returned;  // TCP RST of NLB targets
  __u64 zero;             // one cache line
};

SLUICE_ASSERT_SIZE(counters, 896);
SLUICE_ASSERT_SIZE(target_counters, 64);

SLUICE_END
