// SPDX-License-Identifier: Apache-2.0
// The options of a TCP header, as far as anybody here asks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace sluice::inspect {

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
