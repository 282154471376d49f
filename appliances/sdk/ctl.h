// SPDX-License-Identifier: Apache-2.0
// The other end of the control socket: `sluice-dpi ctl --socket PATH top limit=5`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "tunnels/result.h"

namespace sluice::sdk {

inline constexpr size_t kReplyBytesMax = 64 << 20;

// "top", {"limit=5"} as {"command": "top", "limit": 5}. A value that is no JSON is a string.
Result<nlohmann::json> make_request(const std::string& command,
                                    std::span<const std::string> fields);

// Sends `request` and waits for the reply, at most `wait_seconds` for each part of it. A reply that
// says why not is an error with that text.
Result<nlohmann::ordered_json> ask_appliance(const std::string& socket,
                                             const nlohmann::json& request, int wait_seconds = 60);

// For a person: fields as lines, lists of objects as tables, `text` as it is.
std::string readable(const nlohmann::ordered_json& reply);

}  // namespace sluice::sdk
