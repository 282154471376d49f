// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/http1.h"

namespace sluice::gateway {
namespace {

// status-line = HTTP-version SP 3DIGIT [SP reason]; applications that leave out the last SP are
// many.
std::optional<HttpRefusal> parse_status_line(std::string_view line, ResponseHead* response) {
  HttpRefusal bad{502, "bad status line"};
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return bad;
  std::string_view version = line.substr(0, 8);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad;
  response->minor_version = version[7] - '0';
  response->status = 0;
  for (char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return bad;
    response->status = response->status * 10 + (c - '0');
  }
  if (response->status < 100 || response->status > 599) return bad;
  response->reason = line.substr(std::min<size_t>(line.size(), 13));
  if (!std::all_of(response->reason.begin(), response->reason.end(), is_value_char)) return bad;
  return std::nullopt;
}

}  // namespace

std::optional<HttpRefusal> parse_response_head(std::string_view head, bool to_head_request,
                                               ResponseHead* response) {
  size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return HttpRefusal{502, "bad status line"};
  if (auto refusal = parse_status_line(head.substr(0, line_end), response)) return refusal;
  if (auto refusal = parse_header_lines(head.substr(line_end + 2), response)) {
    return HttpRefusal{502, refusal->reason};
  }
  if (response->framing == Framing::kChunked && response->minor_version == 0) {
    return HttpRefusal{502, "Transfer-Encoding in HTTP/1.0"};
  }
  // RFC 9112 6.3: these have no body, whatever their headers say.
  bool bodiless = to_head_request || response->status < 200 || response->status == 204 ||
                  response->status == 304;
  if (bodiless) {
    response->framing = Framing::kNone;
  } else if (response->framing == Framing::kNone) {
    response->framing = Framing::kUntilClose;
  }
  return std::nullopt;
}

}  // namespace sluice::gateway
