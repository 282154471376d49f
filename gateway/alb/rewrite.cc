// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/rewrite.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

namespace sluice::gateway {
namespace {

void append_header(Buffer& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
}

void append_framing(Buffer& out, Framing framing, uint64_t content_length) {
  if (framing == Framing::kLength) {
    append_header(out, "Content-Length", std::to_string(content_length));
  } else if (framing == Framing::kChunked) {
    append_header(out, "Transfer-Encoding", "chunked");
  }
}

// Written anew below, so not copied.
bool is_rewritten(HeaderId id) {
  switch (id) {
    case HeaderId::kHost:
    case HeaderId::kExpect:
    case HeaderId::kForwardedFor:
    case HeaderId::kForwardedProto:
    case HeaderId::kForwardedPort:
    case HeaderId::kTraceId:
      return true;
    default:
      return false;
  }
}

void append_forwarded_for(Buffer& out, const RequestHead& request, std::string_view client) {
  out.append("X-Forwarded-For: ");
  for (const HttpHeader& header : request.all()) {
    if (header.id != HeaderId::kForwardedFor || header.value.empty()) continue;
    out.append(header.value);
    out.append(", ");
  }
  out.append(client);
  out.append("\r\n");
}

// "Root" names the request where it entered; a later hop adds itself in front as "Self".
std::string trace_header(const RequestHead& request, std::string_view mine) {
  const HttpHeader* theirs = request.find(HeaderId::kTraceId);
  constexpr size_t kKeptMax = 7 * 1024;
  if (theirs == nullptr || theirs->value.empty() || theirs->value.size() > kKeptMax) {
    return "Root=" + std::string(mine);
  }
  bool has_root = theirs->value.find("Root=") != std::string_view::npos;
  std::string value = (has_root ? "Self=" : "Root=") + std::string(mine);
  return value + ";" + std::string(theirs->value);
}

}  // namespace

std::string new_trace_id(uint64_t epoch_seconds, uint64_t random_high, uint32_t random_low) {
  char text[48];
  std::snprintf(text, sizeof text, "1-%08x-%016llx%08x", static_cast<uint32_t>(epoch_seconds),
                static_cast<unsigned long long>(random_high), random_low);
  return text;
}

size_t forwarded_addresses(const RequestHead& request) {
  size_t count = 0;
  for (const HttpHeader& header : request.all()) {
    if (header.id != HeaderId::kForwardedFor || header.value.empty()) continue;
    ++count;
    for (char c : header.value) count += c == ',' ? 1 : 0;
  }
  return count;
}

void write_request_head(Buffer& out, const RequestHead& request, const RequestRewrite& rewrite,
                        std::string* trace_id) {
  out.append(request.method);
  out.append(" ");
  out.append(request.target);
  out.append(" HTTP/1.1\r\n");
  append_header(out, "Host", request.host.empty() ? rewrite.target : request.host);
  for (const HttpHeader& header : request.all()) {
    if (header.hop_by_hop || is_rewritten(header.id)) continue;
    append_header(out, header.name, header.value);
  }
  append_forwarded_for(out, request, rewrite.client);
  append_header(out, "X-Forwarded-Proto", "http");
  append_header(out, "X-Forwarded-Port", rewrite.listener_port);
  *trace_id = trace_header(request, rewrite.trace_id);
  append_header(out, "X-Amzn-Trace-Id", *trace_id);
  if (request.expect_continue) append_header(out, "Expect", "100-continue");
  append_framing(out, request.framing, request.content_length);
  out.append("\r\n");
}

void write_response_head(Buffer& out, const ResponseHead& response,
                         const ResponseRewrite& rewrite) {
  out.append("HTTP/1.1 ");
  out.append(std::to_string(response.status));
  out.append(" ");
  out.append(response.reason);
  out.append("\r\n");
  for (const HttpHeader& header : response.all()) {
    if (!header.hop_by_hop) append_header(out, header.name, header.value);
  }
  bool told_only = rewrite.framing == Framing::kNone && response.has_content_length &&
                   response.status >= 200 && response.status != 204;
  append_framing(out, told_only ? Framing::kLength : rewrite.framing, response.content_length);
  if (response.status >= 200) {
    if (rewrite.close) append_header(out, "Connection", "close");
    if (!rewrite.close && rewrite.say_keep_alive) append_header(out, "Connection", "keep-alive");
  }
  out.append("\r\n");
}

std::string_view status_reason(int status) {
  constexpr std::pair<int, std::string_view> kReasons[] = {
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {410, "Gone"},
      {414, "URI Too Long"},
      {417, "Expectation Failed"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {463, "Too Many Forwarded Addresses"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  const auto* at = std::ranges::find(kReasons, status, [](const auto& pair) { return pair.first; });
  if (at != std::end(kReasons)) return at->second;
  return status < 300 ? "Success" : "Error";
}

void write_own_response(Buffer& out, const OwnResponse& response, uint64_t epoch_seconds) {
  const std::string status =
      std::to_string(response.status) + " " + std::string(status_reason(response.status));
  const bool given = response.by_rule && response.location.empty();
  const std::string body = given ? std::string(response.body) : status + "\n";
  const bool bare = response.status == 204;  // RFC 9110 15.3.5: no content, and no length of it
  auto seconds = static_cast<time_t>(epoch_seconds);
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[40];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  out.append("HTTP/1.1 " + status + "\r\n");
  append_header(out, "Date", date);
  append_header(out, "Server", "sluice");
  if (!response.location.empty()) append_header(out, "Location", response.location);
  const std::string_view type =
      response.content_type.empty() ? "text/plain" : response.content_type;
  if (!bare) append_header(out, "Content-Type", type);
  if (!bare) append_framing(out, Framing::kLength, body.size());
  if (response.status == 405 && !response.by_rule)
    append_header(out, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (response.close) append_header(out, "Connection", "close");
  out.append("\r\n");
  if (!response.to_head && !bare) out.append(body);
}

}  // namespace sluice::gateway
