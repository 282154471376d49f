// SPDX-License-Identifier: Apache-2.0
// One POST over a connection of its own, whose answer is read piece by piece as it comes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/body.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "gateway/targets/probe_stream.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class HttpCall {
 public:
  // Until the head of the answer is here, whatever its status.
  static Task<Result<std::unique_ptr<HttpCall>>> post(EventLoop& loop, SocketAddress to,
                                                      std::string path, std::string body,
                                                      uint64_t deadline_ms);

  int status() const { return status_; }
  void set_deadline(uint64_t deadline_ms) { stream_->set_deadline(deadline_ms); }
  // The next bytes of the body; empty at its end. Error code ETIMEDOUT when the deadline passed.
  Task<Result<std::string>> read();
  // All that is left; an error when it is more than `max`.
  Task<Result<std::string>> read_all(size_t max);

 private:
  explicit HttpCall(std::unique_ptr<ProbeStream> stream) : stream_(std::move(stream)) {}
  Task<Result<>> read_head();
  Task<Result<bool>> receive();

  std::unique_ptr<ProbeStream> stream_;
  std::string input_;  // received and not yet dealt with
  BodyReader body_;
  int status_ = 0;
};

}  // namespace sluice::gateway
