// SPDX-License-Identifier: Apache-2.0
#include "gateway/follow/line_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace sluice::gateway {

Result<std::unique_ptr<LineSocket>> LineSocket::create(EventLoop& loop, UniqueFd fd,
                                                       const LineLimits& limits, TakeLine take,
                                                       Closed closed) {
  std::unique_ptr<LineSocket> socket(
      new LineSocket(std::move(fd), limits, std::move(take), std::move(closed)));
  SLUICE_TRY_VOID(socket->watch_.start(loop, socket->fd_.get(), EPOLLIN | EPOLLOUT | EPOLLET,
                                       [raw = socket.get()](uint32_t) { raw->ready(); }));
  return socket;
}

bool LineSocket::write(std::string_view line) {
  if (unsent() + line.size() + 1 > limits_.unsent_bytes_max) return false;
  out_.append(line).push_back('\n');
  return true;
}

bool LineSocket::flush() {
  while (sent_ < out_.size()) {
    const ssize_t count = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    sent_ += static_cast<size_t>(count);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

void LineSocket::ready() {
  Result<> good = flush() ? receive() : fail("the other side is gone");
  if (good) return;
  const auto closed = closed_;  // outlives this
  closed(good.error().text());
}

Result<> LineSocket::receive() {
  char chunk[65536];
  while (true) {
    const ssize_t count = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count < 0) return fail_errno("cannot receive");
    if (count == 0) return fail("the other side has closed");
    in_.append(chunk, static_cast<size_t>(count));
    SLUICE_TRY_VOID(take_lines());
  }
}

Result<> LineSocket::take_lines() {
  size_t begin = 0;
  for (size_t end; (end = in_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (end - begin > limits_.line_bytes_max) return fail("a line is too long");
    SLUICE_TRY_VOID(take_(std::string_view(in_).substr(begin, end - begin)));
  }
  in_.erase(0, begin);
  return in_.size() > limits_.line_bytes_max ? fail("a line is too long") : Result<>();
}

Result<UniqueFd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("the path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot make a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot connect", path);
  return fd;
}

}  // namespace sluice::gateway
