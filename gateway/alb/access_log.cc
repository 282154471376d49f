// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace sluice::gateway {
namespace {

void append_text(std::string_view name, std::string_view value, std::string* out) {
  *out += ",\"";
  *out += name;
  *out += "\":\"";
  for (char c : value) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      *out += escape;
    } else {
      *out += c;
    }
  }
  *out += '"';
}

void append_number(std::string_view name, int64_t value, std::string* out) {
  *out += ",\"";
  *out += name;
  *out += "\":" + std::to_string(value);
}

void append_seconds(std::string_view name, int64_t us, std::string* out) {
  char text[32] = "-1";
  if (us != kNoDuration) {
    std::snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(us / 1000000),
                  static_cast<long long>(us % 1000000));
  }
  *out += ",\"";
  *out += name;
  *out += "\":";
  *out += text;
}

void append_time(uint64_t time_us, std::string* out) {
  auto seconds = static_cast<time_t>(time_us / 1000000);
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[32], text[64];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "{\"time\":\"%s.%06uZ\"", date,
                static_cast<unsigned>(time_us % 1000000));
  *out += text;
}

}  // namespace

void AccessRecord::clear() {
  for (std::string* text :
       {&client, &method, &host, &path, &user_agent, &trace_id, &target_group, &target}) {
    text->clear();
  }
  time_us = received_bytes = sent_bytes = 0;
  rule_priority = -1;
  elb_status = target_status = 0;
  request_processing_us = target_processing_us = response_processing_us = kNoDuration;
  error_reason = {};
}

void append_access_line(const AccessRecord& record, std::string_view load_balancer,
                        std::string* out) {
  append_time(record.time_us, out);
  append_text("type", "http", out);
  append_text("elb", load_balancer, out);
  append_text("client", record.client, out);
  append_text("method", record.method, out);
  append_text("host", record.host, out);
  append_text("path", record.path, out);
  append_number("rule_priority", record.rule_priority, out);
  append_text("target_group", record.target_group, out);
  append_text("target", record.target, out);
  append_number("elb_status", record.elb_status, out);
  append_number("target_status", record.target_status, out);
  append_number("received_bytes", static_cast<int64_t>(record.received_bytes), out);
  append_number("sent_bytes", static_cast<int64_t>(record.sent_bytes), out);
  append_seconds("request_processing_time", record.request_processing_us, out);
  append_seconds("target_processing_time", record.target_processing_us, out);
  append_seconds("response_processing_time", record.response_processing_us, out);
  append_text("user_agent", record.user_agent, out);
  append_text("trace_id", record.trace_id, out);
  append_text("error_reason", record.error_reason, out);
  *out += "}\n";
}

Result<AccessLog> AccessLog::open(const std::string& path) {
  AccessLog log;
  log.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!log.fd_) return fail_errno("cannot open the access log", path);
  return log;
}

bool AccessLog::write(const AccessRecord& record, std::string_view load_balancer) {
  if (!fd_) return true;
  line_.clear();
  append_access_line(record, load_balancer, &line_);
  return ::write(fd_.get(), line_.data(), line_.size()) == static_cast<ssize_t>(line_.size());
}

}  // namespace sluice::gateway
