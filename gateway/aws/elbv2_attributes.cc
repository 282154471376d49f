// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/elbv2.h"

#include <algorithm>

#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/xml.h"
#include "gateway/control/attributes.h"

namespace sluice::gateway::elbv2 {
namespace {

constexpr size_t kAttributesMax = 64;

Attributes read_attributes(Params& in) {
  Attributes out;
  for (Params& one : in.structures("Attributes", kAttributesMax)) {
    const std::string key = one.require("Key");
    if (!out.emplace(key, one.text("Value").value_or("")).second)
      one.fail(kInvalid, "the attribute '" + key + "' is given twice");
  }
  if (out.empty()) in.fail(kInvalid, "'Attributes' must have an element");
  return out;
}

AwsResult<> set(AttributeScope scope, LoadBalancerType type, const Attributes& wanted,
                Attributes& attributes) {
  for (const auto& [name, value] : wanted) {
    if (const auto good = check_attribute(scope, type, name, value); !good)
      return refuse(kConfiguration, good.error().what);
    attributes[name] = value;
  }
  return {};
}

void write(pugi::xml_node out, const Attributes& attributes) {
  auto list = add(out, "Attributes");
  for (const auto& [name, value] : attributes) {
    auto member = add(list, "member");
    add(member, "Key", name);
    add(member, "Value", value);
  }
}

// All listeners that set it have the same.
void share_idle_timeout(Config& next, const std::string& value) {
  std::vector<std::string> others;
  for (const LoadBalancer& balancer : next.load_balancers)
    if (std::ranges::any_of(balancer.listeners, [&](const Listener& listener) {
          const auto at = listener.attributes.find(kTcpIdleTimeout);
          return at != listener.attributes.end() && at->second != value;
        }))
      others.push_back(balancer.name);
  for (const std::string& name : others)
    for (Listener& listener : next.load_balancers.edit(name)->listeners)
      if (const auto at = listener.attributes.find(kTcpIdleTimeout);
          at != listener.attributes.end())
        at->second = value;
}

}  // namespace

AwsResult<> describe_load_balancer_attributes(Call& call) {
  const std::string arn = call.params.require("LoadBalancerArn");
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(const LoadBalancer* balancer, find_load_balancer(call.config(), call.place, arn));
  write(call.out, all_attributes(*balancer));
  return {};
}

AwsResult<> modify_load_balancer_attributes(Call& call) {
  const std::string arn = call.params.require("LoadBalancerArn");
  const Attributes wanted = read_attributes(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const LoadBalancer* found, find_load_balancer(next, call.place, arn));
    LoadBalancer& balancer = changeable(next, *found);
    return set(AttributeScope::kLoadBalancer, balancer.type, wanted, balancer.attributes);
  }));
  SLUICE_TRY(const LoadBalancer* now, find_load_balancer(call.config(), call.place, arn));
  write(call.out, all_attributes(*now));
  return {};
}

AwsResult<> describe_target_group_attributes(Call& call) {
  const std::string arn = call.params.require("TargetGroupArn");
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(const TargetGroup* group, find_target_group(call.config(), call.place, arn));
  write(call.out, all_attributes(*group));
  return {};
}

AwsResult<> modify_target_group_attributes(Call& call) {
  const std::string arn = call.params.require("TargetGroupArn");
  const Attributes wanted = read_attributes(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const TargetGroup* found, find_target_group(next, call.place, arn));
    TargetGroup& group = changeable(next, *found);
    return set(AttributeScope::kTargetGroup, balancer_type(group.protocol), wanted,
               group.attributes);
  }));
  SLUICE_TRY(const TargetGroup* now, find_target_group(call.config(), call.place, arn));
  write(call.out, all_attributes(*now));
  return {};
}

AwsResult<> describe_listener_attributes(Call& call) {
  const std::string arn = call.params.require("ListenerArn");
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY(const ListenerRef ref, find_listener(call.config(), call.place, arn));
  write(call.out, all_attributes(call.config(), *ref.balancer, *ref.listener));
  return {};
}

AwsResult<> modify_listener_attributes(Call& call) {
  const std::string arn = call.params.require("ListenerArn");
  const Attributes wanted = read_attributes(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    SLUICE_TRY(const ListenerRef ref, find_listener(next, call.place, arn));
    const LoadBalancerType type = ref.balancer->type;
    const auto done =
        set(AttributeScope::kListener, type, wanted, changeable(next, ref).attributes);
    const auto idle = wanted.find(kTcpIdleTimeout);
    if (idle != wanted.end()) share_idle_timeout(next, idle->second);
    return done;
  }));
  SLUICE_TRY(const ListenerRef now, find_listener(call.config(), call.place, arn));
  write(call.out, all_attributes(call.config(), *now.balancer, *now.listener));
  return {};
}

}  // namespace sluice::gateway::elbv2
