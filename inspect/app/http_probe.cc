// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "inspect/app/http.h"
#include "inspect/app/http_parser.h"

namespace sluice::inspect {
namespace {

// Those that no other protocol begins a line with. Another method, and OPTIONS, which RTSP and SIP
// have as well, are believed when the line names HTTP.
constexpr std::string_view kMethods[] = {"GET",   "POST",  "HEAD",    "PUT",     "DELETE",
                                         "TRACE", "PATCH", "CONNECT", "PROPFIND"};

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_method_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

Probe probe_request(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos)
    return text.size() < kHttpProbeLineMax ? Probe::kMore : Probe::kNo;
  text.remove_prefix(begin);
  const auto* const end = std::find_if_not(text.begin(), text.end(), is_method_char);
  const std::string_view method = text.substr(0, static_cast<size_t>(end - text.begin()));
  if (method.size() > kHttpMethodMax) return Probe::kNo;
  if (method.size() == text.size()) return Probe::kMore;
  if (method.empty() || !is_blank(text[method.size()])) return Probe::kNo;
  if (std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods))
    return Probe::kYes;

  const size_t newline = text.find('\n');
  if (newline == std::string_view::npos)
    return text.size() < kHttpProbeLineMax ? Probe::kMore : Probe::kNo;
  const std::string_view line = text.substr(0, newline);
  const size_t version = line.rfind(" HTTP/");
  return version != std::string_view::npos && line.substr(version + 6, 1) != "2" ? Probe::kYes
                                                                                 : Probe::kNo;
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
  return {AppProtocol::kHttp1, true, false, probe,
          []() -> std::unique_ptr<Parser> { return std::make_unique<HttpParser>(); }};
}

}  // namespace sluice::inspect
