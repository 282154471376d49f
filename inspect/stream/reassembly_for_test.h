// SPDX-License-Identifier: Apache-2.0
// For tests: segments of text into one stream, which is taken at once.
#pragma once

#include <string>
#include <string_view>

#include "inspect/stream/reassembly.h"

namespace sluice::inspect::testing {

struct StreamHarness {
  StreamLimits limits;
  StreamBudget budget;
  StreamCounters counters;
  const StreamPool pool{limits, budget, counters};
  TcpStream stream{pool};
  std::string got;

  explicit StreamHarness(StreamLimits l = {}) : limits(l) {}

  StreamAccept send(uint32_t sequence, std::string_view text, bool syn = false) {
    const auto accepted =
        stream.accept(sequence, syn, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    for (auto piece = stream.take(); !piece.empty(); piece = stream.take())
      got.append(piece.begin(), piece.end());
    return accepted;
  }
  std::string window() const { return {stream.window().begin(), stream.window().end()}; }
};

}  // namespace sluice::inspect::testing
