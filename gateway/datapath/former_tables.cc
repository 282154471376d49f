// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/former_tables.h"

namespace sluice::gateway {

template <class Entry>
void FormerTables::keep(Entry* entries, size_t count) {
  static_assert(sizeof(Entry) % sizeof(uint64_t) == 0);
  auto* place = reinterpret_cast<uint64_t*>(entries);
  parts_.push_back({place, {place, place + count * sizeof(Entry) / sizeof(uint64_t)}});
}

// First what others point to.
FormerTables::FormerTables(Tables& tables) {
  keep(tables.targets, kTargetsMax);
  keep(tables.sources, kSourcesMax);
  keep(tables.sources6, kSourcesMax);
  for (uint32_t i = 0; i < kGroupsMax; i++)
    if (tables.groups[i].in_use) keep(&tables.rows[first_row(i)], rows_of(i));
  keep(tables.groups, kGroupsMax);
  keep(tables.listeners, kListenersMax);
  keep(tables.hints, kHintsMax);
  keep(tables.policy_rules, kPolicyRules);
  keep(tables.policy_entries, kPolicyEntries);
  keep(tables.attachments, kAttachmentsMax);
  keep(tables.settings, 1);
  keep(tables.ports, kPortsMax);
}

void FormerTables::put_back() const {
  for (const Part& part : parts_)
    for (size_t i = 0; i < part.words.size(); i++)
      if (part.place[i] != part.words[i])
        __atomic_store_n(&part.place[i], part.words[i], __ATOMIC_RELEASE);
}

}  // namespace sluice::gateway
