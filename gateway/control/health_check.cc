// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/health_check.h"

#include <algorithm>
#include <charconv>

#include "gateway/control/model.h"

namespace sluice::gateway {
namespace {

constexpr int kHttpCodeMin = 200;
constexpr int kHttpCodeMax = 599;
constexpr int kGrpcCodeMax = 99;

// The highest status that a matcher of the group may name.
int http_code_max(Protocol group) {
  if (group == Protocol::kGeneve) return 399;
  return group == Protocol::kHttp ? 499 : kHttpCodeMax;
}

bool parse_code(std::string_view text, int& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && text.front() != '-';
}

}  // namespace

std::string_view health_protocol_name(HealthProtocol protocol) {
  constexpr std::string_view kNames[] = {"TCP", "HTTP", "HTTPS", "GRPC"};
  return kNames[static_cast<int>(protocol)];
}

HealthProtocol default_health_protocol(Protocol group) {
  return group == Protocol::kHttp ? HealthProtocol::kHttp : HealthProtocol::kTcp;
}

HealthCheck default_health_check(Protocol group, HealthProtocol protocol) {
  HealthCheck check;
  check.protocol = protocol;
  if (group == Protocol::kGeneve) {
    check.port = 80;
    check.interval_s = 10;
    check.timeout_s = 5;
  } else if (protocol == HealthProtocol::kHttp || protocol == HealthProtocol::kGrpc) {
    check.timeout_s = 6;
  }
  if (protocol == HealthProtocol::kGrpc) {
    check.path = "/AWS.ALB/healthcheck";
    check.matcher = "12";
  } else if (protocol != HealthProtocol::kTcp) {
    check.path = "/";
    check.matcher = group == Protocol::kHttp ? "200" : "200-399";
  }
  return check;
}

Result<CodeRanges> CodeRanges::parse(std::string_view text, int min, int max) {
  CodeRanges codes;
  const auto refuse = [&] {
    return fail("expected codes or ranges of codes between " + std::to_string(min) + " and " +
                    std::to_string(max) + ", as in \"" + std::to_string(min) + "," +
                    std::to_string(min + 2) + "-" + std::to_string(max) + "\"",
                "matcher");
  };
  while (codes.ranges_.size() < kCodeRangesMax) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const size_t dash = part.find('-');
    const std::string_view first = part.substr(0, dash);
    const std::string_view last = dash == std::string_view::npos ? first : part.substr(dash + 1);
    Range range{};
    if (first.empty() || last.empty() || !parse_code(first, range.first) ||
        !parse_code(last, range.last))
      return refuse();
    if (range.first < min || range.last > max || range.first > range.last) return refuse();
    codes.ranges_.push_back(range);
    if (comma == std::string_view::npos) return codes;
    text.remove_prefix(comma + 1);
  }
  return fail("at most " + std::to_string(kCodeRangesMax) + " ranges of codes", "matcher");
}

bool CodeRanges::contains(int code) const {
  return std::ranges::any_of(
      ranges_, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

CodeRanges health_codes(const HealthCheck& check) {
  if (check.protocol == HealthProtocol::kTcp) return {};
  auto codes = check.protocol == HealthProtocol::kGrpc
                   ? CodeRanges::parse(check.matcher, 0, kGrpcCodeMax)
                   : CodeRanges::parse(check.matcher, kHttpCodeMin, kHttpCodeMax);
  SLUICE_CHECK(codes);  // validated before
  return std::move(*codes);
}

Result<> check_health_path(const HealthCheck& check) {
  if (check.protocol == HealthProtocol::kTcp) {
    if (check.path.empty()) return {};
    return fail("a TCP health check has no path", "path");
  }
  const bool visible =
      std::ranges::all_of(check.path, [](char c) { return c > ' ' && c < 127 && c != '#'; });
  if (check.path.starts_with('/') && check.path.size() <= kHealthPathMax && visible) return {};
  return fail("expected a path that begins with '/', of at most " + std::to_string(kHealthPathMax) +
                  " visible characters",
              "path");
}

Result<> check_health_matcher(const HealthCheck& check, Protocol group) {
  if (check.protocol == HealthProtocol::kTcp) {
    if (check.matcher.empty()) return {};
    return fail("a TCP health check has no matcher", "matcher");
  }
  auto codes = check.protocol == HealthProtocol::kGrpc
                   ? CodeRanges::parse(check.matcher, 0, kGrpcCodeMax)
                   : CodeRanges::parse(check.matcher, kHttpCodeMin, http_code_max(group));
  if (!codes) return tl::make_unexpected(std::move(codes).error());
  return {};
}

}  // namespace sluice::gateway
