// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "gateway/api/unix_listener.h"

namespace sluice::gateway {

struct ApiServer::Client final : ApiStream {
  Client(ApiServer& owner, uint64_t number, UniqueFd socket)
      : id(number),
        deadline(owner.loop_,
                 [&owner, this] {
                   owner.refused_++;
                   owner.close(*this);
                 }),
        next(owner.loop_, [&owner, this] { owner.ready(*this, 0); }),
        fd(std::move(socket)),
        wait_max_ms(owner.wait_max_ms_) {}

  bool send(std::string_view bytes) override {
    if (finishes || out.size() - out_at + bytes.size() > kUnreadMax) return false;
    if (out_at > kUnreadMax) out.erase(0, std::exchange(out_at, 0));
    out.append(bytes);
    next.set_after(0);
    return true;
  }
  void finish() override {
    finishes = true;
    deadline.set_after(wait_max_ms);
    next.set_after(0);
  }

  uint64_t id;
  std::string in, out;
  size_t out_at = 0;
  Timer deadline;
  Timer next;  // the line behind the one that was answered, or what a stream has to send
  UniqueFd fd;
  Watch watch;  // after fd: leaves the loop first
  uint64_t wait_max_ms;
  bool ended = false, finishes = false;  // of a stream: the client, and this side
  std::unique_ptr<StreamSource> source;  // of a stream; goes first
};

ApiServer::ApiServer(EventLoop& loop, std::string path, Answer answer, uint64_t wait_max_ms)
    : loop_(loop), path_(std::move(path)), answer_(std::move(answer)), wait_max_ms_(wait_max_ms) {}

Result<std::unique_ptr<ApiServer>> ApiServer::create(EventLoop& loop, const std::string& path,
                                                     Answer answer, uint64_t wait_max_ms) {
  std::unique_ptr<ApiServer> server(new ApiServer(loop, {}, std::move(answer), wait_max_ms));
  SLUICE_TRY(server->listener_, listen_unix(path, static_cast<int>(kClientsMax)));
  server->path_ = path;
  const int fd = server->listener_.get();
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
  if (client.source) {
    if (!flush(client) || !follow(client)) close(client);
    return;
  }
  // What waits to be sent goes first, so that a client that does not read is not served further.
  if (!flush(client) || (client.out.empty() && (!receive(client) || !flush(client)))) close(client);
}

// Reads until a line is whole, and answers it. The next one has its turn when the reply is sent and
// others were served. False to close.
bool ApiServer::receive(Client& client) {
  char chunk[16384];
  while (!answer_line(client)) {
    if (client.in.size() > kRequestBytesMax) {
      refused_++;
      return false;
    }
    const ssize_t count = ::recv(client.fd.get(), chunk, sizeof(chunk), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    client.in.append(chunk, static_cast<size_t>(count));
  }
  client.next.set_after(0);
  return true;
}

// False when there is none.
bool ApiServer::answer_line(Client& client) {
  const size_t end = client.in.find('\n');
  if (end == std::string::npos) return false;
  ApiReply reply = answer_(std::string_view(client.in).substr(0, end));
  client.out = std::move(reply.line) + "\n";
  client.in.erase(0, end + 1);
  client.source = std::move(reply.source);
  if (client.source) {
    client.deadline.cancel();
    client.source->begin(client);
  } else {
    client.deadline.set_after(wait_max_ms_);
  }
  return true;
}

// Of a stream's client: notices that it has ended. One that says more is not understood. False to
// close.
bool ApiServer::follow(Client& client) {
  char word;
  while (!client.ended) {
    const ssize_t count = ::recv(client.fd.get(), &word, sizeof(word), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count != 0) return false;
    client.ended = true;
    client.source->client_ended();
  }
  return !client.finishes || !client.out.empty();
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
