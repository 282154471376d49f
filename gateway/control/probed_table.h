// SPDX-License-Identifier: Apache-2.0
// Writing the open-addressed tables of the packet path (listeners, sources) while it reads them.
//
// A reader starts at an entry's home and stops at the first place that is not in use, so an entry
// in the middle of a run cannot just be emptied: it becomes a gravestone (in use, matches nothing)
// until the place after it is free. Entries never move, because flow records name listeners by
// place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "gateway/datapath/tables.h"

namespace sluice::gateway {

template <class Entry>
class ProbedTable {
 public:
  // `is_gravestone` tells an entry in use that matches nothing.
  ProbedTable(std::span<Entry> entries, bool (*is_gravestone)(const Entry&))
      : entries_(entries), is_gravestone_(is_gravestone) {}

  // A free place for an entry with this home, if one is near enough. The caller writes the entry
  // there and sets in_use last.
  std::optional<uint32_t> place_for(uint32_t home) const {
    for (uint32_t i = 0; i < kProbesMax; i++) {
      const uint32_t index = (home + i) & mask();
      if (!entries_[index].in_use || is_gravestone_(entries_[index])) return index;
    }
    return {};
  }

  // After an entry became a gravestone: frees it, and those before it, if nothing follows.
  void sweep(uint32_t index) {
    if (entries_[(index + 1) & mask()].in_use) return;
    while (entries_[index].in_use && is_gravestone_(entries_[index])) {
      entries_[index].in_use = 0;
      index = (index - 1) & mask();
    }
  }

 private:
  uint32_t mask() const { return static_cast<uint32_t>(entries_.size() - 1); }

  std::span<Entry> entries_;
  bool (*is_gravestone_)(const Entry&);
};

}  // namespace sluice::gateway
