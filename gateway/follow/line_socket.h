// SPDX-License-Identifier: Apache-2.0
// A unix stream of lines in both directions, bounded both ways: a line that is too long, or a peer
// that does not read, ends it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

struct LineLimits {
  size_t line_bytes_max;    // of the peer's lines
  size_t unsent_bytes_max;  // that wait for the peer to read
};

class LineSocket {
 public:
  // A line of the peer, without its end. An error ends the connection.
  using TakeLine = std::function<Result<>(std::string_view line)>;
  // The connection has ended, and why. The last thing that it does: it may be destroyed here.
  using Closed = std::function<void(const std::string& reason)>;

  static Result<std::unique_ptr<LineSocket>> create(EventLoop& loop, UniqueFd fd,
                                                    const LineLimits& limits, TakeLine take,
                                                    Closed closed);

  // One line, to be sent with flush(). False when too much waits: the connection is of no use.
  bool write(std::string_view line);
  // Sends what the peer takes now; the rest follows by itself. False when the peer is gone.
  bool flush();
  size_t unsent() const { return out_.size() - sent_; }

 private:
  LineSocket(UniqueFd fd, const LineLimits& limits, TakeLine take, Closed closed)
      : fd_(std::move(fd)), limits_(limits), take_(std::move(take)), closed_(std::move(closed)) {}
  void ready();
  Result<> receive();
  Result<> take_lines();

  UniqueFd fd_;
  LineLimits limits_;
  TakeLine take_;
  Closed closed_;
  std::string in_, out_;
  size_t sent_ = 0;  // of out_
  Watch watch_;      // last: leaves the loop before the descriptor closes
};

// Not blocking. The path may be in a directory that another network namespace made.
Result<UniqueFd> connect_unix(const std::string& path);

}  // namespace sluice::gateway
