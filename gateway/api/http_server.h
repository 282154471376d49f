// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for the gateway's own pages and APIs, on the event loop, over TCP and unix sockets.
//
//   SLUICE_TRY(auto server, HttpServer::create(loop));
//   server->route("GET", "/health/live", HttpServer::Access::kOpen,
//                 [](const HttpRequest&) { return HttpResponse{200, "text/plain", "ok\n"}; });
//   SLUICE_TRY_VOID(server->listen(address));
//
// Everything a client can make it keep is bounded. A client that is slow, silent or sends too much
// is answered (408, 413, 414, 431) and closed; when all places are taken, the connection that has
// waited longest for its client to say something makes room.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/api/http_message.h"
#include "gateway/proxy/buffer.h"
#include "gateway/proxy/event_loop.h"
#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

class HttpConnection;

struct HttpLimits {
  size_t connections_max = 512;
  size_t streams_max = 64;              // more: 503
  size_t body_bytes_max = 1 << 20;      // of one request; longer: 413
  size_t held_bytes_max = 64 << 20;     // bodies and answers of all connections; more: 503
  uint64_t idle_ms = 75'000;            // between requests
  uint64_t request_ms = 10'000;         // from a request's first byte to its last: 408
  uint64_t send_ms = 10'000;            // without the client taking a byte
  uint64_t linger_ms = 2'000;           // to drop what a refused request still sends, so that its
  size_t linger_bytes_max = 128 << 20;  //   client reads the answer instead of a reset
};

struct HttpCounters {
  uint64_t connections = 0;
  uint64_t connections_evicted = 0;  // closed to make room, while waiting for the client
  uint64_t connections_refused = 0;  // no place, and none could be made
  uint64_t accept_failures = 0;      // out of descriptors or memory; the listener paused
  uint64_t requests = 0;
  uint64_t requests_refused = 0;  // answered by the server itself, not by a handler
  uint64_t timeouts = 0;
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;
  // Makes the answer to a request that no handler saw: it could not be read, or took too long.
  using ErrorWriter = std::function<HttpResponse(int status, std::string_view message)>;
  // Says why a request for a guarded page is refused, or nothing.
  using Guard = std::function<std::optional<HttpResponse>(const HttpRequest&)>;
  enum class Access { kOpen, kGuarded };

  static std::unique_ptr<HttpServer> create(EventLoop& loop, HttpLimits limits = {});
  ~HttpServer();

  // An exact path. HEAD is answered by the handler of GET; other methods with 405.
  void route(std::string method, std::string path, Access access, Handler handler);
  void set_guard(Guard guard) { guard_ = std::move(guard); }
  // Takes every POST, and every GET with a query, to a path that no route claims, and writes the
  // errors of all POSTs. Other unknown paths are 404, in JSON.
  void set_fallback(Handler handler, ErrorWriter errors);

  Result<uint16_t> listen(const SocketAddress& address);  // the port, if 0 was asked for
  Result<> listen_on_unix(const std::string& path);       // mode 0600

  const HttpCounters& counters() const { return counters_; }
  size_t connections() const { return connections_; }
  size_t held_bytes() const { return held_bytes_; }

 private:
  friend class HttpConnection;
  struct Listener {
    UniqueFd fd;
    std::string unix_path;
    Watch watch;
  };
  struct Route {
    std::string method, path;
    Access access;
    Handler handler;
  };

  HttpServer(EventLoop& loop, HttpLimits limits);
  Result<> start(std::unique_ptr<Listener> listener);
  void accept_some(Listener& listener);
  void accept_failed(int error);
  void resume_accepting();
  bool make_room();
  Result<> watch(Listener& listener);

  // For connections.
  HttpResponse answer(const HttpRequest& request);
  HttpResponse refuse(bool post, int status, std::string_view message);

  EventLoop& loop_;
  HttpLimits limits_;
  HttpCounters counters_;
  BufferPool buffers_;
  std::vector<Route> routes_;
  Handler fallback_;
  ErrorWriter fallback_errors_;
  Guard guard_;
  size_t connections_ = 0;
  size_t streams_ = 0;
  size_t held_bytes_ = 0;
  std::list<HttpConnection*> waiting_;  // for their clients, the longest first
  std::vector<std::unique_ptr<Listener>> listeners_;
  Timer accept_again_;
};

}  // namespace sluice::gateway
