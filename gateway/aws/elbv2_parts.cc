// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/elbv2_parts.h"

#include <algorithm>

#include "gateway/control/validate.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr size_t kNameMax = 32;
constexpr size_t kActionsMax = 5;  // read, so that the answer is about what they are

// {TargetGroups: [{TargetGroupArn, Weight}], TargetGroupStickinessConfig}; the group's ARN.
std::string read_forward_config(Params config) {
  auto groups = config.structures("TargetGroups", kActionsMax);
  if (groups.size() != 1) {
    config.fail(kConfiguration,
                "a forward action has exactly one target group here: weights are not available");
    return {};
  }
  std::string arn = groups[0].require("TargetGroupArn");
  if (groups[0].number("Weight", 0, 999) == 0u)
    config.fail(kConfiguration, "the weight of the only target group cannot be 0");
  if (auto stickiness = config.structure("TargetGroupStickinessConfig")) {
    const bool enabled = stickiness->boolean("Enabled").value_or(false);
    (void)stickiness->number("DurationSeconds", 1, 604'800);
    if (enabled) config.fail(kConfiguration, "stickiness of target groups is not available here");
  }
  return arn;
}

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

std::string read_forward_action(Params& params, const char* list) {
  auto actions = params.structures(list, kActionsMax);
  if (actions.empty()) {
    params.fail(kInvalid, "'" + std::string(list) + "' must have an action");
    return {};
  }
  std::string arn;
  for (Params& action : actions) {
    const std::string type =
        action
            .choice("Type", {"forward", "authenticate-oidc", "authenticate-cognito", "redirect",
                             "fixed-response", "jwt-validation"})
            .value_or("");
    if (type.empty())
      (void)action.require("Type");
    else if (type != "forward")
      action.fail(kConfiguration, "actions of type '" + type +
                                      "' are not available here: forward "
                                      "to a target group that answers so");
    (void)action.number("Order", 1, 50'000);
    arn = action.text("TargetGroupArn").value_or("");
    auto config = action.structure("ForwardConfig");
    if (!config) continue;
    const std::string in_config = read_forward_config(*config);
    if (!arn.empty() && arn != in_config)
      action.fail(kConfiguration, "TargetGroupArn and ForwardConfig name different target groups");
    arn = in_config;
  }
  if (actions.size() > 1)
    params.fail("TooManyActions", "a listener or rule has exactly one action here");
  if (arn.empty()) params.fail(kInvalid, "A target group ARN must be specified");
  return arn;
}

AwsResult<Action> forward_to(const Config& config, const Place& place, const Listener& listener,
                             const std::string& group_arn) {
  SLUICE_TRY(const TargetGroup* group, find_target_group(config, place, group_arn));
  if (group->protocol != listener.protocol)
    return refuse("IncompatibleProtocols",
                  "The listener has protocol " + std::string(protocol_name(listener.protocol)) +
                      " and the target group '" + group->name + "' has protocol " +
                      std::string(protocol_name(group->protocol)));
  return Action{group->name};
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
