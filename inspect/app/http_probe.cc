// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "inspect/app/http.h"
#include "inspect/app/http_session.h"

namespace sluice::inspect {
namespace {

// Those that no other protocol begins a line with. Another method, and OPTIONS, which RTSP and SIP
// have as well, are believed when the line names HTTP.
constexpr std::string_view kMethods[] = {"GET",   "POST",  "HEAD",    "PUT",     "DELETE",
                                         "TRACE", "PATCH", "CONNECT", "PROPFIND"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }
// More than a token's (RFC 9110 5.6.2): a server may refuse the method and go on.
bool is_method_char(char c) { return c > ' ' && c < 0x7f; }

// Of a line that goes on: nothing but a request has such a second word.
bool has_target(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t", line.find_first_of(" \t"));
  if (begin == std::string_view::npos) return false;
  const std::string_view target = line.substr(begin);
  return target.starts_with('/') ||
         target.substr(0, target.find(' ')).find("://") != std::string_view::npos;
}

bool names_http1(std::string_view line) {
  const size_t version = line.rfind("HTTP/");
  return version != std::string_view::npos && version != 0 && is_blank(line[version - 1]) &&
         line.substr(version + 5, 1) != "2";
}

Probe probe_request(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return Probe::kMore;
  text.remove_prefix(begin);
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_method_char);
  const std::string_view method = text.substr(0, static_cast<size_t>(end - text.begin()));
  const bool too_long = text.size() >= kHttpProbeLineMax;
  if (method.size() == text.size()) return too_long ? Probe::kNo : Probe::kMore;
  if (method.empty() || !is_blank(text[method.size()])) return Probe::kNo;
  if (std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods))
    return Probe::kYes;

  const size_t newline = text.find('\n');
  if (newline != std::string_view::npos)
    return names_http1(text.substr(0, newline)) ? Probe::kYes : Probe::kNo;
  if (!too_long) return Probe::kMore;
  return has_target(text) ? Probe::kYes : Probe::kNo;
}

Probe probe_response(std::string_view text) {
  for (const std::string_view begin : {"HTTP/1.", "HTTP/0."}) {
    if (text.starts_with(begin)) return Probe::kYes;
    if (begin.starts_with(text)) return Probe::kMore;
  }
  return Probe::kNo;
}

Probe probe(Direction direction, std::span<const uint8_t> bytes, uint16_t /*server_port*/) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return direction == Direction::kToServer ? probe_request(text) : probe_response(text);
}

}  // namespace

ProtocolEntry http_entry() {
  return {AppProtocol::kHttp1,
          true,
          false,
          probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<HttpSession>(); },
          /*server_decides=*/true,
          /*client_first=*/true};
}

}  // namespace sluice::inspect
