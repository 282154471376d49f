// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Mirrors and shadows: what the packet path hands over of packets that a rule of the policy wants
// copied, and what is counted of them.
#pragma once

#include "gateway/datapath/vocabulary.h"

SLUICE_GATEWAY_BEGIN

enum {
  kMirrorHop = 7,             // stands for the mirror in the digest of a cookie; no chain has it
  kMirrorCopiesMax = 1024,    // copies handed over in one window of a gate (tables.h)
  kMirrorReturnsMax = 4096,   // and of what has come back
  kMirrorLengthMax = 0xff00,  // of a frame: a ring's entry has 16 bits for its length
};

// What a frame that is handed over is.
enum MirrorKind {
  kMirrorCopy = 0,       // goes to its flow's targets; a copy is to be sent
  kMirrorPassing = 1,    // is delivered uninspected; a copy is to be sent
  kMirrorDelivered = 2,  // its flow's targets have returned it, and it is delivered
  kMirrorAnswer = 3,     // a copy that has come back
};

// In front of it.
struct mirror_head {
  __u64 hash;        // of its flow
  __u32 length;      // of the frame
  __u32 tag;         // as in handed_over_head
  __u32 cookie;      // of the copy
  __u16 target;      // that the copy goes to
  __u16 attachment;  // index
  __u16 l3_offset;   // of the IP packet in the frame
  __u16 l3_length;
  __u16 segment;  // of a super-packet: bytes of payload in each of its packets; else 0
  __u8 kind;      // MirrorKind
  __u8 rule;      // of the policy: its place
};

// One per place of a rule, in packets.
struct mirror_counters {
  // By the packet path.
  __u64 copied;        // handed over to be sent
  __u64 lost;          // could not be: no room in the ring, or too many at once
  __u64 unrecorded;    // were not: of flows without record
  __u64 no_target;     // nobody has the flow's row in the mirror's group
  __u64 answers;       // copies that came back; none is delivered
  __u64 returns_lost;  // what came back to be compared, and could not be handed over
  // By user space (mirror_copies.h).
  __u64 sent;    // copies
  __u64 unsent;  // did not fit the way to their target, or could not leave
  // Of a shadow, by user space (comparison.h).
  __u64 approved;      // answers that are what was sent
  __u64 altered;       // answers that are not
  __u64 unasked;       // answers that belong to no copy, or come too late
  __u64 missing;       // copies without an answer
  __u64 agreed;        // copies that both made the same of, not returning them included
  __u64 would_drop;    // that only the flow's own targets have returned
  __u64 would_pass;    // that only the shadow has returned
  __u64 would_change;  // that both have returned, but not the same
  __u64 uncompared;    // copies that were sent, but there was no room to remember them
};

SLUICE_ASSERT_SIZE(mirror_head, 32);
SLUICE_ASSERT_SIZE(mirror_counters, 136);

SLUICE_END
