// SPDX-License-Identifier: Apache-2.0
// The options of a TCP header, as far as anybody here asks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace sluice::inspect {

inline constexpr uint8_t kTcpOptionSegmentSize = 2;
inline constexpr uint8_t kTcpOptionWindowScale = 3;
inline constexpr uint8_t kTcpWindowShiftMax = 14;  // RFC 7323 section 2.3

// Calls take(kind, value) for each of `options` but the fillers, as long as it returns true. False:
// one has a length that leads out of them, or to itself.
template <class Take>
bool each_tcp_option(std::span<const uint8_t> options, Take take) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    if (!take(options[0], options.subspan(2, options[1] - 2u))) return true;
    options = options.subspan(options[1]);
  }
  return true;
}

struct TcpOptions {
  std::optional<uint32_t> timestamp;
  std::optional<uint8_t> window_shift;
  bool fast_open = false;
  // One has a length that it cannot have; what is behind it was not read.
  bool bad_length = false;
  bool twice = false;  // one that may stand there once
};

// `header` is a whole TCP header.
TcpOptions read_tcp_options(std::span<const uint8_t> header);

}  // namespace sluice::inspect
