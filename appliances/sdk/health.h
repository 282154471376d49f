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
// A page is made again when it is older than this: who asks often cannot keep the endpoint from
// answering health checks, since making one may wait for the workers.
inline constexpr int64_t kHealthPageAgeUs = 250'000;

// GET /stats answers what `stats` returns (JSON), GET /metrics what `metrics` does (Prometheus'
// text), any other path "ok". All are called by the endpoint's thread.
struct HealthOptions {
  std::string listen;
  uint16_t port = 0;
  std::function<bool()> alive;
  std::function<std::string()> stats;
  std::function<Result<std::string>()> metrics;
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
    std::string request, answer;
    size_t sent = 0;
  };
  struct Page {
    std::string answer;
    int64_t made_us = 0;
  };

  explicit HealthEndpoint(HealthOptions options) : options_(std::move(options)) {}
  void follow_liveness();
  void accept_all();
  bool serve(Connection& connection);  // false when it is over
  bool receive(Connection& connection);
  std::string answer_to(std::string_view request);
  std::string answer_at(std::string_view path);
  const std::string& page(Page& page, const std::function<std::string()>& make);
  std::string make_stats() const;
  std::string make_metrics() const;

  HealthOptions options_;
  Socket listener_;
  Page stats_, metrics_;
  std::vector<Connection> connections_;  // oldest first
};

}  // namespace sluice::sdk
