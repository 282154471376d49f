// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The flow table: what is known of each flow (tables.h).
#pragma once

#include "gateway/datapath/vocabulary.h"
#include "tunnels/flow_key.h"

SLUICE_GATEWAY_BEGIN

enum {
  kFlowWays = 8,  // names in a 64-byte bucket
};

enum FlowFlags {
  kFlowFirstEndOutside = 1,  // the key's first end is on the outside
  kFlowAlias = 2,            // the tuple as an NLB target sees it; `backend` is the listener
  kFlowNlb = 4,              // towards its server the packet is translated to target `backend`
  kFlowClientFirst = 8,      // the key's first end sent the first packet
  kFlowFin0 = 16,            // FIN seen from the key's first end
  kFlowFin1 = 32,
  kFlowReset = 64,
  kFlowIdleShift = 8,  // not a flag: four bits from here on: its class of settings.idle_ms
  // Needs no (more) inspection: a hint or the policy said so, or its group failed open.
  kFlowBypass = 128,
  kFlowMirror = 1 << 12,  // its rule wants copies of its packets
  kFlowReset0 = 1 << 13,  // beside kFlowReset: the key's first end has sent an RST
  kFlowMoved = 1 << 14,   // it has been given to another target since it began
  kFlowReset1 = 1 << 15,
};

// Of a record's key.zero; the bits below are a chain's (chain.h).
enum FlowKeyBits {
  // No handshake is open: it is not TCP, or the end that began has sent more than SYN, approved.
  kFlowGoesOn = 1 << 15,
  kFlowSkipsForLack = 1 << 14,  // a chain that began while a hop's group failed open
};

// What a flow has sent, per direction, counted as it came in from outside or inside.
struct flow_usage {
  __u32 packets[2];
  __u32 bytes_low[2];  // of the IP packets: flow_bytes()
  __u16 bytes_high[2];
  __u32 created_ms;  // or given to its present target
};

// A flow's key and usage in one: IPv4 leaves key.rest free.
struct flow_key_ipv4 {
  __u32 address[2];
  struct flow_usage usage;
};

// One cache line: all that forwarding needs.
struct flow_record {
  union {
    struct flow_key key;
    struct flow_key_ipv4 ipv4;
  };
  __u16 flags;      // FlowFlags
  __u8 attachment;  // index
  __u8 rule;        // of the policy, that decided when the flow began; 0: none
  __u16 target;     // index: the appliance; kNone16: it began while its group failed open
  __u16 backend;    // index: see FlowFlags
  __u16 layer2[2];  // per direction: 4 bits of tag above 12 bits of index; 0 for none
  __u32 cookie;
  __u32 last_seen_ms;
  __u32 delivered;  // packets of either direction that were approved and have left
};

// How much a flow is worth when its bucket is full.
enum FlowState {
  kFlowEmpty = 0,
  kFlowClosed = 1,       // RST, or FIN from both ends
  kFlowHalfOpen = 2,     // packets from one end only, or a TCP handshake that is not complete
  kFlowEstablished = 3,  // packets from both ends
};

// Eight flows. First their names in one cache line: an entry is the upper 56 bits of the flow's
// hash (the lower ones chose the bucket), 2 bits of FlowState and 6 bits of the epoch that it was
// last seen in, so that a flow is found or a victim chosen without touching a record; 0 is an empty
// place. Then their records and usage, close by: one page-table walk serves all. 96 bytes per flow.
//
// Flow `index` stands in bucket index / kFlowWays at index % kFlowWays.
struct flow_bucket {
  __u64 entry[kFlowWays];
  struct flow_record record[kFlowWays];
  struct flow_usage usage[kFlowWays];  // of IPv6: flow_usage_in()
};

SLUICE_ASSERT_SIZE(flow_record, 64);
SLUICE_ASSERT_SIZE(flow_usage, 24);
SLUICE_ASSERT_SIZE(flow_bucket, 768);

// Where a flow's usage is: with IPv4 in its record, for a packet to touch one line less.
SLUICE_INLINE struct flow_usage* flow_usage_in(struct flow_bucket* bucket, __u32 way) {
  struct flow_record* record = &bucket->record[way & (kFlowWays - 1)];
  return record->key.version == 4 ? &record->ipv4.usage : &bucket->usage[way & (kFlowWays - 1)];
}

// What a flow's direction has sent; wraps after 2^48 bytes.
SLUICE_INLINE __u64 flow_bytes(const struct flow_usage* usage, __u32 direction) {
  return (__u64)usage->bytes_high[direction & 1] << 32 | usage->bytes_low[direction & 1];
}

SLUICE_END
