// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cstring>

namespace sluice::gateway {
namespace {

sockaddr_in* as_v4(sockaddr_storage* raw) { return reinterpret_cast<sockaddr_in*>(raw); }
sockaddr_in6* as_v6(sockaddr_storage* raw) { return reinterpret_cast<sockaddr_in6*>(raw); }
const sockaddr_in* as_v4(const sockaddr_storage* raw) {
  return reinterpret_cast<const sockaddr_in*>(raw);
}
const sockaddr_in6* as_v6(const sockaddr_storage* raw) {
  return reinterpret_cast<const sockaddr_in6*>(raw);
}

void set_no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on what is not TCP: harmless
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

Result<SocketAddress> SocketAddress::parse(const std::string& address, uint16_t port) {
  SocketAddress result;
  if (inet_pton(AF_INET, address.c_str(), &as_v4(&result.raw_)->sin_addr) == 1) {
    result.raw_.ss_family = AF_INET;
    as_v4(&result.raw_)->sin_port = htons(port);
    return result;
  }
  if (inet_pton(AF_INET6, address.c_str(), &as_v6(&result.raw_)->sin6_addr) == 1) {
    result.raw_.ss_family = AF_INET6;
    as_v6(&result.raw_)->sin6_port = htons(port);
    return result;
  }
  return fail("not an IPv4 or IPv6 address: \"" + address + "\"");
}

// An IPv4 client of a dual-stack socket is shown as the IPv4 client it is.
SocketAddress SocketAddress::from(const sockaddr_storage& raw) {
  SocketAddress result;
  const sockaddr_in6* v6 = as_v6(&raw);
  if (raw.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    result.raw_.ss_family = AF_INET;
    as_v4(&result.raw_)->sin_port = v6->sin6_port;
    std::memcpy(&as_v4(&result.raw_)->sin_addr, &v6->sin6_addr.s6_addr[12], 4);
    return result;
  }
  result.raw_ = raw;
  return result;
}

SocketAddress SocketAddress::local_of(int fd) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  getsockname(fd, reinterpret_cast<sockaddr*>(&raw), &size);
  return from(raw);
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &as_v4(&raw_)->sin_addr, text, sizeof text);
  } else if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &as_v6(&raw_)->sin6_addr, text, sizeof text);
  }
  return text;
}

uint16_t SocketAddress::port() const {
  return ntohs(family() == AF_INET6 ? as_v6(&raw_)->sin6_port : as_v4(&raw_)->sin_port);
}

std::string SocketAddress::text() const {
  std::string name = family() == AF_INET6 ? "[" + host() + "]" : host();
  return name + ":" + std::to_string(port());
}

socklen_t SocketAddress::size() const {
  return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

Result<UniqueFd> listen_tcp(const SocketAddress& address, int backlog) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot create a socket", address.text());
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (bind(fd.get(), address.raw(), address.size()) != 0) {
    return fail_errno("cannot bind", address.text());
  }
  if (listen(fd.get(), backlog) != 0) return fail_errno("cannot listen", address.text());
  return fd;
}

Result<UniqueFd> accept_tcp(int listen_fd, SocketAddress* peer) {
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  UniqueFd fd(
      accept4(listen_fd, reinterpret_cast<sockaddr*>(&raw), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return fail_errno("cannot accept");
  *peer = SocketAddress::from(raw);
  set_no_delay(fd.get());
  return fd;
}

Result<std::unique_ptr<Socket>> Socket::create(EventLoop& loop, UniqueFd fd) {
  std::unique_ptr<Socket> created(new Socket(std::move(fd)));
  Socket* self = created.get();
  SLUICE_TRY_VOID(self->watch_.start(loop, self->fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                     [self](uint32_t events) { self->ready(events); }));
  return created;
}

void Socket::ready(uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((events & EPOLLIN) != 0 || hung_up_) can_receive_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) can_send_ = true;
  if (wakeup_ != nullptr) wakeup_->wake();
}

IoResult Socket::receive(std::span<char> into) {
  ssize_t count = recv(fd_.get(), into.data(), into.size(), 0);
  if (count == 0) return {IoResult::Kind::kEnd};
  if (count < 0) {
    if (errno == EINTR) return {IoResult::Kind::kDone};
    if (errno != EAGAIN) return {IoResult::Kind::kError, 0, errno};
    can_receive_ = false;
    return {IoResult::Kind::kBlocked};
  }
  // A short read has emptied the socket, and the next byte is a new edge. But an end that was
  // announced with these bytes has no edge of its own.
  if (static_cast<size_t>(count) < into.size() && !hung_up_) can_receive_ = false;
  return {IoResult::Kind::kDone, static_cast<size_t>(count)};
}

IoResult Socket::send(std::string_view bytes) {
  ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count < 0) {
    if (errno == EINTR) return {IoResult::Kind::kDone};
    if (errno != EAGAIN) return {IoResult::Kind::kError, 0, errno};
    can_send_ = false;
    return {IoResult::Kind::kBlocked};
  }
  if (static_cast<size_t>(count) < bytes.size()) can_send_ = false;
  return {IoResult::Kind::kDone, static_cast<size_t>(count)};
}

bool Socket::is_quiet() const {
  if (hung_up_) return false;
  if (!can_receive_) return true;
  char byte;  // the edge may have been that of bytes already read
  return recv(fd_.get(), &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void Socket::shutdown_send() { shutdown(fd_.get(), SHUT_WR); }

void Socket::reset_on_close() {
  linger now{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

Task<Result<std::unique_ptr<Socket>>> connect_tcp(EventLoop& loop, SocketAddress to,
                                                  uint64_t deadline_ms,
                                                  std::optional<SocketAddress> from) {
  UniqueFd fd(socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return fail_errno("cannot create a socket", to.text());
  set_no_delay(fd.get());
  if (from) {
    int late = 1;  // the port is chosen by connect(), which knows the other side too
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    if (bind(fd.get(), from->raw(), from->size()) != 0)
      co_return fail_errno("cannot bind", from->text());
  }
  if (connect(fd.get(), to.raw(), to.size()) != 0 && errno != EINPROGRESS) {
    co_return fail_errno("cannot connect", to.text());
  }
  auto created = Socket::create(loop, std::move(fd));
  if (!created) co_return created;
  Socket& socket = **created;
  Wakeup wakeup(loop);
  socket.set_wakeup(&wakeup);
  while (!socket.can_send()) {
    bool woken = co_await wakeup.until(deadline_ms);
    if (!woken) co_return fail_errno("cannot connect", to.text(), ETIMEDOUT);
  }
  socket.set_wakeup(nullptr);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  char byte;
  const bool spoke = error == ECONNRESET && recv(socket.fd(), &byte, 1, MSG_PEEK) == 1;
  if (error != 0 && !spoke) co_return fail_errno("cannot connect", to.text(), error);
  co_return created;
}

}  // namespace sluice::gateway
