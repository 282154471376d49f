// SPDX-License-Identifier: Apache-2.0
// What is said of a packet that was seen: where it was, where it went, and why.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "gateway/datapath/host.h"

namespace sluice::gateway {

class Controller;

// How many bytes of the frame the text needs: all headers outside of the IP packet.
constexpr uint32_t kSightingTextBytes = 192;

std::string_view stage_name(uint8_t stage);  // "encapsulated"

// "outside of front", "inside of front", "the tunnel".
std::string port_text(const Controller& controller, uint32_t interface_index);

// {"stage":"encapsulated","came_in":"outside of front",...,"what":"new flow, ..."}; what is not
// known, or is not there, is left out.
nlohmann::ordered_json describe_sighting(const Controller& controller, const sighting& seen,
                                         std::span<const uint8_t> bytes);

// The sentence, "what", alone.
std::string sighting_text(const Controller& controller, const sighting& seen,
                          std::span<const uint8_t> bytes);

}  // namespace sluice::gateway
