// SPDX-License-Identifier: Apache-2.0
// What a handler of the HTTP server gets and gives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"
#include "gateway/proxy/wakeup.h"

namespace sluice::gateway {

// Views that last while the handler runs.
struct HttpRequest {
  std::string_view method;
  std::string_view target;  // the path, and behind a '?' the query
  std::string_view path;
  std::string_view query;
  std::string_view host_name;  // of Host, without the port
  std::span<const HttpHeader> headers;
  std::string_view body;
  SocketAddress peer;  // family AF_UNIX: nothing more is known

  bool over_unix() const { return peer.family() == AF_UNIX; }
  // The first one of this name, empty without one.
  std::string_view header(std::string_view name) const;
  size_t header_count(std::string_view name) const;
};

// An answer that goes on until one side ends it: server-sent events. The handler keeps it and sends
// when there is something to say; sending to one that has ended does nothing.
class HttpStream {
 public:
  // What a client has not read yet. One that lets more pile up has lost its place: it is closed.
  static constexpr size_t kPendingBytesMax = 256 * 1024;

  bool open() const { return open_; }
  bool send(std::string_view bytes);  // false when it has ended
  void close();

 private:
  friend class HttpConnection;
  bool open_ = true;
  std::string pending_;
  Wakeup* wakeup_ = nullptr;
};

struct HttpResponse {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // Set: the body is only the start of a stream, which is handed over here.
  std::function<void(std::shared_ptr<HttpStream>)> stream;
};

std::string_view http_status_reason(int status);

// Head and body as one piece, so that they leave in one write: some clients (Go's) give up at times
// on answers that come in two.
std::string serialize(const HttpResponse& response, bool to_head_request, bool close,
                      int64_t epoch_seconds);

// {"error": message}
HttpResponse json_error(int status, std::string_view message);

}  // namespace sluice::gateway
