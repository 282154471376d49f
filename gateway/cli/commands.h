// SPDX-License-Identifier: Apache-2.0
// The commands of `sluice` that speak to a gateway: targets, flows, explain, counters, validate,
// insert, remove.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/control/address.h"
#include "tunnels/result.h"

namespace CLI {
class App;
}

namespace sluice::gateway {

// Adds the commands. They run when the line is parsed; one that fails says why on standard error
// and throws CLI::RuntimeError, CLI11's way to a non-zero exit status (CLI11_PARSE turns it into
// one).
void add_gateway_commands(CLI::App& app);

// "10.0.0.1:80", "[fd00::1]:80", "fd00::1" or "10.0.0.1"; port 0 when there is none.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
};
Result<Endpoint> parse_endpoint(const std::string& text);

}  // namespace sluice::gateway
