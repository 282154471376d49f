// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/http1.h"

namespace sluice::gateway {
// status-line = HTTP-version SP 3DIGIT [SP reason]; applications that leave out the last SP are
// many.
std::optional<StatusLine> parse_status_line(std::string_view line) {
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return {};
  const std::string_view version = line.substr(0, 8);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {};
  StatusLine parsed{version[7] - '0', 0, line.substr(std::min<size_t>(line.size(), 13))};
  for (char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return {};
    parsed.status = parsed.status * 10 + (c - '0');
  }
  if (parsed.status < 100 || parsed.status > 599) return {};
  if (!std::all_of(parsed.reason.begin(), parsed.reason.end(), is_value_char)) return {};
  return parsed;
}

std::optional<HttpRefusal> parse_response_head(std::string_view head, bool to_head_request,
                                               ResponseHead* response) {
  size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return HttpRefusal{502, "bad status line"};
  const auto first = parse_status_line(head.substr(0, line_end));
  if (!first) return HttpRefusal{502, "bad status line"};
  response->minor_version = first->minor_version;
  response->status = first->status;
  response->reason = first->reason;
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
