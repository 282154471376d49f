// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Everything the packet path reads and writes besides the packet: plain arrays of plain structs.
//
// The kernel host keeps each array in a BPF array map that user space has mapped into its memory;
// the process host keeps it in ordinary memory. So both hosts, the reconciler and `sluice flows`
// see the same bytes through the same struct, and nobody needs a system call to read or change a
// table.
//
// Written by user space: profiles, settings, ports, attachments, groups, rows, targets, sources,
// sources6, listeners, hints, policy_entries, policy_rules, watches. Written by the packet path:
// flow_buckets, trail_buckets, new_flow_guards, unrecorded_buckets, layer2s, gates, counters,
// target_counters, policy_counters, watch_states, and `returned` of tunnel_probes. By both, each
// its own fields: mirror_counters; and user space takes out of flow_buckets and unrecorded_buckets
// what an attachment that is gone has left. No struct here has hidden padding; the sizes are
// asserted below and hold on both sides.
#pragma once

#include "gateway/datapath/counters.h"
#include "gateway/datapath/flow_tables.h"
#include "gateway/datapath/fragment_tables.h"
#include "gateway/datapath/mirror_tables.h"
#include "gateway/datapath/new_flow_tables.h"
#include "gateway/datapath/policy_tables.h"
#include "gateway/datapath/sighting.h"
#include "tunnels/geneve_profiles.h"

SLUICE_GATEWAY_BEGIN

enum {
  kPortsMax = 4096,  // interface indexes below this can be ports
  kAttachmentsMax = 64 * kPolicyAttachmentWords,
  // Target groups with a steering table. Those of appliances come first and have more rows: every
  // packet's flow is steered by one, and appliances are few and large.
  kApplianceGroupsMax = 128,
  kNetworkGroupsMax = 1024,  // of NLB targets
  kGroupsMax = kApplianceGroupsMax + kNetworkGroupsMax,
  kApplianceRows = 1 << 16,  // rows of one steering table
  kNetworkRows = 1 << 12,
  kNetworkRowsFirst = kApplianceGroupsMax * kApplianceRows,
  kRowsMax = kNetworkRowsFirst + kNetworkGroupsMax * kNetworkRows,
  kAppliancesMax = 4096,  // they come first: the cookie holds an appliance's index in 12 bits
  kNetworkTargetsMax = 40960,
  kTargetsMax = kAppliancesMax + kNetworkTargetsMax,
  // Open-addressed tables have eight times the places that are used, so that the few probes of a
  // lookup are enough.
  kSourcesMax = 32768,    // addresses of appliances, of each IP version
  kListenersMax = 16384,  // NLB listeners
  kProbesMax = 16,        // open addressing: places looked at per lookup, from home on, wrapping
  kHintsMax = 16,         // hints of appliances that mean something
  kIdleClasses = 16,      // how long flows may be silent: kIdleTcp, kIdleOther, and those of rules
  kIdleTcp = 0,
  kIdleOther = 1,
  kIdleRules = 2,
  kLayer2Max = 4096,  // distinct MAC and VLAN pairs in use
  kLayer2Ways = 8,
  kCpusMax = 128,
  kSlowPathCpu = kCpusMax - 1,  // the slow path's place among them
  kGateShift = 4,               // milliseconds >> this: windows of what a CPU may do
  kHandedOverMax = 256,         // packets handed over to the slow path in one
  kSightingsMax = 512,          // sightings told in one
  kTargetHeaderLength = 82,     // Ethernet 14, IPv4 20, UDP 8, GENEVE 40
  kOuterLength4 = 42,           // Ethernet, IPv4, UDP
  kOuterLength6 = 62,           // Ethernet, IPv6, UDP
  kEncapsulationOverhead = 68,  // of the profile aws
  kProfileLengthMask = 127,     // no profile's header is longer
  kGroupNameLength = 32,
  kTablesLayout = 11,  // changes with the meaning or the size of anything here
  kNone16 = 0xffff,
  kUninspected = 0xfffe,  // in the place of a target: the policy wants none
};

// What stands at an interface.
enum PortRole {
  kPortUnused = 0,
  kPortOutside = 1,
  kPortInside = 2,
  kPortTunnel = 3,
};

struct port {
  __u16 role;  // PortRole
  __u16 attachment;
  __u32 zero;
};

// Which flows have a silence of their own (gateway.idle_timeouts). The first without a class ends
// them.
struct idle_rule {
  __u16 port;  // of either end, packet byte order; 0: any
  __u8 protocol;
  __u8 idle_class;  // from kIdleRules on
};

// Written before the data path starts.
struct settings {
  struct flow_hash_key hash_key;
  struct siphash_key cookie_key;  // of flow_cookie() and fragment_name()
  __u32 flow_bucket_mask;         // buckets - 1: one less than a power of two
  __u32 tunnel_address;           // outer source, packet byte order
  __u16 tunnel_port;              // 6081, host order
  __u16 epoch_shift;  // milliseconds >> this = age epochs: the longest silence is 16 to 31
  __u16 mss_clamp;    // 1: the MSS of SYNs is lowered to what the tunnel carries
  __u16 watching;     // a bit for each of `watches` that is in use; also while it runs
  // How long a flow may be silent, by its class: TCP (tcp.idle_timeout.seconds), others (120 s),
  // and from kIdleRules on what rules say, or have said when flows began that may still live.
  __u32 idle_ms[kIdleClasses];
  struct idle_rule idle_rule[kIdleClasses];
  __u64 policy;  // its entries in use: the first one's place above 32 bits of how many they are
  __u32 tunnel_address6[4];  // outer source over IPv6, packet byte order; zeros: there is none
  // For user space: until then no connection is refused for being unknown; 0: some may be.
  __u64 spared_until_ms;
};

enum AttachmentFlags {
  kAttachmentResets = 1,        // who sends TCP packets of an ended or unknown flow is told by RST
  kAttachmentDropsUnknown = 2,  // TCP packets that open no connection and have no flow are refused
  kAttachmentPolicy = 4,        // rules of the policy may be about its flows
};

// A GWLB endpoint: a pair of interfaces spliced into a path.
struct attachment {
  __u64 endpoint_id;
  __u64 attachment_id;
  __u32 interface[2];  // [0] outside, [1] inside; 0 when detached
  __u16 group;         // steering table of its load balancer, kNone16 without one
  __u8 in_use;
  __u8 flags;                  // AttachmentFlags
  __u32 new_flows_per_second;  // that it may open on each CPU; 0: any number
};

enum GroupFlags {
  kGroupFailsOpen = 1,  // while its rows are nobody's, packets pass without inspection
};

// A target group as the packet path sees it: all of its targets, or those of one zone.
struct group {
  __u16 stickiness;  // FlowHashForm
  __u16 in_use;
  __u32 flags;                  // GroupFlags
  __u8 name[kGroupNameLength];  // padded with zeros: who takes the tables over knows it by that
  __u64 zone;                   // for user space, as the name: zone_id(); 0: all
};

// One row of a steering table: which target the flows of this row belong to, and whose they were
// before. One 64-bit store replaces a row.
struct row {
  __u16 target;    // kNone16: nobody
  __u16 previous;  // owner before the last change
  __u32 since_s;   // when it changed
};

enum TargetFlags {
  kTargetInUse = 1,
  kTargetResolved = 2,  // its MAC address (or its router's) is known
  kTargetAppliance = 4,
  kTargetNlb = 8,
  // What happens to the flows of a target that their rows have left. Neither: they stay with it.
  kTargetMoves = 16,     // they go where their rows say
  kTargetResets = 32,    // those of TCP end by RST to both ends
  kTargetProfiled = 64,  // its header is another: of another profile than AWS's, or over IPv6
};

// Where packets are sent. For an appliance the 82-byte header is written whole by user space and
// patched per packet (lengths, IP checksum, source port, ids, cookie); of a profiled one the first
// kOuterLength4 bytes of it are, or over IPv6 kOuterLength6. For an NLB target only the MAC
// matters.
struct target {
  __u32 address[4];  // packet byte order; IPv4 in the first word
  __u32 interface;   // leaves by this interface (appliance)
  __u16 mtu;         // the longest IP packet that gets there in its tunnel
  __u16 port;        // NLB: translated to this port, packet byte order; 0 keeps the port
  __u16 flags;       // TargetFlags
  __u8 version;      // 4 or 6
  __u8 failover;     // for user space: what becomes of its flows when it has drained
  __u8 mac[6];       // NLB: next hop; all zero leaves the frame's own
  __u8 header[kTargetHeaderLength];
  __u16 delay_s;  // for user space: its deregistration delay
  __u8 profile;   // index
  __u8 zero;
};

enum { kSourceProfile = 12 };

// Who may return packets: the outer address of every registered appliance, in an open-addressed
// table: source_home() and the places after it.
struct source {
  __u32 address;  // packet byte order
  __u16 target;   // index, and from bit kSourceProfile on its profile; kNone16: none any more
  __u16 in_use;
};

// The same for those with an IPv6 address: source6_home() and the places after it. A table of their
// own, so that a lookup of the others, which every return makes, touches no more memory.
struct source6 {
  __u32 address[4];
  __u16 target;
  __u16 in_use;
  __u32 zero;
};

// An NLB listener, in an open-addressed table: listener_home() and the places after it.
struct listener {
  __u32 address[4];
  __u16 port;  // packet byte order
  __u8 protocol;
  __u8 version;
  __u16 group;
  __u16 in_use;
};

enum HintAction {
  kHintNothing = 0,  // an empty place
  kHintBypass = 1,   // the flow's further packets are delivered without inspection
  kHintSteer = 2,    // the flow moves to a target of `group`
};

// What an appliance's hint about a flow means.
struct hint {
  __u16 number;  // as on the wire
  __u16 action;  // HintAction
  __u16 group;
  __u16 zero;
};

// A MAC pair with VLAN tags: the frame header that a flow's packets of one direction came with.
struct layer2 {
  __u8 header[22];  // Ethernet header with its tags
  __u8 length;      // 14, 18 or 22; 0 for an empty place
  __u8 tag;         // 1..15, changes when the place is given to another pair
  __u32 last_seen_ms;
  __u32 zero;
};

// How much of what is limited by rate a CPU has done in the present window. One cache line.
struct gate {
  __u32 window;  // now_ms >> kGateShift
  __u32 handed_over;
  __u32 seen;  // sightings
  __u32 mirror_copies;
  __u32 mirror_returns;
  __u32 zero[11];
};

// What the packet path knows of the probes through the tunnel to one target.
struct tunnel_probe {
  __u64 expected;  // the token that has been sent; 0: none
  __u64 returned;  // the last that has come back while it was expected
};

// What a frame is to the slow path (slow_path.h).
enum SlowFrame {
  kSlowNot = 0,    // it is not there
  kSlowWhole = 1,  // as it was handed over
  kSlowPiece = 2,  // one of the fragments that a packet was cut into
};

// In front of a frame that the kernel host hands over.
struct handed_over_head {
  __u32 interface;
  __u32 length;
  __u32 mtu;  // the packet is to be cut for it; 0: it is to wait for another
  __u32 tag;  // the VLAN tag that belongs behind its MAC addresses; 0: none
};

SLUICE_ASSERT_SIZE(geneve_profile, 24);
SLUICE_ASSERT_SIZE(port, 8);
SLUICE_ASSERT_SIZE(idle_rule, 4);
SLUICE_ASSERT_SIZE(settings, 240);
SLUICE_ASSERT_SIZE(attachment, 32);
SLUICE_ASSERT_SIZE(group, 48);
SLUICE_ASSERT_SIZE(row, 8);
SLUICE_ASSERT_SIZE(target, 120);
SLUICE_ASSERT_SIZE(source, 8);
SLUICE_ASSERT_SIZE(source6, 24);
SLUICE_ASSERT_SIZE(listener, 24);
SLUICE_ASSERT_SIZE(hint, 8);
SLUICE_ASSERT_SIZE(layer2, 32);
SLUICE_ASSERT_SIZE(gate, 64);
SLUICE_ASSERT_SIZE(tunnel_probe, 16);

// X(name, struct, how many): the arrays. The flow tables are sized by flow_table.flows_max; the
// host says what SLUICE_FLOW_BUCKETS is.
#define SLUICE_TABLES(X)                                        \
  X(profiles, geneve_profile, kProfiles)                        \
  X(settings, settings, 1)                                      \
  X(ports, port, kPortsMax)                                     \
  X(attachments, attachment, kAttachmentsMax)                   \
  X(groups, group, kGroupsMax)                                  \
  X(rows, row, kRowsMax)                                        \
  X(targets, target, kTargetsMax)                               \
  X(sources, source, kSourcesMax)                               \
  X(sources6, source6, kSourcesMax)                             \
  X(listeners, listener, kListenersMax)                         \
  X(hints, hint, kHintsMax)                                     \
  X(policy_entries, policy_entry, kPolicyEntries)               \
  X(policy_rules, policy_rule, kPolicyRules)                    \
  X(policy_counters, policy_counters, kPolicySlots)             \
  X(mirror_counters, mirror_counters, kPolicySlots)             \
  X(layer2s, layer2, kLayer2Max)                                \
  X(flow_buckets, flow_bucket, SLUICE_FLOW_BUCKETS)             \
  X(trail_buckets, trail_bucket, kTrailBuckets)                 \
  X(new_flow_guards, new_flow_guard, kCpusMax* kAttachmentsMax) \
  X(unrecorded_buckets, unrecorded_bucket, kUnrecordedBuckets)  \
  X(gates, gate, kCpusMax)                                      \
  X(counters, counters, kCpusMax)                               \
  X(target_counters, target_counters, kTargetsMax)              \
  X(tunnel_probes, tunnel_probe, kTargetsMax)                   \
  X(watches, watch_list, 1)                                     \
  X(watch_states, watch_state, kCpusMax)

// Where the search for a listener starts. `port_number` in packet byte order.
SLUICE_INLINE __u32 listener_home(const __u32 address[4], __u16 port_number, __u8 protocol) {
  __u32 h =
      address[0] * 0x9e3779b1u ^ address[1] * 0x85ebca77u ^ address[2] * 0xc2b2ae3du ^ address[3];
  h ^= ((__u32)port_number << 8 | protocol) * 0x27d4eb2fu;
  h ^= h >> 15;
  h *= 0x85ebca77u;
  return (h ^ h >> 13) & (kListenersMax - 1);
}

// Where the search for an appliance's address (packet byte order) starts.
SLUICE_INLINE __u32 source_home(__u32 address) {
  // In packet byte order neighbours differ in the upper bits: they must reach the lower ones.
  __u32 h = address ^ address >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return (h ^ h >> 16) & (kSourcesMax - 1);
}

SLUICE_INLINE __u32 source6_home(const __u32 address[4]) {
  // Appliances differ in the end of their addresses, mostly in the last word.
  const __u32 h = address[0] * 0x9e3779b1u ^ address[1] * 0x85ebca77u ^ address[2] * 0xc2b2ae3du;
  return source_home(h ^ address[3]);
}

// The steering table of a group: how many rows, a power of two, and where the first stands.
SLUICE_INLINE __u32 rows_of(__u32 group_index) {
  return group_index < kApplianceGroupsMax ? kApplianceRows : kNetworkRows;
}
SLUICE_INLINE __u32 first_row(__u32 group_index) {
  return group_index < kApplianceGroupsMax
             ? group_index * kApplianceRows
             : kNetworkRowsFirst + (group_index - kApplianceGroupsMax) * kNetworkRows;
}

// The steering row of a flow; `hash` is flow_hash() in the group's stickiness form.
SLUICE_INLINE __u32 row_index(__u32 group_index, __u64 hash) {
  return first_row(group_index) + ((__u32)(hash >> 32) & (rows_of(group_index) - 1));
}

SLUICE_END
