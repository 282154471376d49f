// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// Which target a flow's row names.
#pragma once

#include "gateway/datapath/flow_table.h"

SLUICE_GATEWAY_BEGIN

SLUICE_INLINE const struct row* steer_row(const struct path_tables* tables, __u32 group_index,
                                          const struct flow_query* query) {
  const struct group* group = table_groups(tables, group_index);
  const struct settings* settings = table_settings(tables, 0);
  if (!group || !settings) return 0;
  const __u64 hash = group->stickiness == kFlowHash5Tuple
                         ? query->hash
                         : flow_hash(&settings->hash_key, &query->key, group->stickiness);
  return table_rows(tables, row_index(group_index, hash));
}

// The target that a new flow belongs to: its row's owner. kNone16 when the row has none.
SLUICE_STAGE __u32 steer(const struct path_tables* tables, __u32 group_index,
                         const struct flow_query* query) {
  if (!query) return kNone16;
  const struct row* row = steer_row(tables, group_index, query);
  return row ? row->target : (__u32)kNone16;
}

// The target of a connection that has no record and is not new: who had the row before, while a
// connection from then can still be alive. kNone16: nobody, or it has been left for good.
SLUICE_STAGE __u32 steer_former(const struct path_tables* tables, __u32 group_index,
                                const struct flow_query* query, __u32 now_ms) {
  const struct settings* settings = table_settings(tables, 0);
  if (!query || !settings) return kNone16;
  const struct row* row = steer_row(tables, group_index, query);
  if (!row || row->target == kNone16) return kNone16;
  // Signed: another CPU may have given the row away in a second that has not begun here.
  if ((int)(now_ms / 1000 - row->since_s) > (int)(settings->idle_ms[kIdleTcp] / 1000))
    return kNone16;
  const struct target* former = table_targets(tables, row->previous);
  return former && target_serves(former) ? row->previous : (__u32)kNone16;
}

SLUICE_END
