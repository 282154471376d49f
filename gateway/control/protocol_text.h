// SPDX-License-Identifier: Apache-2.0
// The names of IP protocols that people see and give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tunnels/result.h"

namespace sluice::gateway {

// "tcp", "udp", "icmp", "icmpv6", or the number.
std::string protocol_text(uint8_t protocol);

// The other way; nothing for "".
Result<std::optional<uint8_t>> parse_protocol(const std::string& text);

}  // namespace sluice::gateway
