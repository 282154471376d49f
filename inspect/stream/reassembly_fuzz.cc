// SPDX-License-Identifier: Apache-2.0
// Segments from the fuzzer: [sequence 2 bytes][flags][length][bytes]. No byte is delivered twice,
// memory is given back, and what was accepted for a place is what is delivered for it.
#include <cstdlib>
#include <map>

#include "inspect/stream/reassembly.h"
#include "tunnels/bytes.h"

using namespace sluice::inspect;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const StreamLimits limits{.window = 64, .held_max = 4096, .depth = 8192};
  StreamBudget budget{.used = 0, .max = 6000};
  StreamCounters counters;
  const StreamPool pool{limits, budget, counters};
  {
    TcpStream stream(pool);
    sluice::tunnels::Reader reader({data, size});
    uint64_t delivered = 0;
    while (reader.remaining() >= 4) {
      const uint32_t sequence = reader.be16();
      const uint8_t flags = reader.u8();
      const size_t length = reader.u8();
      if (flags & 2) stream.acknowledge(sequence);
      if (flags & 4) stream.cut();
      if (flags & 8) stream.forget();
      (void)stream.accept(sequence, flags & 1, reader.bytes(std::min(length, reader.remaining())));
      for (auto piece = stream.take(); !piece.empty(); piece = stream.take()) {
        delivered += piece.size();
        const auto window = stream.window();
        if (window.size() < piece.size() || stream.window_start() + window.size() != stream.next())
          std::abort();
      }
    }
    if (delivered != counters.bytes_delivered ||
        delivered > limits.depth * (kEarlierBeginningsMax + 1))
      std::abort();
  }
  if (budget.used != 0 || budget.held != 0) std::abort();
  return 0;
}
