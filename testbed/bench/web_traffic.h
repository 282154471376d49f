// SPDX-License-Identifier: Apache-2.0
// Made-up traffic of web users in GENEVE datagrams, as a gateway sends them to an appliance.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::testbed {

using Datagram = std::vector<uint8_t>;

// Of ten flows six are TLS, three HTTP, one DNS; `concurrent` of them take turns packet by packet.
// A TCP flow has a handshake, a request, answers of 1200 bytes with an acknowledgement for every
// two, and an end, `packets` in all.
std::vector<Datagram> web_traffic(uint32_t flows, uint32_t packets, uint32_t concurrent = 256);

}  // namespace sluice::testbed
