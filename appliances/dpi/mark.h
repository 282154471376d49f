// SPDX-License-Identifier: Apache-2.0
// The differentiated services code point of a packet (RFC 2474).
#pragma once

#include <cstdint>
#include <span>

namespace sluice::dpi {

// Sets it in a whole IP packet that parse_ip_packet has accepted; ECN stays as it is, an IPv4
// header's checksum stays right (or as wrong as it was).
void set_dscp(std::span<uint8_t> ip, uint8_t dscp);

}  // namespace sluice::dpi
