// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// What an appliance can tell the gateway about a flow: a number in the header of a returned packet
// (docs/wire/geneve.md), which the configuration maps to another way for the flow's further
// packets.
#pragma once

#include "gateway/datapath/flow.h"

SLUICE_GATEWAY_BEGIN

SLUICE_INLINE const struct hint* hint_find(const struct path_tables* tables, __u32 number) {
  for (__u32 i = 0; i < kHintsMax; i++) {
    const struct hint* h = table_hints(tables, i);
    if (h && h->action != kHintNothing && h->number == number) return h;
  }
  return 0;
}

// Moves a flow, or a hop of its chain, to a target of another group.
SLUICE_INLINE void hint_steer(struct passage* way, struct flow_record* record, __u32 hop,
                              __u32 group, const struct flow_query* query) {
  const __u32 target = steer(way->tables, group, query);
  if (target != kNone16 && target != flow_target(record, hop))
    flow_move(way, record, query, hop, target);
}

// Follows the hint of an approved packet. `hop`: of the chain that it came from, 0 without one; an
// appliance of a chain speaks for itself only.
SLUICE_INLINE void hint_take(struct passage* way, __u32 number, struct flow_record* record,
                             __u32 hop, const struct flow_query* query) {
  const struct hint* h = hint_find(way->tables, number);
  if (!h) {
    way->counters->event[kEventHintUnknown]++;
    return;
  }
  way->counters->event[kEventHintTaken]++;
  if (h->action != kHintBypass)
    hint_steer(way, record, hop, h->group, query);
  else if (hop != 0)
    chain_skip(record, hop);
  else
    record->flags |= kFlowBypass;
}

SLUICE_END
