// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Returns in a profile that has no flow cookie. What names the flow is then the packet inside and
// its endpoint, and what allows it is that the flow's own target, or one hop of its chain, sends
// it: an appliance can say something about flows that it has, and nothing about others, as with a
// cookie. Without one nobody can tell what the target was given from what it makes up, a tuple from
// its former use, or the target from who can send from its address.
#pragma once

#include "gateway/datapath/chain.h"
#include "gateway/datapath/encapsulate.h"
#include "gateway/datapath/tunnel_probe.h"

SLUICE_GATEWAY_BEGIN

// Whether a datagram carries the attachment id of `attachment`, if its profile has one.
SLUICE_INLINE int datagram_is_of(const struct path_tables* tables, const struct datagram* d,
                                 const struct attachment* attachment) {
  if (attachment->attachment_id == d->geneve.attachment_id) return 1;
  if (!source_is_profiled(d->from)) return 0;
  const struct geneve_profile* profile = profile_of_source(tables, d->from);
  return profile && !(profile->flags & kGeneveHasAttachment);
}

// Whether a datagram has the ends of the gateway's own probes, and no cookie to tell it from one:
// nobody's flow may have them.
SLUICE_STAGE int profiled_is_probe(const struct datagram* d) {
  return d && source_is_profiled(d->from) && packet_is_probe(&d->inner);
}

// As verify_return, of the flow at `place`. The datagram gets the cookie that it would have.
SLUICE_STAGE __u32 verify_profiled(const struct path_tables* tables, struct datagram* d,
                                   __u32 place) {
  if (!d || profiled_is_probe(d)) return kDropFlowUnknown;
  const struct flow_record* record = table_flow_records(tables, place);
  if (!record) return kDropFlowUnknown;
  const struct attachment* attachment = table_attachments(tables, record->attachment);
  if (!attachment || !datagram_is_of(tables, d, attachment)) return kDropEndpointMismatch;
  const __u32 from = d->from & (kAppliancesMax - 1);
  if (!flow_is_chain(record)) {
    if (record->target != from) return kDropTargetMismatch;
    d->geneve.flow_cookie = record->cookie;
    return kDropNone;
  }
  // One that stands in two places of the chain cannot say which of them it speaks for.
  __u32 hop = 0;
  __u32 hops = 0;
  for (__u32 i = 1; i <= kChainHopsMax; i++) {
    if (i > chain_hops(record)) break;
    if (chain_target(record, i) != from) continue;
    hop = i;
    hops++;
  }
  return hops == 1 ? hop << 8 : (__u32)kDropTargetMismatch;
}

SLUICE_END
