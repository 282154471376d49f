// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/http1.h"

namespace sluice::gateway {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_name_char(char c) {
  return is_digit(c) || is_alpha(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
bool is_literal_char(char c) { return is_hex(c) || c == ':' || c == '.'; }

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  unsigned port = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port >= 1 && port <= 65535;
}

// host [":" port], where host is a name, an IPv4 address or a bracketed IPv6 address. No user
// information, no percent escapes, no lists: names that resolvers and applications read in one way
// only.
bool parse_authority(std::string_view text, std::string_view* name) {
  if (text.empty() || text.size() > kHostMax) return false;
  size_t end;
  if (text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    std::string_view literal = text.substr(1, end - 1);
    if (!std::all_of(literal.begin(), literal.end(), is_literal_char)) return false;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    if (end == 0 ||
        !std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(end), is_name_char))
      return false;
  }
  if (end < text.size() && (text[end] != ':' || !is_port(text.substr(end + 1)))) return false;
  *name = text.substr(0, end);
  return true;
}

std::optional<HttpRefusal> parse_version(std::string_view version, RequestHead* request) {
  bool shaped = version.size() == 8 && version.substr(0, 5) == "HTTP/" && is_digit(version[5]) &&
                version[6] == '.' && is_digit(version[7]);
  if (!shaped) return HttpRefusal{400, "bad HTTP version"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return HttpRefusal{505, "HTTP version not supported"};
  }
  request->minor_version = version[7] - '0';
  return std::nullopt;
}

std::optional<HttpRefusal> parse_request_line(std::string_view line, RequestHead* request) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return HttpRefusal{400, "bad request line"};
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_token_char)) {
    return HttpRefusal{400, "bad method"};
  }
  auto visible = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  if (target.empty() || !std::all_of(target.begin(), target.end(), visible)) {
    return HttpRefusal{400, "bad character in the request target"};
  }
  if (auto refusal = parse_version(line.substr(last + 1), request)) return refusal;
  request->method = method;
  request->target = target;
  if (method.size() > kMethodMax) return HttpRefusal{501, "method not known"};
  if (method == "CONNECT" || method == "TRACE") return HttpRefusal{405, "method not allowed"};
  return std::nullopt;
}

// RFC 9112 3.2. The absolute form is turned into the origin form; its authority comes back.
std::optional<HttpRefusal> parse_target(RequestHead* request, std::string_view* authority) {
  std::string_view target = request->target;
  if (target == "*") {
    if (request->method != "OPTIONS") return HttpRefusal{400, "bad request target"};
  } else if (target.front() != '/') {
    constexpr std::string_view kScheme = "http://";
    if (!equals_ignore_case(target.substr(0, kScheme.size()), kScheme)) {
      return HttpRefusal{400, "bad request target"};
    }
    std::string_view rest = target.substr(kScheme.size());
    size_t slash = rest.find_first_of("/?");
    if (slash == std::string_view::npos || rest[slash] == '?') {
      return HttpRefusal{400, "request target without a path"};
    }
    *authority = rest.substr(0, slash);
    if (authority->empty()) return HttpRefusal{400, "bad request target"};
    request->target = rest.substr(slash);
  }
  request->path = request->target.substr(0, request->target.find('?'));
  return std::nullopt;
}

std::optional<HttpRefusal> check_host(std::string_view authority, RequestHead* request) {
  const HttpHeader* host = nullptr;
  for (const HttpHeader& header : request->all()) {
    if (header.id != HeaderId::kHost) continue;
    if (host != nullptr) return HttpRefusal{400, "Host twice"};
    host = &header;
  }
  if (host == nullptr) {
    if (request->minor_version == 1) return HttpRefusal{400, "Host missing"};
    if (authority.empty()) return std::nullopt;
  } else if (!authority.empty() && !equals_ignore_case(host->value, authority)) {
    return HttpRefusal{400, "Host differs from the request target"};
  }
  std::string_view value = host != nullptr ? host->value : authority;
  if (!parse_authority(value, &request->host_name)) return HttpRefusal{400, "bad Host"};
  request->host = value;
  return std::nullopt;
}

std::optional<HttpRefusal> check_expect(RequestHead* request) {
  const HttpHeader* expect = request->find(HeaderId::kExpect);
  if (expect == nullptr) return std::nullopt;
  if (!equals_ignore_case(expect->value, "100-continue")) {
    return HttpRefusal{417, "an expectation other than 100-continue"};
  }
  request->expect_continue = request->minor_version == 1;  // RFC 9110 10.1.1
  return std::nullopt;
}

}  // namespace

std::optional<HttpRefusal> parse_request_head(std::string_view head, RequestHead* request) {
  request->header_count = 0;
  request->expect_continue = false;
  request->method = request->target = request->path = request->host = request->host_name = {};
  size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return HttpRefusal{400, "bad request line"};
  if (auto refusal = parse_request_line(head.substr(0, line_end), request)) return refusal;
  std::string_view authority;
  if (auto refusal = parse_target(request, &authority)) return refusal;
  if (auto refusal = parse_header_lines(head.substr(line_end + 2), request)) return refusal;
  if (auto refusal = check_host(authority, request)) return refusal;
  if (request->framing == Framing::kChunked && request->minor_version == 0) {
    return HttpRefusal{400, "Transfer-Encoding in HTTP/1.0"};
  }
  return check_expect(request);
}

}  // namespace sluice::gateway
