// SPDX-License-Identifier: Apache-2.0
// One request to the daemon and its reply.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::gateway {

// The socket to talk to: the one given, else that of the configuration file, else $SLUICE_SOCKET,
// else the only one in /run/sluice.
Result<std::string> find_socket(const std::string& socket, const std::string& config_file);

inline constexpr uint32_t kAnswerWaitSeconds = 15;

// Sends `request` and waits for the reply. A reply that says why not is an error with that text.
Result<nlohmann::json> ask_daemon(const std::string& socket, const nlohmann::json& request,
                                  uint32_t wait_s = kAnswerWaitSeconds);

// The same of a reply with a stream behind it, whose bytes go to `take` as they come. SIGINT,
// SIGTERM or so many seconds (0: none) end it: what the daemon has left to say still comes. An
// error of `take` ends it at once.
Result<> follow_daemon(const std::string& socket, const nlohmann::json& request,
                       const std::function<Result<>(std::string_view)>& take, uint64_t seconds);

}  // namespace sluice::gateway
