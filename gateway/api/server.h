// SPDX-License-Identifier: Apache-2.0
// Lines over a unix socket: one request per line, one reply line each. Whoever may open the socket
// (mode 0600) may do everything. Requests, clients and waiting are bounded; what exceeds a bound is
// closed.
//
// Behind some replies comes a stream, and no further request, until the client shuts down its side
// or the stream has ended.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// Where a stream goes; it is there for as long as its source.
class ApiStream {
 public:
  static constexpr size_t kUnreadMax = 4 << 20;

  virtual ~ApiStream() = default;
  // False, and nothing of it is sent, while the client has too much to read.
  virtual bool send(std::string_view bytes) = 0;
  // What was sent still goes out; then the connection is closed.
  virtual void finish() = 0;
};

// What a stream is made of. It lives as long as the connection.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual void begin(ApiStream& to) = 0;
  // The client wants no more: whoever has something left to say, says it and finishes.
  virtual void client_ended() = 0;
};

struct ApiReply {
  // NOLINTBEGIN: most replies are a line and nothing else
  ApiReply(std::string text) : line(std::move(text)) {}
  ApiReply(const char* text) : line(text) {}
  // NOLINTEND
  std::string line;
  std::unique_ptr<StreamSource> source;
};

class ApiServer {
 public:
  static constexpr size_t kRequestBytesMax = 8 << 20;  // `apply` carries a file
  static constexpr size_t kClientsMax = 32;
  static constexpr uint64_t kWaitMaxMs = 10'000;  // for a whole request, or for a client to read

  using Answer = std::function<ApiReply(std::string_view request)>;

  // Makes the socket's directory if it is missing; takes over a socket that nobody listens on.
  static Result<std::unique_ptr<ApiServer>> create(EventLoop& loop, const std::string& path,
                                                   Answer answer,
                                                   uint64_t wait_max_ms = kWaitMaxMs);
  ~ApiServer();  // removes the socket

  size_t clients() const { return clients_.size(); }
  uint64_t refused() const { return refused_; }  // too many clients, too long, too slow

 private:
  struct Client;
  ApiServer(EventLoop& loop, std::string path, Answer answer, uint64_t wait_max_ms);
  void accept_some();
  void ready(Client& client, uint32_t events);
  bool receive(Client& client);
  bool answer_line(Client& client);
  bool flush(Client& client);
  bool follow(Client& client);
  void close(Client& client);

  EventLoop& loop_;
  std::string path_;
  Answer answer_;
  uint64_t wait_max_ms_;
  uint64_t refused_ = 0;
  uint64_t next_id_ = 0;
  UniqueFd listener_;
  Watch watch_;
  std::map<uint64_t, std::unique_ptr<Client>> clients_;
};

}  // namespace sluice::gateway
