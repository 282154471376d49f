// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/session.h"

#include <ctime>

#include "gateway/alb/rewrite.h"

namespace sluice::gateway {
namespace {

uint64_t clock_us(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

// RFC 9110 9.2.2.
bool is_idempotent(std::string_view method) {
  for (std::string_view each : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    if (method == each) return true;
  }
  return false;
}

// A server may pass over an offer of h2c; any other change of protocol is waited for.
bool wants_other_protocol(const RequestHead& request) {
  if (!request.upgrade) return false;
  const HttpHeader* upgrade = request.find(HeaderId::kUpgrade);
  return upgrade != nullptr && !equals_ignore_case(upgrade->value, "h2c");
}

}  // namespace

uint64_t monotonic_us() { return clock_us(CLOCK_MONOTONIC); }

Task<> serve_client(Alb& alb, std::shared_ptr<Frontend> frontend, std::unique_ptr<Socket> client,
                    SocketAddress peer) {
  Session session(alb, std::move(frontend), std::move(client), peer);
  co_await session.run();
}

Session::Session(Alb& alb, std::shared_ptr<Frontend> frontend, std::unique_ptr<Socket> client,
                 SocketAddress peer)
    : alb_(alb),
      frontend_(std::move(frontend)),
      site_(frontend_->site),
      peer_(peer),
      peer_host_(peer.host()),
      peer_text_(peer.text()),
      wakeup_(alb.loop()),
      client_(std::move(client)),
      keep_alive_until_ms_(alb.loop().now_ms() + site_->balancer->client_keep_alive_ms),
      client_in_(alb.buffers()),
      to_target_(alb.buffers()),
      target_in_(alb.buffers()),
      to_client_(alb.buffers()) {
  client_->set_wakeup(&wakeup_);
  ++balancer().clients;
  alb_.session_begins(this);
}

Session::~Session() {
  use_target(nullptr);
  --balancer().clients;
  alb_.session_ends(this);
}

Task<> Session::run() {
  bool more = true;
  while (more) {
    bool complete = co_await read_head();
    if (!complete) break;
    more = co_await serve_request();
    // Our own answers wait for nobody: a client that pipelines such requests must not keep the
    // loop.
    if (more && end_ == End::kAnswered) co_await wakeup_.pause();
  }
  if (linger_) co_await linger();
}

// True when a head is complete or refused (then answer_status_ is set); false when the client is
// done.
Task<bool> Session::read_head() {
  forget_request();
  uint64_t deadline_ms = idle_deadline_ms();
  bool begun = !client_in_.empty();
  while (true) {
    if (!client_in_.empty()) {
      auto state = request_scanner_.scan(client_in_.data());
      if (state == HeadScanner::State::kComplete) co_return true;
      if (state == HeadScanner::State::kRefused) {
        answer(request_scanner_.refusal().status, request_scanner_.refusal().reason);
        co_return true;
      }
    }
    if (client_->can_receive()) {
      IoResult got = client_->receive(client_in_.writable());
      client_in_.produced(got.bytes);
      client_in_.release_if_empty();
      if (got.kind == IoResult::Kind::kEnd || got.kind == IoResult::Kind::kError) co_return false;
      // The whole head has one deadline, so that a trickle of bytes does not move it.
      if (!begun && got.bytes > 0) {
        begun = true;
        deadline_ms = idle_deadline_ms();
      }
      continue;
    }
    if (alb_.draining() && !begun) co_return false;
    bool woken = co_await wakeup_.until(begun ? deadline_ms : silence_deadline_ms(deadline_ms));
    if (woken) continue;
    if (!begun) co_return false;
    ++counters().client_timeouts;
    answer(408, "the request head did not arrive in time");
    co_return true;
  }
}

// True when the connection is to carry another request.
Task<bool> Session::serve_request() {
  in_request_ = true;
  begin_record();
  if (end_ == End::kRunning) {
    prepare();
    client_in_.consume(request_scanner_.end());
    client_in_.release_if_empty();
  }
  if (end_ == End::kRunning) co_await exchange();
  bool stays = client_stays_ && end_ == End::kDone;
  if (end_ == End::kAnswered) {
    // The request itself was good.
    bool ours = answer_by_rule_ || (answer_status_ >= 502 && answer_status_ <= 504);
    client_stays_ = ours && client_wants_more_ && request_body_.done() && !ending();
    co_await send_answer();
    stays = client_stays_ && end_ == End::kAnswered;
  }
  keep_target();
  if (end_ == End::kCut) {
    ++counters().responses_cut;
    client_->reset_on_close();
  }
  linger_ = !stays && (end_ == End::kDone || end_ == End::kAnswered);
  end_record();
  in_request_ = false;
  take_site();
  co_return stays;
}

// From a complete head to a request in to_target_, or to an answer. The parsed head does not
// outlive this.
void Session::prepare() {
  RequestHead& request = alb_.request_scratch();
  std::string_view head = request_scanner_.head_in(client_in_.data());
  auto refusal = parse_request_head(head, &request);
  note_request(request);
  if (refusal) return answer(refusal->status, refusal->reason);
  to_head_ = request.method == "HEAD";
  client_minor_version_ = request.minor_version;
  client_wants_more_ = request.stays_open();
  says_keep_alive_ = request.minor_version == 0;
  expects_continue_ = request.expect_continue;
  request_body_ = BodyReader(request.framing, request.content_length);
  request_writer_ = BodyWriter(request.framing);
  replayable_ = request_body_.done() && is_idempotent(request.method);
  if (wants_other_protocol(request)) return answer(501, "connection upgrade is not available");
  if (forwarded_addresses(request) > kForwardedForMax) {
    return answer(463, "too many addresses in X-Forwarded-For");
  }
  if (!route(request)) return;
  std::string fresh_id = alb_.make_trace_id(record_.time_us / 1000000);
  write_request_head(to_target_, request,
                     {peer_host_, frontend_->port_text, frontend_->address_text, fresh_id},
                     &record_.trace_id);
}

// False when the answer is ours.
bool Session::route(const RequestHead& request) {
  Plan& plan = site_->rules.route(request, peer_);
  record_.rule_priority = plan.priority();
  if (plan.redirect() || plan.fixed_response()) {
    answer_by_rule(plan, request);
    return false;
  }
  pool_ = plan.choose();
  record_.target_group = pool_->name();
  if (!pool_->targets().empty()) return true;
  ++counters().no_targets;
  answer(503, "the target group has no targets");
  return false;
}

void Session::answer_by_rule(const Plan& plan, const RequestHead& request) {
  answer_by_rule_ = true;
  if (plan.redirect()) {
    ++counters().redirects;
    answer_location_ = redirect_location(*plan.redirect(), request, frontend_->address.host(),
                                         frontend_->port_text);
    return answer(plan.redirect()->status, nullptr);
  }
  ++counters().fixed_responses;
  answer_type_ = plan.fixed_response()->content_type;
  answer_body_ = plan.fixed_response()->body;
  answer(plan.fixed_response()->status, nullptr);
}

// The rules, and whose they are, as they stand now.
void Session::take_site() {
  if (site_ == frontend_->site) return;
  --balancer().clients;
  site_ = frontend_->site;
  ++balancer().clients;
}

uint64_t Session::idle_deadline_ms() const {
  return alb_.loop().now_ms() + site_->balancer->idle_timeout_ms;
}

// Until when a client may say nothing between two requests.
uint64_t Session::silence_deadline_ms(uint64_t deadline_ms) const {
  if (frontend_->removed_ms == 0) return deadline_ms;
  return std::min(deadline_ms, frontend_->removed_ms + kRemovedGraceMs);
}

void Session::use_target(std::shared_ptr<PooledTarget> target) {
  if (target_ != nullptr) --target_->in_flight;
  target_ = std::move(target);
  if (target_ != nullptr) ++target_->in_flight;
}

bool Session::is_late() const {
  return end_ == End::kRunning && target_ != nullptr && target_->leaves_ms != 0 &&
         target_->leaves_ms <= alb_.loop().now_ms();
}

void Session::give_up_target() {
  answer(502, "the deregistration delay of the target is over");
  wake();
}

void Session::forget_request() {
  request_scanner_ = HeadScanner::for_request();
  response_scanner_ = HeadScanner::for_response();
  request_body_ = response_body_ = BodyReader();
  to_target_.clear();
  target_in_.clear();
  pool_ = nullptr;
  use_target(nullptr);
  end_ = End::kRunning;
  answer_status_ = client_minor_version_ = 0;
  if (std::exchange(answer_by_rule_, false)) {
    answer_location_.clear();
    answer_type_.clear();
    answer_body_.clear();
  }
  interim_responses_ = 0;
  to_head_ = client_wants_more_ = client_stays_ = says_keep_alive_ = expects_continue_ = false;
  replayable_ = reused_ = target_stays_ = target_send_failed_ = response_begun_ = false;
  head_us_ = sent_us_ = response_us_ = 0;
  record_.clear();
}

void Session::end(End how, const char* reason) {
  if (end_ != End::kRunning) return;
  end_ = how;
  if (reason != nullptr) record_.error_reason = reason;
}

// Once a response has begun, no other can be given.
void Session::answer(int status, const char* reason) {
  if (response_begun_) return end(End::kCut, reason);
  answer_status_ = status;
  end(End::kAnswered, reason);
}

Task<> Session::send_answer() {
  record_.elb_status = answer_status_;
  if (answer_status_ < 500 && !answer_by_rule_) ++counters().requests_refused;
  write_own_response(to_client_,
                     {answer_status_, answer_by_rule_, answer_location_, answer_type_, answer_body_,
                      to_head_, !client_stays_},
                     clock_us(CLOCK_REALTIME) / 1000000);
  uint64_t deadline_ms = idle_deadline_ms();
  while (!to_client_.empty() && end_ == End::kAnswered) {
    if (client_->can_send()) {
      IoResult sent = client_->send(to_client_.data());
      to_client_.consume(sent.bytes);
      record_.sent_bytes += sent.bytes;
      if (sent.kind == IoResult::Kind::kError) end_ = End::kClientGone;
    } else {
      bool woken = co_await wakeup_.until(deadline_ms);
      if (!woken) end_ = End::kClientGone;
    }
  }
  to_client_.clear();
}

// Bytes that nobody reads would make the kernel send RST, and that would destroy the answer on its
// way.
Task<> Session::linger() {
  client_->shutdown_send();
  uint64_t deadline_ms = alb_.loop().now_ms() + kLingerMs;
  size_t dropped = 0;
  while (dropped < kLingerBytesMax) {
    if (client_->can_receive()) {
      client_in_.clear();
      IoResult got = client_->receive(client_in_.writable());
      dropped += got.bytes;
      if (got.kind == IoResult::Kind::kEnd || got.kind == IoResult::Kind::kError) break;
    } else {
      client_in_.clear();
      bool woken = co_await wakeup_.until(deadline_ms);
      if (!woken) break;
    }
  }
}

void Session::begin_record() {
  ++counters().requests;
  record_.time_us = clock_us(CLOCK_REALTIME);
  record_.client = peer_text_;
  record_.received_bytes = request_scanner_.end();
  head_us_ = monotonic_us();
}

void Session::note_request(const RequestHead& request) {
  record_.method = request.method;
  record_.host = request.host;
  record_.path = request.path;
  const HttpHeader* user_agent = request.find(HeaderId::kUserAgent);
  if (user_agent != nullptr) record_.user_agent = user_agent->value;
}

void Session::end_record() {
  if (end_ == End::kClientGone && !response_begun_ && answer_status_ == 0) {
    record_.elb_status = 460;
    ++counters().client_aborts;
  } else {
    counters().count_status(record_.elb_status, record_.target_status == 0);
  }
  uint64_t now_us = monotonic_us();
  if (sent_us_ != 0) record_.request_processing_us = static_cast<int64_t>(sent_us_ - head_us_);
  if (response_us_ != 0) {
    record_.target_processing_us = static_cast<int64_t>(response_us_ - sent_us_);
    pool_->counters().count_response(record_.target_status, response_us_ - sent_us_);
    record_.response_processing_us = static_cast<int64_t>(now_us - response_us_);
  }
  counters().received_bytes += record_.received_bytes;
  counters().sent_bytes += record_.sent_bytes;
  if (!alb_.log().write(record_, balancer().name)) ++counters().log_lines_lost;
}

}  // namespace sluice::gateway
