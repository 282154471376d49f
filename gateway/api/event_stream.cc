// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/event_stream.h"

#include <algorithm>
#include <charconv>

namespace sluice::gateway {

std::string server_sent(const Event& event) {
  return "id: " + std::to_string(event.number) +
         "\nevent: " + std::string(event_kind_name(event.kind)) + "\ndata: " + event_json(event) +
         "\n\n";
}

EventStream::EventStream(EventLoop& loop, EventBus& bus, uint64_t silence_ms)
    : bus_(bus),
      silence_ms_(silence_ms),
      listener_(bus.listen([this](const Event& event) { tell(event); })),
      silence_(loop, [this] {
        send(":\n\n");
        silence_.set_after(silence_ms_);
      }) {
  silence_.set_after(silence_ms_);
}

EventStream::~EventStream() { bus_.remove(listener_); }

HttpResponse EventStream::answer(const HttpRequest& request) {
  HttpResponse response{200, "text/event-stream", ":\n\n", {}, {}};
  const std::string_view last = request.header("last-event-id");
  uint64_t seen = 0;
  const auto [stop, error] = std::from_chars(last.data(), last.data() + last.size(), seen);
  if (error == std::errc() && stop == last.data() + last.size()) {
    // A number that was not given yet is of a daemon before this one: all is new.
    if (bus_.kept().empty() || seen > bus_.kept().back().number) seen = 0;
    for (const Event& event : bus_.kept())
      if (event.number > seen) response.body += server_sent(event);
  }
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = [this](std::shared_ptr<HttpStream> stream) {
    readers_.push_back(std::move(stream));
  };
  return response;
}

void EventStream::tell(const Event& event) {
  if (!readers_.empty()) send(server_sent(event));
}

// A stream that was open and takes no more has been left unread; one that had ended was left.
void EventStream::send(const std::string& text) {
  std::erase_if(readers_, [&](const std::shared_ptr<HttpStream>& stream) {
    if (!stream->open()) return true;
    if (stream->send(text)) return false;
    dropped_++;
    return true;
  });
}

size_t EventStream::readers() const {
  return static_cast<size_t>(
      std::ranges::count_if(readers_, [](const auto& stream) { return stream->open(); }));
}

}  // namespace sluice::gateway
