// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/repeated_buffers.h"

#include <algorithm>

namespace sluice::inspect {

void RepeatedBuffers::search(const Prefilter& prefilter, uint16_t view, Direction direction,
                             std::span<const uint8_t> bytes, PrefilterScratch& scratch,
                             Candidates& candidates) {
  if (bytes.size() > kRepeatedMax) {
    prefilter.scan(bytes, scratch, candidates);
    return;
  }
  Last& last = last_[view][static_cast<size_t>(direction)];
  if (std::ranges::equal(last.bytes, bytes)) {
    for (const uint32_t rule : last.named) candidates.candidate(rule);
    return;
  }
  prefilter.scan(bytes, scratch, candidates);
  last.bytes.assign(bytes.begin(), bytes.end());
  last.named = candidates.named();
}

}  // namespace sluice::inspect
