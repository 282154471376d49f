// SPDX-License-Identifier: Apache-2.0
// Lines over a unix socket: one request a line, one reply line each. Whoever may open the socket
// (mode 0600) may ask everything. Clients, requests and waiting are bounded; what exceeds a bound
// is closed and counted.
#pragma once

#include <sys/un.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "appliances/sdk/socket.h"
#include "tunnels/result.h"

namespace sluice::sdk {

inline constexpr size_t kControlClientsMax = 16;
inline constexpr size_t kControlRequestBytesMax = 64 << 10;
// For a client to send a whole request, and to take a whole reply; the time that answers to others
// take does not count.
inline constexpr int64_t kControlWaitUs = 10'000'000;

Result<sockaddr_un> unix_address(const std::string& path);

class ControlServer {
 public:
  // The reply to one request, without the line's end.
  using Answer = std::function<std::string(std::string_view request)>;

  // Makes the socket's folder if it is missing; takes over a socket that nobody listens on.
  static Result<ControlServer> create(const std::string& path, Answer answer,
                                      int64_t wait_us = kControlWaitUs);
  ~ControlServer();  // removes the socket
  ControlServer(ControlServer&&) noexcept;
  ControlServer& operator=(ControlServer&&) = delete;

  // One round: waits at most `timeout_ms` for something to do, and does it.
  void poll_once(int timeout_ms);

  size_t clients() const { return clients_.size(); }
  uint64_t refused() const { return refused_; }  // too many clients, too long, too slow

 private:
  struct Client {
    Socket socket;
    int64_t waited_us = 0;  // since the last whole request or reply
    std::string in, out;
    size_t out_at = 0;
  };

  ControlServer(std::string path, Answer answer, int64_t wait_us)
      : path_(std::move(path)), answer_(std::move(answer)), wait_us_(wait_us) {}
  void accept_all();
  bool serve(Client& client);  // false when it is over, as those below
  bool receive(Client& client);
  bool answer_lines(Client& client);
  bool flush(Client& client);

  std::string path_;
  Answer answer_;
  int64_t wait_us_;
  Socket listener_;
  std::vector<Client> clients_;
  uint64_t refused_ = 0;
};

}  // namespace sluice::sdk
