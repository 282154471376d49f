// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The policy as the packet path sees it: entries to find a flow's rule by, and rules.
//
// Both are there twice. The copy that settings.policy names is in use and does not change; the next
// policy is written into the other.
#pragma once

#include "gateway/datapath/vocabulary.h"

SLUICE_GATEWAY_BEGIN

enum {
  kPolicySlots = 256,  // places of rules; 0 stands for no rule
  kPolicyRules = 2 * kPolicySlots,
  kPolicyEntriesMax = 512,  // of one copy
  kPolicyEntries = 2 * kPolicyEntriesMax,
  kPolicyAttachmentWords = 4,
  kPolicyNameLength = 32,
  kPolicyAnyProtocol = 255,  // reserved as a protocol
  kChainHopsMax = 4,         // appliances that a flow's packets visit one after another
  kHopGroupsMax = 5,         // target groups that share the flows of one hop
};

// What a rule of the policy does with the flows that it fits.
enum PolicyAction {
  kPolicyForward = 0,  // they are inspected as its hops say
  kPolicyBypass = 1,   // they are delivered without inspection
  kPolicyDrop = 2,     // their packets are dropped, and no flow begins
};

// What flows a rule is for; a rule with lists of prefixes and ports has an entry for each
// combination. They are tried in their order.
struct policy_entry {
  __u32 source[4];  // of the packet that opens the flow; packet byte order, bits outside the mask 0
  __u32 source_mask[4];
  __u32 destination[4];
  __u32 destination_mask[4];
  __u64 attachments[kPolicyAttachmentWords];  // one bit for each: where it holds
  __u16 port_first;                           // of the destination, host order
  __u16 port_last;
  __u8 protocol;  // kPolicyAnyProtocol: any
  __u8 version;   // 4 or 6; 0: either
  __u8 rule;      // place in policy_rules
  __u8 form;      // FlowHashForm of the draw
  __u32 share;    // the flows with a draw of at most this
  __u32 salt;     // of the draw
};

// One stop of a rule's flows: the groups that share them.
struct policy_hop {
  __u32 upto[kHopGroupsMax];  // the flows with a draw of at most this go to the group of this place
  __u16 group[kHopGroupsMax];
  __u16 groups;  // how many
};

// Place 0 is no rule's, and tells of all: `zone` the place that was taken last, for user space, and
// `mirror` whether any rule has one.
struct policy_rule {
  __u8 name[kPolicyNameLength];
  __u64 zone;  // for user space: which of the rule's places this is
  __u16 in_use;
  __u16 action;  // PolicyAction
  __u16 hops;    // kPolicyForward: how many
  __u16 form;    // FlowHashForm of the draws
  __u32 salt;
  __u8 of_listener;  // for user space: it stands for the weights of a load balancer's listener
  __u8 shadow;       // what comes back of the copies is compared
  __u16 mirror;      // the group that gets copies of its flows' packets, plus 1; 0: none
  struct policy_hop hop[kChainHopsMax];
};

// One per place of a rule; approximate when several CPUs count at the same instant.
struct policy_counters {
  __u64 flows;            // that began
  __u64 packets_dropped;  // by kPolicyDrop
};

SLUICE_ASSERT_SIZE(policy_entry, 112);
SLUICE_ASSERT_SIZE(policy_hop, 32);
SLUICE_ASSERT_SIZE(policy_rule, 184);
SLUICE_ASSERT_SIZE(policy_counters, 16);

SLUICE_END
