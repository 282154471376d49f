// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace sluice::gateway {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail("the path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool somebody_listens(const sockaddr_un& address) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  return fd && (::connect(fd.get(), raw, sizeof(address)) == 0 || errno == EAGAIN);
}

}  // namespace

struct ApiServer::Client {
  Client(ApiServer& owner, uint64_t number, UniqueFd socket)
      : id(number),
        deadline(owner.loop_,
                 [&owner, this] {
                   owner.refused_++;
                   owner.close(*this);
                 }),
        fd(std::move(socket)) {}

  uint64_t id;
  std::string in, out;
  size_t out_at = 0;
  Timer deadline;
  UniqueFd fd;
  Watch watch;  // after fd: leaves the loop first
};

ApiServer::ApiServer(EventLoop& loop, std::string path, Answer answer, uint64_t wait_max_ms)
    : loop_(loop), path_(std::move(path)), answer_(std::move(answer)), wait_max_ms_(wait_max_ms) {}

Result<std::unique_ptr<ApiServer>> ApiServer::create(EventLoop& loop, const std::string& path,
                                                     Answer answer, uint64_t wait_max_ms) {
  SLUICE_TRY(const sockaddr_un address, unix_address(path));
  if (somebody_listens(address)) return fail("another daemon listens on this socket", path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  struct stat existing {};
  if (::lstat(path.c_str(), &existing) == 0 && !S_ISSOCK(existing.st_mode))
    return fail("there is a file that is no socket", path);
  ::unlink(path.c_str());

  std::unique_ptr<ApiServer> server(new ApiServer(loop, {}, std::move(answer), wait_max_ms));
  server->listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = server->listener_.get();
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail_errno("cannot make the socket", path, error);
  server->path_ = path;
  if (::listen(fd, static_cast<int>(kClientsMax)) != 0) return fail_errno("cannot listen", path);
  SLUICE_TRY_VOID(server->watch_.start(loop, fd, EPOLLIN,
                                       [raw = server.get()](uint32_t) { raw->accept_some(); }));
  return server;
}

ApiServer::~ApiServer() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void ApiServer::accept_some() {
  for (size_t i = 0; i < kClientsMax; i++) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    if (clients_.size() >= kClientsMax) {
      refused_++;
      continue;
    }
    const uint64_t id = next_id_++;
    auto client = std::make_unique<Client>(*this, id, std::move(fd));
    Client* raw = client.get();
    auto started = raw->watch.start(loop_, raw->fd.get(), EPOLLIN | EPOLLOUT | EPOLLET,
                                    [this, raw](uint32_t events) { ready(*raw, events); });
    if (!started) continue;
    raw->deadline.set_after(wait_max_ms_);
    clients_.emplace(id, std::move(client));
  }
}

void ApiServer::ready(Client& client, uint32_t) {
  // What waits to be sent goes first, so that a client that does not read is not served further.
  if (!flush(client) || (client.out.empty() && (!receive(client) || !flush(client)))) close(client);
}

// Reads and answers until there is no more, or a reply has to wait. False to close.
bool ApiServer::receive(Client& client) {
  char chunk[16384];
  while (client.out.empty()) {
    const ssize_t count = ::recv(client.fd.get(), chunk, sizeof(chunk), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    client.in.append(chunk, static_cast<size_t>(count));
    if (!answer_lines(client) || !flush(client)) return false;
  }
  return true;
}

// False for a request that is too long.
bool ApiServer::answer_lines(Client& client) {
  size_t begin = 0;
  for (size_t end; (end = client.in.find('\n', begin)) != std::string::npos; begin = end + 1) {
    client.out += answer_(std::string_view(client.in).substr(begin, end - begin)) + "\n";
    client.deadline.set_after(wait_max_ms_);
  }
  client.in.erase(0, begin);
  if (client.in.size() <= kRequestBytesMax) return true;
  refused_++;
  return false;
}

// Sends what it can. False when the client is gone.
bool ApiServer::flush(Client& client) {
  while (client.out_at < client.out.size()) {
    const ssize_t count = ::send(client.fd.get(), client.out.data() + client.out_at,
                                 client.out.size() - client.out_at, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    client.out_at += static_cast<size_t>(count);
  }
  client.out.clear();
  client.out_at = 0;
  return true;
}

void ApiServer::close(Client& client) { clients_.erase(client.id); }

}  // namespace sluice::gateway
