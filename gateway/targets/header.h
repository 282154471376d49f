// SPDX-License-Identifier: Apache-2.0
// What is in front of every packet to an appliance, prepared so that the packet path only patches
// what differs per packet: total length and IP checksum, or over IPv6 flow label and payload
// length; UDP source port and length; GENEVE protocol type, endpoint id, attachment id and flow
// cookie. Those are zero here, and the IP checksum is right for a total length of zero.
#pragma once

#include <array>
#include <cstdint>

#include "gateway/datapath/tables.h"

namespace sluice::gateway {

using MacAddress = std::array<uint8_t, 6>;

// What a profile puts in front of an IP packet: outer IP of `version`, UDP and GENEVE.
constexpr uint32_t encapsulation_overhead(uint8_t profile, uint8_t version = 4) {
  return (version == 6 ? 40 : 20) + 8 + kGeneveProfiles[profile].header_length;
}
static_assert(encapsulation_overhead(kProfileAws) == kEncapsulationOverhead);

// Addresses in packet byte order. Writes target.header: Ethernet, IPv4 (TTL 64, DF, id 0), UDP to
// 6081 with checksum 0, GENEVE with the AWS options.
void build_target_header(uint8_t (&header)[kTargetHeaderLength], const MacAddress& from,
                         const MacAddress& to, uint32_t source, uint32_t destination);

// The same over IPv6, without GENEVE, which the packet path writes then: Ethernet, IPv6 (hop limit
// 64), UDP to 6081 with checksum 0; the rest is zero.
void build_target_header6(uint8_t (&header)[kTargetHeaderLength], const MacAddress& from,
                          const MacAddress& to, const uint32_t (&source)[4],
                          const uint32_t (&destination)[4]);

}  // namespace sluice::gateway
