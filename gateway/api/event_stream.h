// SPDX-License-Identifier: Apache-2.0
// GET /events: every event as it happens, as server-sent events.
//
// A client that says Last-Event-ID, as browsers do when they reconnect, first gets what it has
// missed, as far as it is kept. One that does not read what it asked for is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/api/http_server.h"
#include "gateway/control/events.h"

namespace sluice::gateway {

class EventStream {
 public:
  static constexpr uint64_t kSilenceMs = 15'000;  // then a comment, to notice who is gone

  EventStream(EventLoop& loop, EventBus& bus, uint64_t silence_ms = kSilenceMs);
  ~EventStream();

  HttpResponse answer(const HttpRequest& request);

  size_t readers() const;
  uint64_t dropped() const { return dropped_; }  // for not reading

 private:
  void tell(const Event& event);
  void send(const std::string& text);

  EventBus& bus_;
  uint64_t silence_ms_;
  uint64_t listener_;
  uint64_t dropped_ = 0;
  std::vector<std::shared_ptr<HttpStream>> readers_;
  Timer silence_;
};

// id, event and data lines, and the empty line behind them.
std::string server_sent(const Event& event);

}  // namespace sluice::gateway
