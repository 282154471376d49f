// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/control_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "appliances/sdk/worker.h"

namespace sluice::sdk {

namespace {

bool somebody_listens(const sockaddr_un& address) {
  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  return connect(socket.fd(), raw, sizeof(address)) == 0 || errno == EAGAIN;
}

Result<Socket> open_listener(const std::string& path) {
  SLUICE_TRY(const sockaddr_un address, unix_address(path));
  if (somebody_listens(address)) return fail("another program listens on this socket", path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  struct stat existing {};
  if (lstat(path.c_str(), &existing) == 0 && !S_ISSOCK(existing.st_mode))
    return fail("there is a file that is no socket", path);
  unlink(path.c_str());

  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.open()) return fail_errno("cannot open a unix socket", path);
  // On the socket itself, before it has a name: no moment with a wider mode.
  if (fchmod(socket.fd(), 0600) != 0) return fail_errno("cannot set the socket's mode", path);
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("cannot make the socket", path);
  if (listen(socket.fd(), kControlClientsMax) != 0) return fail_errno("cannot listen", path);
  return socket;
}

}  // namespace

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail("not a path for a socket", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<ControlServer> ControlServer::create(const std::string& path, Answer answer,
                                            int64_t wait_us) {
  SLUICE_TRY(Socket listener, open_listener(path));
  ControlServer server(path, std::move(answer), wait_us);
  server.listener_ = std::move(listener);
  return server;
}

ControlServer::ControlServer(ControlServer&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      answer_(std::move(other.answer_)),
      wait_us_(other.wait_us_),
      listener_(std::move(other.listener_)),
      clients_(std::move(other.clients_)),
      refused_(other.refused_) {}

ControlServer::~ControlServer() {
  if (listener_.open()) unlink(path_.c_str());
}

void ControlServer::poll_once(int timeout_ms) {
  std::vector<pollfd> waits;
  waits.reserve(clients_.size() + 1);
  for (const Client& client : clients_) {
    const short events = client.out.empty() ? POLLIN : POLLOUT;
    waits.push_back({client.socket.fd(), events, 0});
  }
  waits.push_back({listener_.fd(), POLLIN, 0});
  const int64_t before = steady_us();
  if (poll(waits.data(), waits.size(), timeout_ms) < 0) return;

  const int64_t waited = steady_us() - before;
  size_t at = 0;
  std::erase_if(clients_, [&](Client& client) {
    const bool ready = waits[at++].revents != 0;
    client.waited_us += waited;
    if (client.waited_us <= wait_us_) return ready && !serve(client);
    refused_++;
    return true;
  });
  if (waits.back().revents != 0) accept_all();
}

void ControlServer::accept_all() {
  for (size_t i = 0; i < kControlClientsMax; i++) {
    Socket socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.open()) return;
    if (clients_.size() == kControlClientsMax) {
      refused_++;
      continue;
    }
    clients_.push_back({std::move(socket), 0, {}, {}, 0});
  }
}

// What waits to be sent goes first: a client that does not read is not served further.
bool ControlServer::serve(Client& client) {
  const bool there = client.out.empty() ? receive(client) : flush(client);
  return there && answer_lines(client);
}

// Once, so that every client has its turn.
bool ControlServer::receive(Client& client) {
  char chunk[16384];
  const ssize_t count = recv(client.socket.fd(), chunk, sizeof(chunk), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0 && client.in.empty()) return false;
  // Who says no more has said his last line, too.
  client.in.append(count == 0 ? "\n" : chunk, count == 0 ? 1 : static_cast<size_t>(count));
  return true;
}

// Until there is no whole line, or a reply has to wait.
bool ControlServer::answer_lines(Client& client) {
  size_t begin = 0;
  for (size_t end; client.out.empty() && (end = client.in.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    client.out = answer_(std::string_view(client.in).substr(begin, end - begin)) + "\n";
    client.waited_us = 0;
    if (!flush(client)) return false;
  }
  client.in.erase(0, begin);
  if (client.in.size() <= kControlRequestBytesMax) return true;
  refused_++;
  return false;
}

// Sends what it can. False when the client is gone.
bool ControlServer::flush(Client& client) {
  while (client.out_at < client.out.size()) {
    const ssize_t count = send(client.socket.fd(), client.out.data() + client.out_at,
                               client.out.size() - client.out_at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    client.out_at += static_cast<size_t>(count);
  }
  client.out.clear();
  client.out_at = 0;
  client.waited_us = 0;
  return true;
}

}  // namespace sluice::sdk
