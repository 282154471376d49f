// SPDX-License-Identifier: Apache-2.0
// The half of a session that talks to a target. Two pumps turn until neither moves, then the
// coroutine waits for any edge:
//
//   client ─▶ client_in_ ─▶ request_body_  ─▶ request_writer_  ─▶ to_target_ ─▶ target
//   client ◀─ to_client_ ◀─ response_writer_ ◀─ response_body_ ◀─ target_in_ ◀─ target
#include "gateway/alb/rewrite.h"
#include "gateway/alb/session.h"

namespace sluice::gateway {
namespace {

// Less room is not worth a step: wait until more has been sent.
constexpr size_t kRoomMin = 8 * 1024;

Framing framing_to_client(Framing framing, int client_minor_version) {
  bool open_ended = framing == Framing::kChunked || framing == Framing::kUntilClose;
  if (!open_ended) return framing;
  return client_minor_version == 1 ? Framing::kChunked : Framing::kUntilClose;
}

}  // namespace

// A target that refuses the connection is passed over for another one. Beyond that a request is
// sent again only when a kept connection turns out to be closed and the request may arrive twice.
Task<> Session::exchange() {
  std::shared_ptr<PooledTarget> avoid;
  bool fresh = false;
  size_t refusals = 0;
  if (!pool_->any_healthy()) ++counters().fail_open;
  for (size_t tries = 0; tries < kTriesMax; ++tries) {
    use_target(pool_->pick(avoid.get()));
    if (target_ == nullptr) break;  // all have left meanwhile
    record_.target = target_->text();
    bool connected = co_await connect(fresh);
    if (end_ != End::kRunning) co_return;
    if (!connected) {
      if (++refusals == pool_->targets().size()) break;
      avoid = target_;
      continue;
    }
    ++target_->requests;
    ++pool_->counters().requests;
    co_await relay();
    if (end_ != End::kStale) co_return;
    ++counters().target_connections_stale;
    end_ = End::kRunning;
    to_target_.rewind();
    target_send_failed_ = false;
    fresh = true;
  }
  answer(502, "no target accepts the connection");
}

Task<bool> Session::connect(bool fresh) {
  target_socket_ = fresh ? nullptr : target_->take();
  reused_ = target_socket_ != nullptr;
  if (reused_) {
    ++counters().target_connections_reused;
  } else {
    uint64_t deadline_ms = alb_.loop().now_ms() + alb_.options().connect_timeout_ms;
    auto connected = co_await connect_tcp(alb_.loop(), target_->address(), deadline_ms);
    if (!connected) {
      ++counters().target_connect_failures;
      ++target_->connect_failures;
      ++pool_->counters().connect_failures;
      if (connected.error().code.value() == ETIMEDOUT) {
        ++counters().target_timeouts;
        answer(504, "the target does not accept the connection in time");
      }
      co_return false;
    }
    ++counters().target_connections;
    target_socket_ = std::move(*connected);
  }
  target_socket_->set_wakeup(&wakeup_);
  co_return true;
}

Task<> Session::relay() {
  last_move_ms_ = alb_.loop().now_ms();
  size_t steps = 0;
  while (end_ == End::kRunning) {
    bool moved = push_request();
    if (end_ == End::kRunning && pull_response()) moved = true;
    if (end_ != End::kRunning) co_return;
    if (moved) {
      last_move_ms_ = alb_.loop().now_ms();
      if (++steps % kStepsPerTurnMax == 0) co_await wakeup_.pause();
      continue;
    }
    bool woken = co_await wakeup_.until(last_move_ms_ + balancer().idle_timeout_ms);
    if (!woken) timed_out();
  }
}

bool Session::push_request() {
  bool moved = false;
  if (!to_target_.empty() && target_socket_->can_send() && !target_send_failed_) {
    IoResult sent = target_socket_->send(to_target_.data());
    to_target_.consume(sent.bytes);
    moved = sent.bytes > 0;
    // What the target said before it closed may still be on its way to us.
    if (sent.kind == IoResult::Kind::kError) target_send_failed_ = true;
    if (sent_us_ == 0 && moved) sent_us_ = monotonic_us();
  }
  if (!request_body_.done()) return (!target_send_failed_ && take_request_body()) || moved;
  if (client_->hung_up() && !response_begun_) {
    end(End::kClientGone, "the client closed before the response began");
  }
  return moved;
}

bool Session::take_request_body() {
  if (BodyWriter::capacity(to_target_) < kRoomMin) return false;
  if (!client_in_.empty()) {
    size_t room = BodyWriter::capacity(to_target_);
    auto step = request_body_.read(client_in_.data().substr(0, room));
    request_writer_.write(to_target_, step.data);
    client_in_.consume(step.consumed);
    client_in_.release_if_empty();
    record_.received_bytes += step.consumed;
    if (request_body_.bad()) answer(400, request_body_.bad_reason());
    if (request_body_.done()) request_writer_.finish(to_target_);
    return true;
  }
  if (!client_->can_receive()) return false;
  IoResult got = client_->receive(client_in_.writable());
  client_in_.produced(got.bytes);
  client_in_.release_if_empty();
  if (got.kind == IoResult::Kind::kEnd) answer(400, "the request body ends too early");
  if (got.kind == IoResult::Kind::kError) end(End::kClientGone, "the client reset the connection");
  return got.bytes > 0;
}

bool Session::pull_response() {
  bool moved = send_to_client();
  if (end_ != End::kRunning) return true;
  if (response_begun_ && response_body_.done()) {
    if (to_client_.empty()) end(End::kDone, nullptr);
    return moved;
  }
  if (!target_in_.empty()) {
    bool advanced = response_begun_ ? copy_response_body() : read_response_head();
    if (advanced) return true;
  }
  // More is received only when what is here cannot be used without it.
  bool waits_for_client = response_begun_ ? !target_in_.empty() : !to_client_.empty();
  if (waits_for_client || BodyWriter::capacity(to_client_) < kRoomMin) return moved;
  return receive_response() || moved;
}

bool Session::send_to_client() {
  if (to_client_.empty() || !client_->can_send()) return false;
  IoResult sent = client_->send(to_client_.data());
  to_client_.consume(sent.bytes);
  record_.sent_bytes += sent.bytes;
  if (sent.kind == IoResult::Kind::kError) {
    end(response_begun_ ? End::kCut : End::kClientGone, "the client closed during the response");
  }
  return sent.bytes > 0;
}

bool Session::receive_response() {
  if (!target_socket_->can_receive() || target_in_.room() == 0) return false;
  IoResult got = target_socket_->receive(target_in_.writable());
  target_in_.produced(got.bytes);
  if (got.kind == IoResult::Kind::kEnd) target_ended(true);
  if (got.kind == IoResult::Kind::kError) target_ended(false);
  return got.bytes > 0 || got.kind == IoResult::Kind::kEnd;
}

void Session::target_ended(bool cleanly) {
  if (response_begun_) {
    if (!cleanly || !response_body_.end_of_stream()) {
      ++counters().target_bad_responses;
      return end(End::kCut, "the target closed during the response");
    }
    response_writer_.finish(to_client_);
    return;
  }
  bool nothing_came = target_in_.empty() && interim_responses_ == 0;
  if (reused_ && nothing_came && replayable_) return end(End::kStale, nullptr);
  ++counters().target_bad_responses;
  answer(502, "the target closed before its response");
}

bool Session::read_response_head() {
  if (!to_client_.empty()) return false;  // so that a head always fits
  auto state = response_scanner_.scan(target_in_.data());
  if (state == HeadScanner::State::kMore) return false;
  ResponseHead& response = alb_.response_scratch();
  std::optional<HttpRefusal> refusal;
  if (state == HeadScanner::State::kRefused) {
    refusal = response_scanner_.refusal();
  } else {
    refusal =
        parse_response_head(response_scanner_.head_in(target_in_.data()), to_head_, &response);
  }
  if (!refusal && response.status == 101)
    refusal = HttpRefusal{502, "upgrade that nobody asked for"};
  if (refusal) {
    ++counters().target_bad_responses;
    answer(502, refusal->reason);
    return true;
  }
  if (response.status < 200) {
    interim_response(response);
  } else {
    begin_response(response);
  }
  target_in_.consume(response_scanner_.end());
  response_scanner_ = HeadScanner::for_response();
  return true;
}

// 100 only to a client that waits for it, and none at all to one that does not know them.
void Session::interim_response(const ResponseHead& response) {
  if (++interim_responses_ > kInterimResponsesMax) {
    ++counters().target_bad_responses;
    return answer(502, "too many interim responses");
  }
  if (client_minor_version_ == 0 || (response.status == 100 && !expects_continue_)) return;
  write_response_head(to_client_, response, {Framing::kNone, false, false});
}

void Session::begin_response(const ResponseHead& response) {
  response_begun_ = true;
  response_us_ = monotonic_us();
  record_.target_status = record_.elb_status = response.status;
  Framing framing = framing_to_client(response.framing, client_minor_version_);
  target_stays_ = response.stays_open() && response.framing != Framing::kUntilClose;
  // An answer before the end of the request leaves the rest unread: nothing may follow it.
  bool request_sent = request_body_.done() && to_target_.empty();
  client_stays_ = client_wants_more_ && request_sent && framing != Framing::kUntilClose &&
                  !ending() && alb_.loop().now_ms() < keep_alive_until_ms_;
  write_response_head(to_client_, response, {framing, !client_stays_, says_keep_alive_});
  response_body_ = BodyReader(response.framing, response.content_length);
  response_writer_ = BodyWriter(framing);
}

bool Session::copy_response_body() {
  size_t room = BodyWriter::capacity(to_client_);
  if (room < kRoomMin) return false;
  auto step = response_body_.read(target_in_.data().substr(0, room));
  response_writer_.write(to_client_, step.data);
  target_in_.consume(step.consumed);
  if (response_body_.bad()) {
    ++counters().target_bad_responses;
    end(End::kCut, response_body_.bad_reason());
  }
  if (response_body_.done()) response_writer_.finish(to_client_);
  return true;
}

void Session::timed_out() {
  if (!response_begun_ && !request_body_.done() && to_target_.empty()) {
    ++counters().client_timeouts;
    return answer(408, "the request body stopped");
  }
  if (!response_begun_ || to_client_.empty()) ++counters().target_timeouts;
  answer(504, "the target does not answer in time");
}

// Reuse only what has carried exactly one whole request and one whole response: anything else could
// give the next client this one's answer.
void Session::keep_target() {
  std::unique_ptr<Socket> socket = std::move(target_socket_);
  bool whole = end_ == End::kDone && request_body_.done() && to_target_.empty() &&
               !target_send_failed_ && response_body_.done();
  if (socket == nullptr || !whole) return;
  if (!target_in_.empty()) {
    ++counters().target_unexpected_bytes;
    return;
  }
  if (target_stays_ && !alb_.draining()) {
    target_->keep(std::move(socket), alb_.loop().now_ms() + alb_.options().target_idle_ms);
  }
}

}  // namespace sluice::gateway
