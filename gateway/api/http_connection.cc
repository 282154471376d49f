// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/http_connection.h"

#include <algorithm>
#include <ctime>

namespace sluice::gateway {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr size_t kReceivesPerTurnMax = 32;  // then the loop's other work goes first

}  // namespace

Task<> serve_http(HttpServer& server, std::unique_ptr<Socket> socket, SocketAddress peer) {
  HttpConnection connection(server, std::move(socket), peer);
  co_await connection.run();
}

HttpConnection::HttpConnection(HttpServer& server, std::unique_ptr<Socket> socket,
                               SocketAddress peer)
    : server_(server),
      peer_(peer),
      wakeup_(server.loop_),
      socket_(std::move(socket)),
      in_(server.buffers_) {
  socket_->set_wakeup(&wakeup_);
  server_.connections_++;
}

HttpConnection::~HttpConnection() {
  end_waiting();
  end_stream();
  release_all();
  server_.connections_--;
}

Task<> HttpConnection::run() {
  while (true) {
    const Read read = co_await read_request();
    if (read == Read::kGone) co_return;
    const bool more = co_await respond();
    if (!more) break;
    co_await wakeup_.pause();  // a client that sends many requests at once must not keep the loop
  }
  if (!gone_) co_await linger();
}

void HttpConnection::evict() {
  gone_ = true;
  end_waiting();
  wakeup_.wake();
}

Task<HttpConnection::Read> HttpConnection::read_request() {
  scanner_ = HeadScanner::for_request();
  head_.reset();
  body_.clear();
  release_all();
  posts_ = false;
  begun_ = !in_.empty();
  begin_waiting();
  uint64_t deadline_ms =
      server_.loop_.now_ms() + (begun_ ? server_.limits_.request_ms : server_.limits_.idle_ms);
  size_t receives = 0;
  while (true) {
    if (!in_.empty()) {
      // The whole request has one deadline, so that a trickle of bytes does not move it.
      if (!std::exchange(begun_, true))
        deadline_ms = server_.loop_.now_ms() + server_.limits_.request_ms;
      posts_ = head_ ? posts_ : in_.data().starts_with("POST ");
      const bool told_to_go_on = head_ != nullptr;
      if (!head_ && !take_head()) co_return Read::kRefused;
      if (head_ && !take_body()) co_return Read::kRefused;
      if (head_ && body_reader_.done()) {
        end_waiting();
        co_return Read::kRequest;
      }
      if (head_ && !told_to_go_on && head_->expect_continue) {
        out_ = kContinue;
        const bool sent = co_await send();
        if (!sent) co_return Read::kGone;
      }
    }
    if (++receives % kReceivesPerTurnMax == 0) co_await wakeup_.pause();
    const bool received = co_await receive(deadline_ms);
    if (received) continue;
    if (gone_ || !begun_) co_return Read::kGone;
    server_.counters_.timeouts++;
    refuse(408, "the request did not arrive in time");
    co_return Read::kRefused;
  }
}

// One receive into in_; false when there is none by the deadline, or will be none.
Task<bool> HttpConnection::receive(uint64_t deadline_ms) {
  while (!gone_) {
    if (socket_->can_receive()) {
      const IoResult got = socket_->receive(in_.writable());
      in_.produced(got.bytes);
      in_.release_if_empty();
      if (got.kind == IoResult::Kind::kEnd || got.kind == IoResult::Kind::kError) {
        gone_ = true;
        co_return false;
      }
      if (got.bytes > 0) co_return true;
      continue;
    }
    const bool woken = co_await wakeup_.until(deadline_ms);
    if (!woken) co_return false;
  }
  co_return false;
}

bool HttpConnection::refuse(int status, const char* reason) {
  refusal_ = {status, reason};
  end_waiting();
  return false;
}

// False for a head that is refused; head_ is set by one that is complete.
bool HttpConnection::take_head() {
  const auto state = scanner_.scan(in_.data());
  if (state == HeadScanner::State::kMore) return true;
  if (state == HeadScanner::State::kRefused)
    return refuse(scanner_.refusal().status, scanner_.refusal().reason);
  head_bytes_ = scanner_.head_in(in_.data());
  in_.consume(scanner_.end());
  in_.release_if_empty();
  auto head = std::make_unique<RequestHead>();
  if (const auto refusal = parse_request_head(head_bytes_, head.get()))
    return refuse(refusal->status, refusal->reason);
  posts_ = head->method == "POST";
  if (head->content_length > server_.limits_.body_bytes_max)
    return refuse(413, "the request body is too long");
  body_reader_ = BodyReader(head->framing, head->content_length);
  head_ = std::move(head);
  return true;
}

bool HttpConnection::take_body() {
  while (!in_.empty() && !body_reader_.done()) {
    const BodyReader::Step step = body_reader_.read(in_.data());
    if (body_.size() + step.data.size() > server_.limits_.body_bytes_max)
      return refuse(413, "the request body is too long");
    if (!hold(step.data.size())) return refuse(503, "too many requests are being read");
    body_ += step.data;
    in_.consume(step.consumed);
    in_.release_if_empty();
    if (body_reader_.bad()) return refuse(400, body_reader_.bad_reason());
    if (step.consumed == 0) break;
  }
  return true;
}

HttpRequest HttpConnection::request() {
  const std::string_view target = head_->target;
  const size_t query = head_->path.size() + 1;
  return {head_->method,
          target,
          head_->path,
          query <= target.size() ? target.substr(query) : std::string_view(),
          head_->host_name,
          head_->all(),
          body_,
          peer_};
}

// Answers what was read; true when the connection may carry another request.
Task<bool> HttpConnection::respond() {
  HttpResponse response;
  const bool refused = refusal_.status != 0;
  if (refused) {
    response = server_.refuse(posts_, refusal_.status, refusal_.reason);
    refusal_ = {};
  } else {
    server_.counters_.requests++;
    response = server_.answer(request());
  }
  if (response.stream && server_.streams_ >= server_.limits_.streams_max)
    response = server_.refuse(posts_, 503, "too many streams");
  const bool to_head = head_ && head_->method == "HEAD";
  const bool close =
      refused || response.stream || !head_->stays_open() || head_->minor_version == 0;
  out_ = serialize(response, to_head, close, ::time(nullptr));
  if (!hold(out_.size())) {
    response = server_.refuse(posts_, 503, "too many answers wait for their clients");
    out_ = serialize(response, to_head, close, ::time(nullptr));
  }
  const bool sent = co_await send();
  if (!sent) co_return false;
  if (response.stream && !to_head) {
    begin_stream();
    response.stream(stream_);
    co_await stream();
  }
  co_return !close;
}

// All of out_; true when it is with the kernel.
Task<bool> HttpConnection::send() {
  std::string_view left = out_;
  uint64_t deadline_ms = server_.loop_.now_ms() + server_.limits_.send_ms;
  while (!left.empty() && !gone_) {
    if (socket_->can_send()) {
      const IoResult sent = socket_->send(left);
      left.remove_prefix(sent.bytes);
      if (sent.bytes > 0) deadline_ms = server_.loop_.now_ms() + server_.limits_.send_ms;
      if (sent.kind == IoResult::Kind::kError) gone_ = true;
      continue;
    }
    const bool woken = co_await wakeup_.until(deadline_ms);
    if (!woken) {
      server_.counters_.timeouts++;
      socket_->reset_on_close();
      gone_ = true;
    }
  }
  const bool sent_all = left.empty();
  out_.clear();
  co_return sent_all;
}

// Sends what the handler gives until one side ends it.
Task<> HttpConnection::stream() {
  while (!gone_ && !client_left()) {
    if (!stream_->pending_.empty()) {
      out_ = std::exchange(stream_->pending_, {});
      const bool sent = co_await send();
      if (!sent) break;
    } else if (stream_->open_) {
      co_await wakeup_.until(kNever);
    } else {
      break;
    }
  }
  end_stream();
}

void HttpConnection::begin_stream() {
  stream_ = std::make_shared<HttpStream>();
  stream_->wakeup_ = &wakeup_;
  server_.streams_++;
}

void HttpConnection::end_stream() {
  if (!stream_) return;
  stream_->open_ = false;
  stream_->wakeup_ = nullptr;
  stream_.reset();
  server_.streams_--;
}

// Of a client that should only listen: what it sends is dropped.
bool HttpConnection::client_left() {
  for (size_t i = 0; i < kReceivesPerTurnMax && socket_->can_receive(); i++) {
    in_.clear();
    const IoResult got = socket_->receive(in_.writable());
    in_.clear();
    if (got.kind == IoResult::Kind::kEnd || got.kind == IoResult::Kind::kError) return true;
  }
  return socket_->hung_up();
}

// Bytes that nobody reads would make the kernel send RST, and that would destroy the answer on its
// way.
Task<> HttpConnection::linger() {
  socket_->shutdown_send();
  begin_waiting();
  const uint64_t deadline_ms = server_.loop_.now_ms() + server_.limits_.linger_ms;
  size_t dropped = 0, receives = 0;
  while (dropped < server_.limits_.linger_bytes_max) {
    in_.clear();
    const bool received = co_await receive(deadline_ms);
    if (!received) break;
    dropped += in_.data().size();
    if (++receives % kReceivesPerTurnMax == 0) co_await wakeup_.pause();
  }
}

void HttpConnection::begin_waiting() {
  if (std::exchange(waiting_, true)) return;
  place_ = server_.waiting_.insert(server_.waiting_.end(), this);
}

void HttpConnection::end_waiting() {
  if (std::exchange(waiting_, false)) server_.waiting_.erase(place_);
}

bool HttpConnection::hold(size_t bytes) {
  if (server_.held_bytes_ + bytes > server_.limits_.held_bytes_max) return false;
  held_ += bytes;
  server_.held_bytes_ += bytes;
  return true;
}

void HttpConnection::release_all() { server_.held_bytes_ -= std::exchange(held_, 0); }

}  // namespace sluice::gateway
