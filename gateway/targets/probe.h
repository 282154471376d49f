// SPDX-License-Identifier: Apache-2.0
// One health check of one target: connect, ask, judge the answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gateway/control/address.h"
#include "gateway/control/health_check.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"

struct ssl_ctx_st;

namespace sluice::gateway {

SocketAddress socket_address(const IpAddress& address, uint16_t port);

struct ProbeRequest {
  SocketAddress to;
  std::optional<SocketAddress> from;  // the kernel's choice without one
  HealthProtocol protocol = HealthProtocol::kTcp;
  std::string host;  // of the Host header, or :authority
  std::string path;
  CodeRanges codes;
};

enum class ProbeOutcome {
  kSucceeded,
  kMismatch,  // an answer with a code that the matcher does not have
  kTimeout,
  kFailed,  // no connection, no TLS, no HTTP
  kNotMade  // this machine has no descriptor, port or memory left: says nothing of the target
};

struct ProbeResult {
  ProbeOutcome outcome = ProbeOutcome::kFailed;
  int code = -1;            // HTTP status or gRPC code; -1: none came
  std::string description;  // "answered 200", "Connection refused"
};

constexpr size_t kProbeRestBytesMax = 64 * 1024;  // read and dropped behind the status line
constexpr uint32_t kProbeRestMs = 100;            // how long that may take

// `tls`: from make_probe_tls(); HTTPS only. Ends at the deadline at the latest.
Task<ProbeResult> probe(EventLoop& loop, std::shared_ptr<const ProbeRequest> request,
                        std::shared_ptr<ssl_ctx_st> tls, uint64_t deadline_ms);

}  // namespace sluice::gateway
