// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/arn.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::gateway {
namespace {

constexpr std::string_view kPrefix = "arn:aws:elasticloadbalancing:";
constexpr size_t kArnPartsMax = 8;

std::string_view type_word(LoadBalancerType type) {
  constexpr std::string_view kWords[] = {"gwy", "net", "app"};
  return kWords[static_cast<int>(type)];
}

std::string prefix_of(const Place& place, const char* kind) {
  return std::string(kPrefix) + place.region + ":" + place.account + ":" + kind + "/";
}

// "gwy/NAME/ID"
std::string path_of(const LoadBalancer& balancer) {
  return std::string(type_word(balancer.type)) + "/" + balancer.name + "/" + balancer.id;
}

// What stands behind the account, cut at its slashes: {"targetgroup", NAME, ID}. Empty for a text
// that is no ARN of this service; `here` tells whether it is one of this gateway.
struct ArnParts {
  std::vector<std::string_view> parts;
  bool here = false;
};
ArnParts parts_of(const Place& place, std::string_view arn) {
  ArnParts out;
  if (!arn.starts_with(kPrefix)) return out;
  std::string_view rest = arn.substr(kPrefix.size());
  const size_t region = rest.find(':');
  const size_t account = region == std::string_view::npos ? region : rest.find(':', region + 1);
  if (account == std::string_view::npos) return out;
  out.here = rest.substr(0, region) == place.region &&
             rest.substr(region + 1, account - region - 1) == place.account;
  rest.remove_prefix(account + 1);
  while (out.parts.size() < kArnPartsMax) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    out.parts.push_back(rest.substr(0, slash));
    if (slash == rest.size()) break;
    rest.remove_prefix(slash + 1);
  }
  return out;
}

// The parts behind `kind` of an ARN that has as many, or why it is none.
struct Found {
  std::vector<std::string_view> parts;
  bool here;
};
AwsResult<Found> take(const Place& place, const std::string& arn, std::string_view kind,
                      size_t count, const char* what) {
  ArnParts found = parts_of(place, arn);
  if (found.parts.size() != count + 1 || found.parts[0] != kind)
    return refuse("ValidationError", "'" + arn + "' is not a valid " + std::string(what) + " ARN");
  found.parts.erase(found.parts.begin());
  return Found{std::move(found.parts), found.here};
}

const LoadBalancer* balancer_at(const Config& config, std::span<const std::string_view> parts) {
  const LoadBalancer* balancer = config.load_balancer(parts[1]);
  const bool same =
      balancer != nullptr && balancer->id == parts[2] && type_word(balancer->type) == parts[0];
  return same ? balancer : nullptr;
}

ListenerRef listener_at(const Config& config, std::span<const std::string_view> parts) {
  const LoadBalancer* balancer = balancer_at(config, parts);
  if (balancer == nullptr) return {nullptr, nullptr};
  const auto at = std::ranges::find(balancer->listeners, parts[3], &Listener::id);
  return {balancer, at == balancer->listeners.end() ? nullptr : &*at};
}

}  // namespace

std::string arn_of(const Place& place, const LoadBalancer& balancer) {
  return prefix_of(place, "loadbalancer") + path_of(balancer);
}

std::string arn_of(const Place& place, const TargetGroup& group) {
  return prefix_of(place, "targetgroup") + group.name + "/" + group.id;
}

std::string arn_of(const Place& place, const LoadBalancer& balancer, const Listener& listener) {
  return prefix_of(place, "listener") + path_of(balancer) + "/" + listener.id;
}

std::string arn_of(const Place& place, const LoadBalancer& balancer, const Listener& listener,
                   const Rule& rule) {
  return prefix_of(place, "listener-rule") + path_of(balancer) + "/" + listener.id + "/" + rule.id;
}

std::string default_rule_arn(const Place& place, const LoadBalancer& balancer,
                             const Listener& listener) {
  return prefix_of(place, "listener-rule") + path_of(balancer) + "/" + listener.id + "/" +
         listener.id;
}

LoadBalancer& changeable(Config& next, const LoadBalancer& found) {
  return *next.load_balancers.edit(found.name);
}

TargetGroup& changeable(Config& next, const TargetGroup& found) {
  return *next.target_groups.edit(found.name);
}

Listener& changeable(Config& next, const ListenerRef& found) {
  const auto number = found.listener - found.balancer->listeners.data();
  return changeable(next, *found.balancer).listeners[static_cast<size_t>(number)];
}

Rule& changeable(Config& next, const RuleRef& found) {
  const auto number = found.rule - found.listener->rules.data();
  return changeable(next, ListenerRef{found.balancer, found.listener})
      .rules[static_cast<size_t>(number)];
}

AwsResult<const LoadBalancer*> find_load_balancer(const Config& config, const Place& place,
                                                  const std::string& arn) {
  SLUICE_TRY(const Found found, take(place, arn, "loadbalancer", 3, "load balancer"));
  const LoadBalancer* balancer = found.here ? balancer_at(config, found.parts) : nullptr;
  if (balancer == nullptr)
    return refuse("LoadBalancerNotFound", "Load balancer '" + arn + "' not found");
  return balancer;
}

AwsResult<const TargetGroup*> find_target_group(const Config& config, const Place& place,
                                                const std::string& arn) {
  SLUICE_TRY(const Found found, take(place, arn, "targetgroup", 2, "target group"));
  const TargetGroup* group = found.here ? config.target_group(found.parts[0]) : nullptr;
  if (group == nullptr || group->id != found.parts[1])
    return refuse("TargetGroupNotFound", "Target group '" + arn + "' not found");
  return group;
}

AwsResult<ListenerRef> find_listener(const Config& config, const Place& place,
                                     const std::string& arn) {
  SLUICE_TRY(const Found found, take(place, arn, "listener", 4, "listener"));
  const ListenerRef ref =
      found.here ? listener_at(config, found.parts) : ListenerRef{nullptr, nullptr};
  if (ref.listener == nullptr)
    return refuse("ListenerNotFound", "Listener '" + arn + "' not found");
  return ref;
}

AwsResult<RuleRef> find_rule(const Config& config, const Place& place, const std::string& arn) {
  SLUICE_TRY(const Found found, take(place, arn, "listener-rule", 5, "listener rule"));
  const ListenerRef ref =
      found.here ? listener_at(config, found.parts) : ListenerRef{nullptr, nullptr};
  if (ref.listener != nullptr) {
    const auto at = std::ranges::find(ref.listener->rules, found.parts[4], &Rule::id);
    if (at != ref.listener->rules.end()) return RuleRef{ref.balancer, ref.listener, &*at};
    if (found.parts[4] == ref.listener->id) return RuleRef{ref.balancer, ref.listener, nullptr};
  }
  return refuse("RuleNotFound", "Rule '" + arn + "' not found");
}

AwsResult<const Resource*> find_resource(const Config& config, const Place& place,
                                         const std::string& arn) {
  const ArnParts found = parts_of(place, arn);
  const std::string_view kind = found.parts.empty() ? "" : found.parts[0];
  if (kind == "targetgroup") return find_target_group(config, place, arn);
  if (kind == "listener") {
    SLUICE_TRY(const ListenerRef ref, find_listener(config, place, arn));
    return ref.listener;
  }
  if (kind == "listener-rule") {
    SLUICE_TRY(const RuleRef ref, find_rule(config, place, arn));
    if (ref.rule != nullptr) return ref.rule;
    return refuse("OperationNotPermitted", "the default rule has no tags of its own");
  }
  return find_load_balancer(config, place, arn);
}

AwsResult<Resource*> changeable_resource(Config& next, const Place& place, const std::string& arn) {
  SLUICE_TRY_VOID(find_resource(next, place, arn));
  // Once the whole object is the state's own, the part that is found may be changed in it.
  const auto parts = parts_of(place, arn).parts;
  if (parts[0] == "targetgroup")
    next.target_groups.edit(parts[1]);
  else
    next.load_balancers.edit(parts[2]);
  SLUICE_TRY(const Resource* own, find_resource(next, place, arn));
  return const_cast<Resource*>(own);
}

}  // namespace sluice::gateway
