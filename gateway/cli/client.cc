// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/client.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "gateway/control/config.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {
namespace {

constexpr const char* kSocketDirectory = "/run/sluice";
constexpr size_t kReplyBytesMax = 64 << 20;

Result<UniqueFd> connect_to(const std::string& path, uint32_t wait_s) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail("the path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot make a socket");
  const timeval wait{wait_s, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return fd;
  if (errno == ENOENT || errno == ECONNREFUSED)
    return fail("no gateway answers here; is sluiced running? (sluiced --config FILE)", path);
  return fail_errno("cannot reach the gateway", path);
}

bool waited_in_vain() { return errno == EAGAIN || errno == EWOULDBLOCK; }

Result<> send_all(int fd, const std::string& text, uint32_t wait_s) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t count = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (count < 0 && waited_in_vain())
      return fail("the gateway does not take the request within " + std::to_string(wait_s) + " s");
    if (count < 0) return fail_errno("cannot send the request");
    at += static_cast<size_t>(count);
  }
  return {};
}

Result<std::string> receive_line(int fd, uint32_t wait_s) {
  std::string line;
  char chunk[65536];
  while (line.size() < kReplyBytesMax) {
    const ssize_t count = ::recv(fd, chunk, sizeof(chunk), 0);
    if (count < 0 && waited_in_vain())
      return fail("no answer within " + std::to_string(wait_s) +
                  " s; if it was a change, it may have taken effect: look with `sluice history`");
    if (count < 0) return fail_errno("the gateway does not answer");
    if (count == 0) return fail("the gateway closed the connection without an answer");
    line.append(chunk, static_cast<size_t>(count));
    if (line.find('\n', line.size() - static_cast<size_t>(count)) != std::string::npos) return line;
  }
  return fail("the gateway's answer does not end");
}

// The sockets of gateways. Of several those that answer: a daemon that was killed leaves its own.
std::vector<std::string> gateways_here() {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kSocketDirectory, error))
    if (entry.path().extension() == ".sock" && !entry.path().stem().string().ends_with("-proxies"))
      out.push_back(entry.path());
  if (out.size() > 1)
    std::erase_if(out, [](const std::string& path) {
      return !ask_daemon(path, {{"command", "version"}});
    });
  return out;
}

}  // namespace

Result<std::string> find_socket(const std::string& socket, const std::string& config_file) {
  if (!socket.empty()) return socket;
  if (!config_file.empty()) {
    auto config = read_config(config_file);
    if (!config) return tl::make_unexpected(config.error().front());
    return config->gateway.socket;
  }
  if (const char* variable = std::getenv("SLUICE_SOCKET")) return std::string(variable);
  const std::vector<std::string> found = gateways_here();
  if (found.size() == 1) return found.front();
  return found.empty() ? fail("no gateway runs here; start sluiced, or say --socket or --config",
                              kSocketDirectory)
                       : fail("several gateways run here; choose one with --socket or --config",
                              kSocketDirectory);
}

namespace {

Result<> send_request(int fd, const nlohmann::json& request, uint32_t wait_s) {
  return send_all(fd, request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                  wait_s);
}

Result<nlohmann::json> read_reply(const std::string& line, const std::string& socket) {
  nlohmann::json reply = nlohmann::json::parse(line, nullptr, false);
  if (!reply.is_object() || !reply.contains("ok"))
    return fail("the answer is no reply of a gateway", socket);
  if (reply["ok"] == true) return reply;
  return fail(reply.value("error", "refused without a reason"));
}

// SIGINT and SIGTERM as something to read, for as long as it lives.
class Interruption {
 public:
  Interruption() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (int number : {SIGINT, SIGTERM}) sigaddset(&wanted, number);
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    fd_ = UniqueFd(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  }
  ~Interruption() {
    signalfd_siginfo one{};  // it has done its work
    while (::read(fd_.get(), &one, sizeof(one)) > 0) continue;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  int fd() const { return fd_.get(); }

 private:
  sigset_t before_;
  UniqueFd fd_;
};

int left_ms(std::chrono::steady_clock::time_point end) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

}  // namespace

Result<nlohmann::json> ask_daemon(const std::string& socket, const nlohmann::json& request,
                                  uint32_t wait_s) {
  SLUICE_TRY(const UniqueFd fd, connect_to(socket, wait_s));
  SLUICE_TRY_VOID(send_request(fd.get(), request, wait_s));
  SLUICE_TRY(const std::string line, receive_line(fd.get(), wait_s));
  return read_reply(line, socket);
}

Result<> follow_daemon(const std::string& socket, const nlohmann::json& request,
                       const std::function<Result<>(std::string_view)>& take, uint64_t seconds) {
  const Interruption interruption;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  SLUICE_TRY(const UniqueFd fd, connect_to(socket, kAnswerWaitSeconds));
  SLUICE_TRY_VOID(send_request(fd.get(), request, kAnswerWaitSeconds));
  SLUICE_TRY(std::string head, receive_line(fd.get(), kAnswerWaitSeconds));
  const size_t length = head.find('\n') + 1;
  SLUICE_TRY_VOID(read_reply(head.substr(0, length), socket));
  SLUICE_TRY_VOID(take(std::string_view(head).substr(length)));
  std::vector<char> chunk(1 << 16);
  bool ended = false;
  for (;;) {
    pollfd ready[] = {{fd.get(), POLLIN, 0}, {interruption.fd(), POLLIN, 0}};
    const bool timed = seconds != 0 && !ended;
    if (::poll(ready, ended ? 1 : 2, timed ? left_ms(end) : -1) < 0 && errno != EINTR)
      return fail_errno("cannot wait for the gateway");
    if (!ended && (ready[1].revents != 0 || (timed && left_ms(end) == 0))) {
      ended = true;
      ::shutdown(fd.get(), SHUT_WR);
    }
    if (ready[0].revents == 0) continue;
    const ssize_t count = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
    if (count < 0 && errno != EINTR) return fail_errno("the gateway has gone");
    if (count == 0) return {};
    SLUICE_TRY_VOID(take({chunk.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))}));
  }
}

}  // namespace sluice::gateway
