// SPDX-License-Identifier: Apache-2.0
// Ethernet headers for frames that were captured without one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::testbed {

// Whether frames of this link type (a DLT_ value of libpcap) can be read.
bool link_type_is_known(int link_type);

// Writes the captured `frame` as an Ethernet frame. Addresses that the capture does not tell are
// 02:00:00:00:00:01 (source) and 02:00:00:00:00:02. False if it carries no EtherType's packet.
bool convert_to_ethernet(int link_type, std::span<const uint8_t> frame, std::vector<uint8_t>& out);

}  // namespace sluice::testbed
