// SPDX-License-Identifier: Apache-2.0
// The Community ID of a flow, version 1: the same text in every tool that knows it, so that their
// records of one flow can be joined. https://github.com/corelight/community-id-spec
#pragma once

#include <cstdint>
#include <string>

#include "tunnels/packet.h"

namespace sluice::inspect {

// "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz4="; either direction of the flow gives the same.
// Empty for ICMP, whose types it would need.
std::string community_id(const tunnels::tuple& tuple, uint16_t seed);

}  // namespace sluice::inspect
