// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 heads (RFC 9112), read strictly: what two readers could understand differently is
// refused.
//
// A head is first found (HeadScanner, resumable, any cut of the input gives the same answer) and
// then parsed at once into views of the same bytes. What is sent on is written anew from the parsed
// model, never copied. docs/features/alb.md lists what is refused and with which status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::gateway {

constexpr size_t kRequestLineMax = 16 * 1024;     // longer: 414
constexpr size_t kHeaderLineMax = 16 * 1024;      // longer: 431
constexpr size_t kRequestHeadersMax = 64 * 1024;  // all header lines together; longer: 431
constexpr size_t kResponseHeadersMax = 32 * 1024;
constexpr size_t kHeaderCountMax = 256;       // more: 431
constexpr size_t kMethodMax = 40;             // longer: 501
constexpr size_t kConnectionOptionsMax = 16;  // names in Connection; more: 400
constexpr size_t kHostMax = 261;              // a name of 255 and a port

// Why a head is not taken: the status that answers it, and words for the log. Both are constants.
struct HttpRefusal {
  int status;
  const char* reason;
};

// Finds the end of a head in bytes that arrive in any pieces.
class HeadScanner {
 public:
  enum class State { kMore, kComplete, kRefused };

  static HeadScanner for_request() {
    return HeadScanner(kRequestLineMax, kRequestHeadersMax, true);
  }
  static HeadScanner for_response() {
    return HeadScanner(kHeaderLineMax, kResponseHeadersMax, false);
  }

  // bytes: all that has come since the start of this head; each call sees what the last one saw,
  // and more.
  State scan(std::string_view bytes);

  // After kComplete: where the head starts (after an empty line that clients may send first) and
  // ends.
  std::string_view head_in(std::string_view bytes) const {
    return bytes.substr(head_start_, next_ - head_start_);
  }
  size_t end() const { return next_; }
  const HttpRefusal& refusal() const { return refusal_; }

 private:
  HeadScanner(size_t first_line_max, size_t headers_max, bool request)
      : first_line_max_(first_line_max), headers_max_(headers_max), request_(request) {}
  State refuse(int status, const char* reason);
  bool line_too_long(size_t line_bytes, size_t head_bytes);

  size_t first_line_max_;
  size_t headers_max_;
  bool request_;
  size_t head_start_ = 0;
  size_t headers_start_ = 0;  // 0: still in the first line
  size_t line_start_ = 0;
  size_t next_ = 0;  // the first byte that was not looked at
  HttpRefusal refusal_{};
};

enum class HeaderId : uint8_t {
  kOther,
  kHost,
  kContentLength,
  kTransferEncoding,
  kConnection,
  kKeepAlive,
  kProxyConnection,
  kTe,
  kTrailer,
  kUpgrade,
  kExpect,
  kForwardedFor,
  kForwardedProto,
  kForwardedPort,
  kTraceId,
  kUserAgent,
};

struct HttpHeader {
  std::string_view name;
  std::string_view value;  // without the white space around it
  HeaderId id = HeaderId::kOther;
  bool hop_by_hop = false;  // of this connection only: never sent on
};

enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose };

// What a request and a response head have in common.
struct HttpFields {
  std::array<HttpHeader, kHeaderCountMax> headers;
  size_t header_count = 0;
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;
  bool has_content_length = false;  // also where it frames nothing: answers to HEAD, 304
  bool close = false;               // Connection: close
  bool keep_alive = false;          // Connection: keep-alive
  bool upgrade = false;             // Connection: upgrade

  std::span<const HttpHeader> all() const { return {headers.data(), header_count}; }
  const HttpHeader* find(HeaderId id) const;
};

struct RequestHead : HttpFields {
  std::string_view method;
  std::string_view target;     // origin form or "*": what is sent on
  std::string_view path;       // of target, without the query
  std::string_view host;       // as sent, with its port; empty only in HTTP/1.0
  std::string_view host_name;  // without the port
  int minor_version = 1;
  bool expect_continue = false;

  bool stays_open() const { return !close && (minor_version == 1 || keep_alive); }
};

struct ResponseHead : HttpFields {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;

  bool stays_open() const { return !close && (minor_version == 1 || keep_alive); }
};

// head: what HeadScanner found. The result's views live as long as its bytes. A refusal leaves in
// *request what had been understood (for the log) and nothing to act on.
std::optional<HttpRefusal> parse_request_head(std::string_view head, RequestHead* request);

// The first line of a response, without its end; views of it. Nothing when it is no such line.
struct StatusLine {
  int minor_version;
  int status;  // 100-599
  std::string_view reason;
};
std::optional<StatusLine> parse_status_line(std::string_view line);

// The framing of a response depends on the request's method. A refusal's status is 502.
std::optional<HttpRefusal> parse_response_head(std::string_view head, bool to_head_request,
                                               ResponseHead* response);

// Visible characters of the grammar (RFC 9110 5.6.2, 5.5).
bool is_token_char(char c);
bool is_value_char(char c);
bool equals_ignore_case(std::string_view a, std::string_view b);
HeaderId header_id(std::string_view name);

// The header lines of a head, for the two parsers above. lines: from the second line on.
std::optional<HttpRefusal> parse_header_lines(std::string_view lines, HttpFields* fields);

}  // namespace sluice::gateway
