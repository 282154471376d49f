// SPDX-License-Identifier: Apache-2.0
// Whether a packet arrives at all: a TCP segment with a wrong checksum its receiver throws away,
// and what it says must not count.
#pragma once

#include "inspect/stream/packet_view.h"

namespace sluice::inspect {

// Over the pseudo-header of an IP packet (RFC 9293 section 3.1, RFC 8200 section 8.1) and what
// follows its first `header_length` bytes: what belongs into the checksum field while that is zero,
// and 0 if the field is right.
uint16_t transport_checksum(std::span<const uint8_t> ip, size_t header_length, uint8_t protocol);

// Of TCP, UDP, ICMP and ICMPv6.
bool has_right_checksum(const PacketView& view);
// The header's own, of IPv4.
bool has_right_ip_checksum(const PacketView& view);

}  // namespace sluice::inspect
