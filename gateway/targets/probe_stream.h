// SPDX-License-Identifier: Apache-2.0
// The connection of one health check: TCP, or TLS over it, with one deadline for all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "gateway/proxy/wakeup.h"

struct ssl_st;
struct ssl_ctx_st;

namespace sluice::gateway {

// For HTTPS checks. As AWS: the target's certificate is not verified, and whatever a target still
// speaks will do, since nothing secret is said.
std::shared_ptr<ssl_ctx_st> make_probe_tls();

// Errors have the code ETIMEDOUT when the deadline passed.
class ProbeStream {
 public:
  static Task<Result<std::unique_ptr<ProbeStream>>> open(EventLoop& loop, SocketAddress to,
                                                         std::optional<SocketAddress> from,
                                                         uint64_t deadline_ms);
  ~ProbeStream();

  // From now on all bytes are TLS.
  Task<Result<>> start_tls(ssl_ctx_st* context);

  Task<Result<>> send(std::string_view bytes);
  // At least one byte, or 0 at the end.
  Task<Result<size_t>> receive(std::span<char> into);

  void set_deadline(uint64_t deadline_ms) { deadline_ms_ = deadline_ms; }

 private:
  ProbeStream(EventLoop& loop, std::unique_ptr<Socket> socket, uint64_t deadline_ms);
  Task<Result<>> send_raw(std::string_view bytes);
  Task<Result<size_t>> receive_raw(std::span<char> into);
  Task<Result<>> send_records();
  Task<Result<>> serve(int result);
  Task<Result<>> receive_records();

  struct FreeTls {
    void operator()(ssl_st* tls) const;
  };
  Wakeup wakeup_;
  uint64_t deadline_ms_;
  std::unique_ptr<ssl_st, FreeTls> tls_;  // reads and writes memory, never the descriptor
  std::unique_ptr<Socket> socket_;        // after wakeup_, which it wakes
};

}  // namespace sluice::gateway
