// SPDX-License-Identifier: Apache-2.0
// Cuts a super-packet of TCP or UDP into the packets that it is on the wire, as its sender's
// hardware would.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::gateway {

inline constexpr size_t kSegmentsMax = 1024;

// IP packets with `size` bytes of the payload in each, the rest of it in the last, and checksums
// that fit. None if it cannot be cut: malformed, a fragment, neither TCP nor UDP, or into more than
// kSegmentsMax.
std::vector<std::vector<uint8_t>> cut_into_segments(std::span<const uint8_t> packet, uint32_t size);

}  // namespace sluice::gateway
