// SPDX-License-Identifier: Apache-2.0
// What an earlier process has told the packet path by the tables, kept while the next one starts: a
// start that fails puts it back. What the path itself writes, flows above all, is left alone.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/datapath/host.h"

namespace sluice::gateway {

class FormerTables {
 public:
  // Of rows only those that groups have.
  explicit FormerTables(Tables& tables);
  // While the path runs: it sees every word as it was or as it becomes.
  void put_back() const;

 private:
  struct Part {
    uint64_t* place;
    std::vector<uint64_t> words;
  };
  template <class Entry>
  void keep(Entry* entries, size_t count);

  std::vector<Part> parts_;  // in the order in which they come back
};

}  // namespace sluice::gateway
