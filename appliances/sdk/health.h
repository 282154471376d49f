// SPDX-License-Identifier: Apache-2.0
// The endpoint that a gateway's health checks ask: a TCP port that accepts connections and answers
// HTTP only while the appliance works. While it does not, the port is closed and a check is
// refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "appliances/sdk/socket.h"
#include "tunnels/result.h"

namespace sluice::sdk {

inline constexpr size_t kHealthConnectionsMax = 64;      // the oldest gives way to a new one
inline constexpr size_t kHealthRequestLengthMax = 4096;  // bytes of a request before it is refused
inline constexpr int64_t kHealthConnectionUs = 5'000'000;  // how long a connection may take

// GET / answers "ok", GET /stats what `stats` returns (JSON); both are called by the endpoint's
// thread.
struct HealthOptions {
  std::string listen;
  uint16_t port = 0;
  std::function<bool()> alive;
  std::function<std::string()> stats;
};

class HealthEndpoint {
 public:
  // Opens the port, so that a port in use is an error at start.
  static Result<HealthEndpoint> create(HealthOptions options);

  // One round: waits at most `timeout_ms` for something to do, and does it.
  void poll_once(int timeout_ms);

 private:
  struct Connection {
    Socket socket;
    int64_t opened_us = 0;
    std::string request;
  };

  explicit HealthEndpoint(HealthOptions options) : options_(std::move(options)) {}
  void follow_liveness();
  void accept_all();
  bool serve(Connection& connection);  // false when it is over

  HealthOptions options_;
  Socket listener_;
  std::vector<Connection> connections_;  // oldest first
};

}  // namespace sluice::sdk
