// SPDX-License-Identifier: Apache-2.0
// The packets that tell both ends that a packet was refused.
//
// A TCP segment is answered with a reset to its sender (RFC 9293 section 3.10.7.1) and a reset to
// its receiver, who has not seen the segment and so expects its sequence number. Anything else is
// answered with an ICMP error to its sender: administratively prohibited (RFC 1812 section 5.2.7.1,
// RFC 4443 section 3.1). Both claim to come from the other end: whoever inspects has no address.
#pragma once

#include <cstdint>
#include <span>

#include "tunnels/packet.h"

namespace sluice::inspect {

// The longest packet that is written here.
inline constexpr size_t kRejectLengthMax = 40 + 8 + 128;

// Each writes an IP packet to `out` and returns its length. 0 if none is due: resets and ICMP
// errors are never answered, nor are fragments, nor what was sent to or from many. `packet` is what
// parse_ip_packet made of `ip`.
size_t reject_to_sender(std::span<const uint8_t> ip, const tunnels::packet& packet,
                        std::span<uint8_t, kRejectLengthMax> out);
size_t reject_to_receiver(std::span<const uint8_t> ip, const tunnels::packet& packet,
                          std::span<uint8_t, kRejectLengthMax> out);

}  // namespace sluice::inspect
