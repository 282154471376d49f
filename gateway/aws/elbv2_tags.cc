// SPDX-License-Identifier: Apache-2.0
// Tags and account limits.
#include "gateway/aws/elbv2.h"
#include "gateway/aws/elbv2_parts.h"
#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"
#include "gateway/datapath/tables.h"

namespace sluice::gateway::elbv2 {
namespace {

std::vector<std::string> read_arns(Params& in) {
  auto arns = in.texts("ResourceArns", kArnsMax);
  if (arns.empty()) in.fail(kInvalid, "'ResourceArns' must have an element");
  return arns;
}

AwsResult<> change(Call& call, const std::vector<std::string>& arns,
                   const std::function<AwsResult<>(Tags& tags)>& how) {
  return call.commit([&](Config& next) -> AwsResult<> {
    for (const std::string& arn : arns) {
      SLUICE_TRY(Resource * resource, changeable_resource(next, call.place, arn));
      SLUICE_TRY_VOID(how(resource->tags));
    }
    return {};
  });
}

}  // namespace

AwsResult<> add_tags(Call& call) {
  const auto arns = read_arns(call.params);
  const Tags tags = read_tags(call.params);
  if (tags.empty()) call.params.fail(kInvalid, "'Tags' must have an element");
  SLUICE_TRY_VOID(call.params.finish());
  return change(call, arns, [&](Tags& there) -> AwsResult<> {
    for (const auto& [key, value] : tags) there[key] = value;
    if (there.size() <= kTagsMax) return {};
    return refuse("TooManyTags", "more than " + std::to_string(kTagsMax) + " tags");
  });
}

AwsResult<> remove_tags(Call& call) {
  const auto arns = read_arns(call.params);
  const auto keys = call.params.texts("TagKeys", kTagsMax);
  SLUICE_TRY_VOID(call.params.finish());
  return change(call, arns, [&](Tags& there) -> AwsResult<> {
    for (const std::string& key : keys) there.erase(key);
    return {};
  });
}

AwsResult<> describe_tags(Call& call) {
  const auto arns = read_arns(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  auto list = add(call.out, "TagDescriptions");
  for (const std::string& arn : arns) {
    SLUICE_TRY(const Resource* resource, find_resource(call.config(), call.place, arn));
    auto member = add(list, "member");
    add(member, "ResourceArn", arn);
    auto tags = add(member, "Tags");
    for (const auto& [key, value] : resource->tags) {
      auto tag = add(tags, "member");
      add(tag, "Key", key);
      add(tag, "Value", value);
    }
  }
  return {};
}

AwsResult<> describe_account_limits(Call& call) {
  const Page page(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  struct Limit {
    const char* name;
    size_t max;
  };
  std::vector<Limit> limits{
      {"gateway-load-balancers", kLoadBalancersMax},
      {"network-load-balancers", kLoadBalancersMax},
      {"application-load-balancers", kLoadBalancersMax},
      {"listeners-per-network-load-balancer", kListenersPerLoadBalancerMax},
      {"listeners-per-application-load-balancer", kListenersPerLoadBalancerMax},
      {"rules-per-application-load-balancer", kRulesMax},
      {"condition-values-per-alb-rule", kConditionValuesMax},
      {"target-groups", kTargetGroupsMax},
      {"geneve-target-groups", kApplianceGroupsMax},
      {"targets-per-target-group", kTargetsPerGroupMax},
  };
  auto list = add(call.out, "Limits");
  page.cut(limits, call.out, [](const Limit& limit) { return std::string(limit.name); });
  for (const Limit& limit : limits) {
    auto member = add(list, "member");
    add(member, "Name", limit.name);
    add(member, "Max", std::to_string(limit.max));
  }
  return {};
}

}  // namespace sluice::gateway::elbv2
