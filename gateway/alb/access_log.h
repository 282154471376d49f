// SPDX-License-Identifier: Apache-2.0
// One line of JSON for each request, in a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/proxy/socket.h"
#include "tunnels/result.h"

namespace sluice::gateway {

constexpr int64_t kNoDuration = -1;  // the request did not come that far

struct AccessRecord {
  uint64_t time_us = 0;  // since 1970: when the head was complete
  std::string client;    // address:port
  std::string method, host, path, user_agent, trace_id;
  int64_t rule_priority = -1;  // 0: default action; -1: not routed
  std::string target_group, target;
  int elb_status = 0;
  int target_status = 0;  // 0: none
  uint64_t received_bytes = 0, sent_bytes = 0;
  int64_t request_processing_us = kNoDuration;   // head complete to sent to a target
  int64_t target_processing_us = kNoDuration;    // from there to the head of the response
  int64_t response_processing_us = kNoDuration;  // from there to its end
  std::string_view error_reason;

  void clear();  // keeps the strings' memory
};

// The record as JSON, with a line feed. Bytes that are not ASCII are shown as \u00XX.
void append_access_line(const AccessRecord& record, std::string_view load_balancer,
                        std::string* out);

class AccessLog {
 public:
  AccessLog() = default;  // writes nothing
  static Result<AccessLog> open(const std::string& path);

  // False when the line could not be written (the disk is full, ...).
  bool write(const AccessRecord& record, std::string_view load_balancer);
  bool enabled() const { return static_cast<bool>(fd_); }

 private:
  UniqueFd fd_;
  std::string line_;
};

}  // namespace sluice::gateway
