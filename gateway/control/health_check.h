// SPDX-License-Identifier: Apache-2.0
// How targets are checked: ELBv2's health check settings, their defaults and limits by type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

enum class Protocol;

enum class HealthProtocol { kTcp, kHttp, kHttps, kGrpc };
std::string_view health_protocol_name(HealthProtocol protocol);  // "HTTPS"

inline constexpr size_t kHealthPathMax = 1024;
inline constexpr size_t kCodeRangesMax = 16;  // in one matcher

// ELBv2's ranges, but intervals and timeouts from 1 s.
struct HealthCheck {
  uint16_t port = 0;                // 0: the target's own port ("traffic-port")
  uint16_t interval_s = 30;         // between checks, 1-300
  uint16_t timeout_s = 10;          // 1-120, at most the interval
  uint8_t healthy_threshold = 5;    // successes in a row to become healthy, 2-10
  uint8_t unhealthy_threshold = 2;  // failures in a row to become unhealthy, 2-10
  HealthProtocol protocol = HealthProtocol::kTcp;
  bool enabled = true;  // false: every target is `unavailable` and gets traffic
  std::string path;     // HTTP, HTTPS, GRPC
  std::string matcher;  // HTTP, HTTPS: status codes; GRPC: gRPC codes; "200-299,302"
  bool operator==(const HealthCheck&) const = default;
};

// The settings of a target group that says nothing; `protocol` as the group's checks have it.
HealthCheck default_health_check(Protocol group, HealthProtocol protocol);
// What a group of this protocol is checked with unless it says otherwise.
HealthProtocol default_health_protocol(Protocol group);

// A matcher's codes.
class CodeRanges {
 public:
  // Codes and ranges, separated by commas, all within `min` to `max`.
  static Result<CodeRanges> parse(std::string_view text, int min, int max);
  bool contains(int code) const;

 private:
  struct Range {
    int first, last;
  };
  std::vector<Range> ranges_;
};

// The matcher of a valid HealthCheck; without codes for TCP.
CodeRanges health_codes(const HealthCheck& check);

// What is wrong with one setting: Error::where is its ELBv2 name in snake_case ("matcher").
Result<> check_health_path(const HealthCheck& check);
Result<> check_health_matcher(const HealthCheck& check, Protocol group);

}  // namespace sluice::gateway
