// SPDX-License-Identifier: Apache-2.0
// Cuts an IPv4 packet into fragments (RFC 791 section 3.2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::gateway {

// The fragments of the frame's packet, itself a fragment or not: frames with its Ethernet header,
// each around an IP packet of at most `mtu` bytes. None if it may not or cannot be cut: not IPv4,
// DF, malformed, or an mtu without room for 8 bytes.
std::vector<std::vector<uint8_t>> cut_into_fragments(std::span<const uint8_t> bytes, uint32_t mtu);

}  // namespace sluice::gateway
