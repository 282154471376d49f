// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/http_message.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

struct StatusReason {
  int status;
  std::string_view reason;
};

constexpr std::array kReasons = {
    StatusReason{200, "OK"},
    StatusReason{204, "No Content"},
    StatusReason{400, "Bad Request"},
    StatusReason{403, "Forbidden"},
    StatusReason{404, "Not Found"},
    StatusReason{405, "Method Not Allowed"},
    StatusReason{408, "Request Timeout"},
    StatusReason{409, "Conflict"},
    StatusReason{413, "Content Too Large"},
    StatusReason{414, "URI Too Long"},
    StatusReason{417, "Expectation Failed"},
    StatusReason{429, "Too Many Requests"},
    StatusReason{431, "Request Header Fields Too Large"},
    StatusReason{500, "Internal Server Error"},
    StatusReason{501, "Not Implemented"},
    StatusReason{503, "Service Unavailable"},
    StatusReason{505, "HTTP Version Not Supported"},
};

std::string http_date(int64_t epoch_seconds) {
  const auto seconds = static_cast<time_t>(epoch_seconds);
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[40];
  const size_t size = std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {date, size};
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& header : headers)
    if (equals_ignore_case(header.name, name)) return header.value;
  return {};
}

size_t HttpRequest::header_count(std::string_view name) const {
  return static_cast<size_t>(std::ranges::count_if(
      headers, [&](const HttpHeader& header) { return equals_ignore_case(header.name, name); }));
}

bool HttpStream::send(std::string_view bytes) {
  if (!open_) return false;
  if (pending_.size() + bytes.size() > kPendingBytesMax) {
    close();
    return false;
  }
  pending_ += bytes;
  if (wakeup_ != nullptr) wakeup_->wake();
  return open_;
}

void HttpStream::close() {
  if (!open_) return;
  open_ = false;
  if (wakeup_ != nullptr) wakeup_->wake();
}

std::string_view http_status_reason(int status) {
  const auto at = std::ranges::find(kReasons, status, &StatusReason::status);
  return at == kReasons.end() ? "Error" : at->reason;
}

std::string serialize(const HttpResponse& response, bool to_head_request, bool close,
                      int64_t epoch_seconds) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out.append(http_status_reason(response.status));
  out += "\r\nDate: " + http_date(epoch_seconds);
  if (!response.content_type.empty()) out += "\r\nContent-Type: " + response.content_type;
  for (const auto& [name, value] : response.headers)
    out.append("\r\n").append(name).append(": ").append(value);
  if (!response.stream && response.status != 204)
    out += "\r\nContent-Length: " + std::to_string(response.body.size());
  if (close) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  if (!to_head_request) out += response.body;
  return out;
}

HttpResponse json_error(int status, std::string_view message) {
  using nlohmann::json;
  const json body{{"error", message}};
  return {status,
          "application/json",
          body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          {},
          {}};
}

}  // namespace sluice::gateway
