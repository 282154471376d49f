// SPDX-License-Identifier: Apache-2.0
// Of many short buffers one is as the one before it: methods, status codes, what a browser accepts
// and calls itself. Those are not searched again.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "inspect/match/candidates.h"
#include "inspect/match/prefilter.h"
#include "inspect/stream/flow.h"

namespace sluice::inspect {

// A buffer that is no longer is remembered until the next one of its view.
inline constexpr size_t kRepeatedMax = 128;

// One per worker.
class RepeatedBuffers {
 public:
  // Forgets all: from now on there are other rules, and so many views.
  void begin(size_t views) { last_.assign(views, {}); }

  // As prefilter.scan() into `candidates`, which is empty. It is the one of that view and
  // direction.
  void search(const Prefilter& prefilter, uint16_t view, Direction direction,
              std::span<const uint8_t> bytes, PrefilterScratch& scratch, Candidates& candidates);

 private:
  struct Last {
    std::vector<uint8_t> bytes;
    std::vector<uint32_t> named;
  };
  std::vector<std::array<Last, 2>> last_;  // by view and Direction
};

}  // namespace sluice::inspect
