// SPDX-License-Identifier: Apache-2.0
// Actions of listeners and rules, as clients write them.
#include "gateway/aws/elbv2_parts.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr size_t kActionsMax = 5;  // read, so that the answer is about what they are

void read_forward_config(Params config, Action& out) {
  auto groups = config.structures("TargetGroups", kWeightedGroupsMax + 1);
  if (groups.empty()) config.fail(kInvalid, "'TargetGroups' must have an element");
  if (groups.size() > kWeightedGroupsMax)
    config.fail(kInvalid, "a forward action has at most 5 target groups");
  std::vector<WeightedGroup> all;
  for (Params& group : groups)
    all.push_back({group.require("TargetGroupArn"),
                   static_cast<uint16_t>(group.number("Weight", 0, kWeightMax).value_or(1))});
  if (all.size() > 1) {
    if (!out.target_group.empty())
      config.fail(kInvalid, "TargetGroupArn cannot be given beside several target groups");
    out.weighted = std::move(all);
  } else if (!all.empty()) {
    if (all[0].weight == 0)
      config.fail(kInvalid, "the weight of the only target group cannot be 0");
    if (!out.target_group.empty() && out.target_group != all[0].target_group)
      config.fail(kInvalid, "TargetGroupArn and ForwardConfig name different target groups");
    out.target_group = all[0].target_group;
  }
  if (auto stickiness = config.structure("TargetGroupStickinessConfig")) {
    const bool enabled = stickiness->boolean("Enabled").value_or(false);
    (void)stickiness->number("DurationSeconds", 1, 604'800);
    if (enabled) config.fail(kConfiguration, "stickiness of target groups is not available here");
  }
}

void judge(Params& in, const Result<>& good) {
  if (!good) in.fail(kInvalid, "'" + good.error().where + "': " + good.error().what);
}

void read_redirect_config(Params config, Redirect& out) {
  const auto take = [&](const char* name, std::string& to) {
    if (const auto text = config.text(name)) to = *text;
  };
  take("Protocol", out.protocol);
  take("Host", out.host);
  take("Port", out.port);
  take("Path", out.path);
  take("Query", out.query);
  (void)config.require("StatusCode");
  out.status = config.choice("StatusCode", {"HTTP_301", "HTTP_302"}) == "HTTP_302" ? 302 : 301;
  judge(config, check_redirect(out));
}

void read_fixed_response_config(Params config, FixedResponse& out) {
  (void)config.require("StatusCode");
  out.status = static_cast<uint16_t>(config.number("StatusCode", 200, 599).value_or(503));
  out.content_type = config.text("ContentType").value_or("");
  out.body = config.text("MessageBody").value_or("");
  judge(config, check_fixed_response(out));
}

void read_forward(Params& in, Action& out) {
  out.target_group = in.text("TargetGroupArn").value_or("");
  if (auto config = in.structure("ForwardConfig")) read_forward_config(*config, out);
  if (out.target_group.empty() && out.weighted.empty())
    in.fail(kInvalid, "A target group ARN must be specified");
}

void read_one(Params& in, Action& out) {
  const std::string type =
      in.choice("Type", {"forward", "authenticate-oidc", "authenticate-cognito", "redirect",
                         "fixed-response", "jwt-validation"})
          .value_or("");
  (void)in.number("Order", 1, 50'000);
  if (type.empty()) {
    (void)in.require("Type");
  } else if (type == "forward") {
    read_forward(in, out);
  } else if (type == "redirect") {
    auto config = in.structure("RedirectConfig");
    if (!config) return in.fail(kInvalid, "A redirect needs a RedirectConfig");
    read_redirect_config(*config, out.redirect.emplace());
  } else if (type == "fixed-response") {
    auto config = in.structure("FixedResponseConfig");
    if (!config) return in.fail(kInvalid, "A fixed response needs a FixedResponseConfig");
    read_fixed_response_config(*config, out.fixed_response.emplace());
  } else {
    in.fail(kConfiguration,
            "actions of type '" + type +
                "' are not available here: use forward, redirect or fixed-response");
  }
}

AwsResult<std::string> group_name(const Config& config, const Place& place,
                                  const Listener& listener, const std::string& arn) {
  SLUICE_TRY(const TargetGroup* group, find_target_group(config, place, arn));
  if (group->protocol == listener.protocol) return group->name;
  return refuse("IncompatibleProtocols",
                "The listener has protocol " + std::string(protocol_name(listener.protocol)) +
                    " and the target group '" + group->name + "' has protocol " +
                    std::string(protocol_name(group->protocol)));
}

}  // namespace

std::optional<Action> read_action(Params& params, const char* list) {
  if (!params.has(list)) return std::nullopt;
  auto actions = params.structures(list, kActionsMax);
  if (actions.empty()) {
    params.fail(kInvalid, "'" + std::string(list) + "' must have an action");
    return std::nullopt;
  }
  Action out;
  for (Params& action : actions) read_one(action, out);
  if (actions.size() > 1)
    params.fail("TooManyActions", "a listener or rule has exactly one action here");
  return out;
}

AwsResult<Action> resolve_action(const Config& config, const Place& place,
                                 const LoadBalancer& balancer, const Listener& listener,
                                 Action action) {
  const bool plain = action.is_forward() && action.weighted.empty();
  if (!plain && balancer.type != LoadBalancerType::kApplication)
    return refuse("InvalidLoadBalancerAction",
                  "Weights, redirects and fixed responses are for application load balancers");
  if (!action.is_forward()) return action;
  if (plain) {
    SLUICE_TRY(action.target_group, group_name(config, place, listener, action.target_group));
  }
  for (WeightedGroup& group : action.weighted) {
    SLUICE_TRY(group.target_group, group_name(config, place, listener, group.target_group));
  }
  return action;
}

}  // namespace sluice::gateway::elbv2
