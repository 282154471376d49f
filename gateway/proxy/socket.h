// SPDX-License-Identifier: Apache-2.0
// TCP on the event loop: addresses, listening, connecting, and a stream that knows what it can do
// now.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/wakeup.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// An IPv4 or IPv6 address and a port.
class SocketAddress {
 public:
  SocketAddress() = default;
  // The address is a literal without brackets; nothing is looked up.
  static Result<SocketAddress> parse(const std::string& address, uint16_t port);
  static SocketAddress from(const sockaddr_storage& raw);
  static SocketAddress local_of(int fd);

  std::string host() const;  // 10.0.0.1 or fd00::1
  uint16_t port() const;
  std::string text() const;  // 10.0.0.1:80 or [fd00::1]:80
  int family() const { return raw_.ss_family; }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&raw_); }
  socklen_t size() const;
  bool operator==(const SocketAddress& other) const { return text() == other.text(); }

 private:
  sockaddr_storage raw_{};
};

// Non-blocking, address reusable. Port 0 takes a free one (see SocketAddress::local_of).
Result<UniqueFd> listen_tcp(const SocketAddress& address, int backlog);

// One accepted connection, non-blocking, or the errno (EAGAIN: none is waiting).
Result<UniqueFd> accept_tcp(int listen_fd, SocketAddress* peer);

// What one receive or send did.
struct IoResult {
  enum class Kind { kDone, kBlocked, kEnd, kError };
  Kind kind;
  size_t bytes = 0;
  int error = 0;
};

// A connected stream, registered once for edges. can_receive/can_send hold from an edge until the
// kernel says that there is no more; a system call is made only while they hold.
class Socket {
 public:
  static Result<std::unique_ptr<Socket>> create(EventLoop& loop, UniqueFd fd);

  IoResult receive(std::span<char> into);
  IoResult send(std::string_view bytes);
  void shutdown_send();
  void reset_on_close();  // the peer is to see RST, not FIN: what it has is not the whole

  bool can_receive() const { return can_receive_; }
  bool can_send() const { return can_send_; }
  // The peer has sent FIN (bytes may still be unread), or the connection is broken.
  bool hung_up() const { return hung_up_; }
  // Neither bytes nor an end are waiting: a kept connection is fit for a new request.
  bool is_quiet() const;
  int fd() const { return fd_.get(); }

  // Who is woken by events; null for nobody.
  void set_wakeup(Wakeup* wakeup) { wakeup_ = wakeup; }

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  void ready(uint32_t events);

  UniqueFd fd_;
  bool can_receive_ = false;
  bool can_send_ = false;
  bool hung_up_ = false;
  Wakeup* wakeup_ = nullptr;
  Watch watch_;  // last: leaves the loop before the descriptor closes
};

// A connection, or why there is none: error code ETIMEDOUT when the deadline passed first,
// ECONNRESET when the peer accepted and went; what it said before can be read. `from`: the address
// that it comes from; the kernel's choice without one.
Task<Result<std::unique_ptr<Socket>>> connect_tcp(EventLoop& loop, SocketAddress to,
                                                  uint64_t deadline_ms,
                                                  std::optional<SocketAddress> from = {});

}  // namespace sluice::gateway
