// SPDX-License-Identifier: Apache-2.0
// What a packet can do to its TCP stream, by Suricata's names (`stream-event:reassembly_seq_gap`).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace sluice::inspect {

enum StreamEvent : uint8_t {
  kStreamOverlap = 1,       // other bytes for a place in the stream
  kStreamGap = 2,           // shows that bytes passed elsewhere
  kStreamDepthReached = 4,  // the stream is inspected no further
};

inline constexpr std::pair<std::string_view, StreamEvent> kStreamEvents[] = {
    {"reassembly_overlap_different_data", kStreamOverlap},
    {"reassembly_seq_gap", kStreamGap},
    {"reassembly_depth_reached", kStreamDepthReached},
};

}  // namespace sluice::inspect
