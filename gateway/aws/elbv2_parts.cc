// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/elbv2_parts.h"

#include <algorithm>

#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr size_t kNameMax = 32;

}  // namespace

std::string read_name(Params& params) {
  std::string name = params.require("Name");
  const bool letters = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (name.size() > kNameMax || !letters || name.starts_with('-') || name.ends_with('-'))
    params.invalid("Name",
                   "must be 1 to 32 letters, digits and hyphens, and must not begin or "
                   "end with a hyphen");
  return name;
}

Tags read_tags(Params& params) {
  constexpr size_t kKeyMax = 128, kValueMax = 256;
  Tags out;
  auto list = params.structures("Tags", kTagsMax + 1);
  if (list.size() > kTagsMax)
    params.fail("TooManyTags", "more than " + std::to_string(kTagsMax) + " tags");
  for (Params& tag : list) {
    const std::string key = tag.require("Key");
    const std::string value = tag.text("Value").value_or("");
    if (key.size() > kKeyMax || value.size() > kValueMax)
      tag.invalid("Key", "has at most 128 bytes, and its value at most 256");
    if (key.starts_with("aws:")) tag.invalid("Key", "must not begin with 'aws:'");
    if (!out.emplace(key, value).second)
      params.fail("DuplicateTagKeys", "the tag key '" + key + "' is given twice");
  }
  return out;
}

void read_health_check(Params& params, Protocol group, HealthCheck& check, bool fresh) {
  const auto protocol = params.choice(
      "HealthCheckProtocol",
      {"HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"});
  // The matcher of gRPC says that the check is one: ELBv2 has it with protocol version GRPC.
  const auto wanted = protocol.value_or("");
  HealthProtocol kind = fresh ? default_health_protocol(group) : check.protocol;
  if (wanted == "TCP") kind = HealthProtocol::kTcp;
  if (wanted == "HTTP") kind = HealthProtocol::kHttp;
  if (wanted == "HTTPS") kind = HealthProtocol::kHttps;
  if (protocol && wanted != "TCP" && wanted != "HTTP" && wanted != "HTTPS")
    params.fail("UnsupportedProtocol",
                "health checks by " + wanted + " are not available: use TCP, HTTP or HTTPS");
  if (group == Protocol::kHttp && kind == HealthProtocol::kTcp)
    params.fail(kConfiguration,
                "Health check protocol 'TCP' is not supported for target groups "
                "with protocol 'HTTP'");
  if (fresh || kind != check.protocol) {
    const bool enabled = fresh || check.enabled;
    check = default_health_check(group, kind);
    check.enabled = enabled;
  }
  const auto take = [&](const char* name, uint64_t least, uint64_t most, auto& out) {
    const auto value = params.number(name, least, most);
    if (value) out = static_cast<std::remove_reference_t<decltype(out)>>(*value);
    return value.has_value();
  };
  const bool interval = take("HealthCheckIntervalSeconds", 5, 300, check.interval_s);
  const bool timeout = take("HealthCheckTimeoutSeconds", 2, 120, check.timeout_s);
  if (interval && !timeout) check.timeout_s = std::min(check.timeout_s, check.interval_s);
  take("HealthyThresholdCount", 2, 10, check.healthy_threshold);
  take("UnhealthyThresholdCount", 2, 10, check.unhealthy_threshold);
  if (check.timeout_s > check.interval_s)
    params.fail(kInvalid, "Health check timeout must be smaller than the interval");
  check.enabled = params.boolean("HealthCheckEnabled").value_or(check.enabled);
  const auto port = params.text("HealthCheckPort");
  if (port == "traffic-port")
    check.port = 0;
  else if (port)
    take("HealthCheckPort", 1, 65'535, check.port);
  if (const auto path = params.text("HealthCheckPath")) check.path = *path;
  if (auto matcher = params.structure("Matcher")) {
    if (const auto codes = matcher->text("HttpCode")) check.matcher = *codes;
    matcher->unavailable("GrpcCode", kConfiguration,
                         "the protocol version GRPC is not available over this API");
  }
  for (const auto& result : {check_health_path(check), check_health_matcher(check, group)})
    if (!result) params.fail(kInvalid, "Health check: " + result.error().text());
}

}  // namespace sluice::gateway::elbv2
