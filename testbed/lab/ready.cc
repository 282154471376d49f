// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/ready.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "testbed/lab/process.h"

namespace sluice::testbed {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 20ms;
constexpr int kConnectMs = 200;

socklen_t socket_address(const Ready& ready, sockaddr_storage& storage) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, ready.tcp_address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(ready.tcp_port);
    return sizeof *v4;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(ready.tcp_port);
  return inet_pton(AF_INET6, ready.tcp_address.c_str(), &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

bool accepts(const Ready& ready, const gateway::Namespace& where) {
  sockaddr_storage storage = {};
  socklen_t length = socket_address(ready, storage);
  auto scope = gateway::NamespaceScope::enter(where);
  if (!scope) return false;
  int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int error = connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0 ? 0 : errno;
  pollfd waiting = {fd, POLLOUT, 0};
  socklen_t size = sizeof error;
  if (error == EINPROGRESS && poll(&waiting, 1, kConnectMs) == 1)
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  close(fd);
  return error == 0;
}

// That the file is there says nothing: it may be of an earlier run, or nobody listens yet.
bool accepts(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  // One with too many waiting listens; one of another type is bound.
  const bool good = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ||
                    errno == EAGAIN || errno == EPROTOTYPE;
  close(fd);
  return good;
}

std::string condition(const Ready& ready) {
  if (ready.exits) return "to end with status " + std::to_string(*ready.exits);
  if (!ready.socket.empty()) return "for socket " + ready.socket;
  return "for TCP on " + ready.tcp_address + ":" + std::to_string(ready.tcp_port);
}

}  // namespace

Result<> wait_until_ready(const Ready& ready, const gateway::Namespace& where,
                          const ProcessId& id) {
  if (ready.tcp_address.empty() && ready.socket.empty() && !ready.exits) return {};
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(ready.timeout_seconds);
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto status = exit_status(id.pid)) {
      if (ready.exits && WIFEXITED(*status) && WEXITSTATUS(*status) == *ready.exits) return {};
      return fail(describe_status(*status));
    }
    if (!ready.tcp_address.empty() && accepts(ready, where)) return {};
    if (!ready.socket.empty() && accepts(ready.socket)) return {};
    std::this_thread::sleep_for(kPause);
  }
  return fail("not ready: waited " + std::to_string(ready.timeout_seconds) + " s " +
              condition(ready));
}

}  // namespace sluice::testbed
