// SPDX-License-Identifier: Apache-2.0
// One client connection: request after request, each parsed, routed, written anew to a target, and
// the answer written back. One coroutine serves both sides, because either may speak first or fail
// at any time.
#pragma once

#include <cstdint>
#include <memory>

#include "gateway/alb/access_log.h"
#include "gateway/alb/alb.h"
#include "gateway/proxy/body.h"
#include "gateway/proxy/buffer.h"
#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"
#include "gateway/proxy/task.h"
#include "gateway/proxy/wakeup.h"

namespace sluice::gateway {

Task<> serve_client(Alb& alb, std::shared_ptr<Frontend> frontend, std::unique_ptr<Socket> client,
                    SocketAddress peer);

class Session {
 public:
  Session(Alb& alb, std::shared_ptr<Frontend> frontend, std::unique_ptr<Socket> client,
          SocketAddress peer);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Task<> run();
  void wake() { wakeup_.wake(); }

  // Between two requests nobody holds on to old rules.
  void site_changed() {
    if (!in_request_) take_site();
  }
  // A request is with a target whose deregistration delay is over.
  bool is_late() const;
  void give_up_target();

 private:
  // How a request ends.
  enum class End : uint8_t {
    kRunning,
    kDone,        // the whole response is with the client
    kAnswered,    // by us, with answer_status_
    kStale,       // a kept connection was closed already: the request may be sent again
    kCut,         // the response has begun and cannot be finished
    kClientGone,  // 460
  };

  // session.cc: requests in, our own answers out.
  Task<bool> read_head();
  Task<bool> serve_request();
  Task<> send_answer();
  Task<> linger();
  void prepare();
  bool route(const RequestHead& request);
  void answer_by_rule(const Plan& plan, const RequestHead& request);
  bool ending() const { return alb_.draining() || frontend_->removed_ms != 0; }
  void take_site();
  uint64_t silence_deadline_ms(uint64_t deadline_ms) const;
  ServedBalancer& balancer() { return *site_->balancer; }
  AlbCounters& counters() { return site_->balancer->counters; }
  uint64_t idle_deadline_ms() const;
  void use_target(std::shared_ptr<PooledTarget> target);
  void begin_record();
  void note_request(const RequestHead& request);
  void end_record();
  void answer(int status, const char* reason);
  void end(End how, const char* reason);
  void forget_request();

  // exchange.cc: one request to a target and its response back.
  Task<> exchange();
  Task<bool> connect(bool fresh);
  Task<> relay();
  bool push_request();
  bool take_request_body();
  bool pull_response();
  bool send_to_client();
  bool read_response_head();
  void interim_response(const ResponseHead& response);
  void begin_response(const ResponseHead& response);
  bool copy_response_body();
  bool receive_response();
  void target_ended(bool cleanly);
  void timed_out();
  void keep_target();

  Alb& alb_;
  const std::shared_ptr<Frontend> frontend_;
  std::shared_ptr<Site> site_;  // of this request
  SocketAddress peer_;
  const std::string peer_host_, peer_text_;  // of it
  Wakeup wakeup_;                            // before the sockets: they point at it
  std::unique_ptr<Socket> client_;
  std::unique_ptr<Socket> target_socket_;
  uint64_t keep_alive_until_ms_;

  // Client to target, target to client.
  Buffer client_in_, to_target_;
  Buffer target_in_, to_client_;

  HeadScanner request_scanner_ = HeadScanner::for_request();
  BodyReader request_body_;
  BodyWriter request_writer_;
  HeadScanner response_scanner_ = HeadScanner::for_response();
  BodyReader response_body_;
  BodyWriter response_writer_;

  std::shared_ptr<TargetPool> pool_;
  std::shared_ptr<PooledTarget> target_;
  End end_ = End::kRunning;
  int answer_status_ = 0;
  std::string answer_location_, answer_type_, answer_body_;  // of a rule's own answer
  bool answer_by_rule_ = false;
  bool in_request_ = false;
  size_t interim_responses_ = 0;
  uint64_t last_move_ms_ = 0;
  int client_minor_version_ = 1;
  bool to_head_ = false;            // the request is HEAD
  bool client_wants_more_ = false;  // it did not say that this is its last request
  bool client_stays_ = false;       // it is told that the connection stays
  bool says_keep_alive_ = false;    // an HTTP/1.0 client waits to be told so
  bool expects_continue_ = false;
  bool replayable_ = false;  // may be sent twice: idempotent and without a body
  bool reused_ = false;      // target_socket_ has carried a request before
  bool target_stays_ = false;
  bool target_send_failed_ = false;
  bool response_begun_ = false;
  bool linger_ = false;

  AccessRecord record_;
  uint64_t head_us_ = 0, sent_us_ = 0, response_us_ = 0;
};

// CLOCK_MONOTONIC, for durations.
uint64_t monotonic_us();

}  // namespace sluice::gateway
