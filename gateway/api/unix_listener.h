// SPDX-License-Identifier: Apache-2.0
// A listening unix socket that only its owner may open.
#pragma once

#include <string>

#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Mode 0600, non-blocking. Makes the directory if it is missing; takes over a socket that nobody
// listens on, and nothing else that may be there. The caller removes the socket.
Result<UniqueFd> listen_unix(const std::string& path, int backlog);

}  // namespace sluice::gateway
