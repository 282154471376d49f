// SPDX-License-Identifier: Apache-2.0
// One client of the HTTP server: request after request, each read whole, answered, and the answer
// sent. A coroutine that ends with its connection.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "gateway/api/http_server.h"
#include "gateway/proxy/body.h"
#include "gateway/proxy/buffer.h"
#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"
#include "gateway/proxy/task.h"
#include "gateway/proxy/wakeup.h"

namespace sluice::gateway {

Task<> serve_http(HttpServer& server, std::unique_ptr<Socket> socket, SocketAddress peer);

class HttpConnection {
 public:
  HttpConnection(HttpServer& server, std::unique_ptr<Socket> socket, SocketAddress peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  Task<> run();
  // Of one that waits for its client: ends it at once.
  void evict();

 private:
  // A request is read, or refused (then refusal_ says why), or there will be none.
  enum class Read { kRequest, kRefused, kGone };

  Task<Read> read_request();
  bool take_head();
  bool take_body();
  bool refuse(int status, const char* reason);
  Task<bool> receive(uint64_t deadline_ms);
  Task<bool> respond();
  Task<bool> send();
  Task<> stream();
  void begin_stream();
  void end_stream();
  bool client_left();
  Task<> linger();

  HttpRequest request();
  void begin_waiting();
  void end_waiting();
  bool hold(size_t bytes);
  void release_all();

  HttpServer& server_;
  SocketAddress peer_;
  Wakeup wakeup_;  // before the socket, which points at it
  std::unique_ptr<Socket> socket_;
  Buffer in_;
  HeadScanner scanner_ = HeadScanner::for_request();
  std::string head_bytes_;
  std::unique_ptr<RequestHead> head_;  // of a request that is being read or answered
  BodyReader body_reader_;
  std::string body_, out_;
  std::shared_ptr<HttpStream> stream_;
  HttpRefusal refusal_{};
  bool posts_ = false;
  bool begun_ = false;  // a byte of the request is here
  bool gone_ = false;   // nothing more can be read or sent
  bool waiting_ = false;
  size_t held_ = 0;
  std::list<HttpConnection*>::iterator place_;
};

}  // namespace sluice::gateway
