// SPDX-License-Identifier: Apache-2.0
// Heads written from the parsed model: requests to targets, responses to clients, and our own
// answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/proxy/buffer.h"
#include "gateway/proxy/http1.h"
#include "gateway/proxy/socket.h"

namespace sluice::gateway {

// A value of X-Amzn-Trace-Id: what to put in, made for each request.
std::string new_trace_id(uint64_t epoch_seconds, uint64_t random_high, uint32_t random_low);

struct RequestRewrite {
  std::string_view client;  // address, without port
  std::string_view listener_port;
  std::string_view target;    // stands in for a Host that an HTTP/1.0 request lacks
  std::string_view trace_id;  // from new_trace_id, "1-..."
};

// Addresses already in X-Forwarded-For, over all its lines.
size_t forwarded_addresses(const RequestHead& request);

// Writes the head that the target gets; *trace_id becomes the whole X-Amzn-Trace-Id value.
void write_request_head(Buffer& out, const RequestHead& request, const RequestRewrite& rewrite,
                        std::string* trace_id);

struct ResponseRewrite {
  Framing framing;      // towards the client
  bool close;           // Connection: close
  bool say_keep_alive;  // an HTTP/1.0 client asked to keep the connection
};
void write_response_head(Buffer& out, const ResponseHead& response, const ResponseRewrite& rewrite);

std::string_view status_reason(int status);

// An answer of the load balancer itself.
struct OwnResponse {
  int status;
  bool by_rule;               // with this body; else with a short text of its status
  std::string_view location;  // empty: none
  std::string_view content_type;
  std::string_view body;
  bool to_head;
  bool close;
};
void write_own_response(Buffer& out, const OwnResponse& response, uint64_t epoch_seconds);

}  // namespace sluice::gateway
