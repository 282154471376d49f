// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/http1.h"

#include <algorithm>
#include <cstring>

namespace sluice::gateway {
namespace {

using CharTable = std::array<bool, 256>;

constexpr CharTable token_chars() {
  CharTable table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr CharTable value_chars() {
  CharTable table{};
  for (size_t c = 0x20; c < 256; ++c) table[c] = c != 0x7f;
  table['\t'] = true;
  return table;
}

constexpr CharTable kTokenChars = token_chars();
constexpr CharTable kValueChars = value_chars();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

struct KnownHeader {
  std::string_view name;
  HeaderId id;
};

constexpr KnownHeader kKnownHeaders[] = {
    {"host", HeaderId::kHost},
    {"content-length", HeaderId::kContentLength},
    {"transfer-encoding", HeaderId::kTransferEncoding},
    {"connection", HeaderId::kConnection},
    {"keep-alive", HeaderId::kKeepAlive},
    {"proxy-connection", HeaderId::kProxyConnection},
    {"te", HeaderId::kTe},
    {"trailer", HeaderId::kTrailer},
    {"upgrade", HeaderId::kUpgrade},
    {"expect", HeaderId::kExpect},
    {"x-forwarded-for", HeaderId::kForwardedFor},
    {"x-forwarded-proto", HeaderId::kForwardedProto},
    {"x-forwarded-port", HeaderId::kForwardedPort},
    {"x-amzn-trace-id", HeaderId::kTraceId},
    {"user-agent", HeaderId::kUserAgent},
};

bool is_hop_by_hop(HeaderId id) {
  return id >= HeaderId::kContentLength && id <= HeaderId::kUpgrade;
}

// Headers that decide where a message ends or who sent it; nobody may ask for their removal.
bool is_protected(HeaderId id) {
  switch (id) {
    case HeaderId::kHost:
    case HeaderId::kContentLength:
    case HeaderId::kTransferEncoding:
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

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "Content_Length": some readers turn "_" into "-" (CGI), others do not.
bool disguises_protected_name(std::string_view name) {
  if (name.find('_') == std::string_view::npos) return false;
  for (const KnownHeader& known : kKnownHeaders) {
    if (!is_protected(known.id) || known.name.size() != name.size()) continue;
    bool same = true;
    for (size_t i = 0; i < name.size() && same; ++i) {
      same = lower(name[i] == '_' ? '-' : name[i]) == known.name[i];
    }
    if (same) return true;
  }
  return false;
}

std::optional<HttpRefusal> parse_header_line(std::string_view line, HttpHeader* header) {
  if (line.front() == ' ' || line.front() == '\t') return HttpRefusal{400, "folded header line"};
  size_t colon = 0;
  while (colon < line.size() && is_token_char(line[colon])) ++colon;
  if (colon == line.size() || line[colon] != ':') {
    return HttpRefusal{400, "bad character in a header name"};
  }
  if (colon == 0) return HttpRefusal{400, "empty header name"};
  for (char c : line.substr(colon + 1)) {
    if (!is_value_char(c)) return HttpRefusal{400, "control character in a header value"};
  }
  header->name = line.substr(0, colon);
  header->value = trim(line.substr(colon + 1));
  header->id = header_id(header->name);
  header->hop_by_hop = is_hop_by_hop(header->id);
  if (disguises_protected_name(header->name)) {
    return HttpRefusal{400, "header name that imitates another with \"_\""};
  }
  return std::nullopt;
}

// RFC 9112 6.3, without its allowances: one Content-Length, of digits only.
std::optional<HttpRefusal> take_content_length(std::string_view value, HttpFields* fields) {
  if (fields->framing == Framing::kLength) return HttpRefusal{400, "Content-Length twice"};
  constexpr size_t kDigitsMax = 18;  // below 2^63
  if (value.empty() || value.size() > kDigitsMax) return HttpRefusal{400, "bad Content-Length"};
  uint64_t length = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return HttpRefusal{400, "bad Content-Length"};
    length = length * 10 + static_cast<uint64_t>(c - '0');
  }
  if (fields->framing == Framing::kChunked) {
    return HttpRefusal{400, "both Content-Length and Transfer-Encoding"};
  }
  fields->framing = Framing::kLength;
  fields->content_length = length;
  fields->has_content_length = true;
  return std::nullopt;
}

std::optional<HttpRefusal> take_transfer_encoding(std::string_view value, HttpFields* fields) {
  if (fields->framing == Framing::kLength) {
    return HttpRefusal{400, "both Content-Length and Transfer-Encoding"};
  }
  if (fields->framing == Framing::kChunked) return HttpRefusal{400, "Transfer-Encoding twice"};
  if (!equals_ignore_case(value, "chunked")) {
    return HttpRefusal{501, "a transfer encoding other than chunked"};
  }
  fields->framing = Framing::kChunked;
  return std::nullopt;
}

std::optional<HttpRefusal> take_connection_option(std::string_view option, HttpFields* fields) {
  for (char c : option) {
    if (!is_token_char(c)) return HttpRefusal{400, "bad Connection header"};
  }
  if (equals_ignore_case(option, "close")) fields->close = true;
  if (equals_ignore_case(option, "keep-alive")) fields->keep_alive = true;
  if (equals_ignore_case(option, "upgrade")) fields->upgrade = true;
  if (is_protected(header_id(option))) {
    return HttpRefusal{400, "Connection names a header that must stay"};
  }
  for (size_t i = 0; i < fields->header_count; ++i) {
    HttpHeader& header = fields->headers[i];
    if (equals_ignore_case(header.name, option)) header.hop_by_hop = true;
  }
  return std::nullopt;
}

std::optional<HttpRefusal> take_connection(HttpFields* fields) {
  size_t options = 0;
  for (const HttpHeader& header : fields->all()) {
    if (header.id != HeaderId::kConnection) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      std::string_view option = trim(rest.substr(0, rest.find(',')));
      rest.remove_prefix(std::min(rest.size(), rest.find(',')));
      if (!rest.empty()) rest.remove_prefix(1);
      if (option.empty()) continue;
      if (++options > kConnectionOptionsMax) {
        return HttpRefusal{400, "too many names in Connection"};
      }
      if (auto refusal = take_connection_option(option, fields)) return refusal;
    }
  }
  return std::nullopt;
}

}  // namespace

bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }
bool is_value_char(char c) { return kValueChars[static_cast<unsigned char>(c)]; }

bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

HeaderId header_id(std::string_view name) {
  for (const KnownHeader& known : kKnownHeaders) {
    if (equals_ignore_case(known.name, name)) return known.id;
  }
  return HeaderId::kOther;
}

const HttpHeader* HttpFields::find(HeaderId id) const {
  for (const HttpHeader& header : all()) {
    if (header.id == id) return &header;
  }
  return nullptr;
}

std::optional<HttpRefusal> parse_header_lines(std::string_view lines, HttpFields* fields) {
  fields->header_count = 0;
  fields->framing = Framing::kNone;
  fields->content_length = 0;
  fields->has_content_length = fields->close = fields->keep_alive = fields->upgrade = false;
  while (true) {
    size_t end = lines.find("\r\n");
    if (end == 0 || end == std::string_view::npos) break;
    if (fields->header_count == kHeaderCountMax) return HttpRefusal{431, "too many header lines"};
    HttpHeader& header = fields->headers[fields->header_count];
    if (auto refusal = parse_header_line(lines.substr(0, end), &header)) return refusal;
    ++fields->header_count;
    lines.remove_prefix(end + 2);
    std::optional<HttpRefusal> refusal;
    if (header.id == HeaderId::kContentLength) refusal = take_content_length(header.value, fields);
    if (header.id == HeaderId::kTransferEncoding) {
      refusal = take_transfer_encoding(header.value, fields);
    }
    if (refusal) return refusal;
  }
  return take_connection(fields);
}

HeadScanner::State HeadScanner::refuse(int status, const char* reason) {
  refusal_ = {status, reason};
  return State::kRefused;
}

// line_bytes: of the current line without its line end; head_bytes: of all header lines up to here.
bool HeadScanner::line_too_long(size_t line_bytes, size_t head_bytes) {
  if (headers_start_ == 0) {
    if (line_bytes <= first_line_max_) return false;
    refuse(414, "first line too long");
    return true;
  }
  if (line_bytes <= kHeaderLineMax && head_bytes <= headers_max_) return false;
  refuse(431, "header too long");
  return true;
}

HeadScanner::State HeadScanner::scan(std::string_view bytes) {
  if (request_ && head_start_ == 0) {  // RFC 9112 2.2: one empty line before a request is let pass
    if (bytes.empty() || bytes == "\r") return State::kMore;
    if (bytes.substr(0, 2) == "\r\n") head_start_ = line_start_ = next_ = 2;
  }
  if (bytes.size() > head_start_ && !is_token_char(bytes[head_start_])) {
    return refuse(400, "does not start like HTTP");
  }
  while (next_ < bytes.size()) {
    const char* found =
        static_cast<const char*>(std::memchr(bytes.data() + next_, '\n', bytes.size() - next_));
    if (found == nullptr) break;
    size_t line_end = static_cast<size_t>(found - bytes.data());
    if (line_end == line_start_ || bytes[line_end - 1] != '\r') {
      return refuse(400, "line feed without carriage return");
    }
    size_t line_bytes = line_end - 1 - line_start_;
    if (line_too_long(line_bytes, line_end + 1 - headers_start_)) return State::kRefused;
    next_ = line_start_ = line_end + 1;
    if (headers_start_ == 0) {
      headers_start_ = next_;
    } else if (line_bytes == 0) {
      return State::kComplete;
    }
  }
  next_ = bytes.size();
  size_t open_bytes = next_ - line_start_;  // one more may be the carriage return
  if (open_bytes > 0 && line_too_long(open_bytes - 1, next_ - headers_start_)) {
    return State::kRefused;
  }
  return State::kMore;
}

}  // namespace sluice::gateway
