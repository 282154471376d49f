// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/validate.h"

#include <algorithm>
#include <set>

#include "gateway/control/validator.h"
#include "gateway/datapath/tables.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {

static_assert(kRegisteredAppliancesMax * 2 == kAppliancesMax);
static_assert(kRegisteredNetworkTargetsMax * 2 == kNetworkTargetsMax);
static_assert(kNlbFrontendsMax * 8 == kListenersMax);

namespace {

const Config kNothing;

}  // namespace

std::vector<Error> validate(const Config& config, const Broken& broken) {
  return Validator(config, broken).run();
}

std::vector<Error> validate_change(const Config& before, const Config& config) {
  return Validator(config, {}, &before).run();
}

std::string Path::text() const {
  std::string out = parent_ == nullptr ? std::string() : parent_->text() + ".";
  out += key_;
  return index_ ? out + "[" + std::to_string(*index_) + "]" : out;
}

Validator::Validator(const Config& config, const Broken& broken, const Config* before)
    : config_(config),
      broken_(broken),
      before_(before == nullptr ? kNothing : *before),
      same_network_(before != nullptr && config.network.same_objects(before->network) &&
                    config.gateway == before->gateway),
      same_balancers_(same_network_ && config.load_balancers.same_objects(before->load_balancers)) {
}

std::vector<Error> Validator::run() {
  check_names("load_balancers", config_.load_balancers);
  check_names("target_groups", config_.target_groups);
  check_names("attachments", config_.attachments);
  check_names("endpoint_services", config_.endpoint_services);
  if (!same_network_) check_network();
  for (size_t i = 0; i < config_.target_groups.size(); i++)
    if (const TargetGroup& group = config_.target_groups[i];
        !is_known(before_.target_groups, group))
      check_target_group(Path("target_groups", i), group);
  check_balancers();
  if (!same_balancers_ || !config_.attachments.same_objects(before_.attachments))
    check_attachments();
  if (!same_balancers_ || !config_.endpoint_services.same_objects(before_.endpoint_services))
    check_services();
  check_limits();
  check_gateway();
  check_profiles();
  return std::move(errors_);
}

void Validator::say(const std::string& path, std::string what) {
  if (!is_broken(path)) errors_.push_back({std::move(what), path, {}});
}

bool is_name(std::string_view name) {
  constexpr size_t kNameMax = 32;
  const bool letters = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  return letters && !name.empty() && name.size() <= kNameMax;
}

// Each name is there once.
template <class Object>
void Validator::check_names(std::string_view list, const ObjectList<Object>& objects) {
  for (size_t i = 0; i < objects.size(); i++) {
    const std::string& name = objects[i].name;
    if (!is_name(name))
      say(Path(list, i) + ".name", "a name is 1 to 32 letters, digits and hyphens");
    else if (objects.find(name) != &objects[i])
      say(Path(list, i) + ".name", "the name '" + name + "' is taken");
  }
}

void Validator::check_balancers() {
  for (size_t i = 0; i < config_.load_balancers.size(); i++) {
    const LoadBalancer& lb = config_.load_balancers[i];
    const Path path("load_balancers", i);
    if (is_broken(path, ".type")) continue;
    const bool known = is_known(before_.load_balancers, lb);
    if (!known) check_load_balancer(path, lb);
    for (size_t n = 0; n < lb.listeners.size(); n++)
      check_place(path.at("listeners", n), lb, lb.listeners[n], known);
  }
}

void Validator::check_services() {
  for (size_t i = 0; i < config_.endpoint_services.size(); i++) {
    const EndpointService& service = config_.endpoint_services[i];
    const Path path("endpoint_services", i);
    check_tags(path, service.tags);
    check_gateway_reference(path + ".load_balancer", service.load_balancer);
  }
}

void Validator::check_gateway_reference(const std::string& path, const std::string& name) {
  const LoadBalancer* found = config_.load_balancer(name);
  if (found == nullptr) {
    std::vector<std::string_view> names;
    for (const LoadBalancer& known : config_.load_balancers) names.push_back(known.name);
    return say(path,
               "there is no load balancer '" + name + "'" + tunnels::did_you_mean(name, names));
  }
  if (is_broken(Path("load_balancers", config_.load_balancers.place_of(name)), ".type")) return;
  if (found->type != LoadBalancerType::kGateway)
    say(path, "load balancer '" + name + "' is not of type gateway");
}

void Validator::check_attachments() {
  std::set<std::string_view> interfaces(config_.gateway.tunnel_interfaces.begin(),
                                        config_.gateway.tunnel_interfaces.end());
  std::set<uint64_t> endpoint_ids;
  for (size_t i = 0; i < config_.attachments.size(); i++) {
    const Attachment& attachment = config_.attachments[i];
    const Path path("attachments", i);
    if (!endpoint_ids.insert(attachment.endpoint_id).second)
      say(path + ".endpoint_id", "another attachment has this endpoint id");
    for (const auto& [key, name] :
         {std::pair{".outside", &attachment.outside}, std::pair{".inside", &attachment.inside}}) {
      if (!is_interface_name(*name))
        say(path + key, "no name of an interface (1 to 15 characters)");
      else if (!interfaces.insert(*name).second)
        say(path + key, "interface '" + *name + "' is used twice");
    }
    check_tags(path, attachment.tags);
    if (!attachment.subnet.empty()) find_subnet(path.at("subnet"), attachment.subnet);
    check_gateway_reference(path + ".load_balancer", attachment.load_balancer);
  }
}

void Validator::check_attributes(const Path& path, AttributeScope scope, LoadBalancerType type,
                                 const Attributes& attributes) {
  for (const auto& [name, value] : attributes)
    if (const auto result = check_attribute(scope, type, name, value); !result)
      say(path + ".attributes." + name, result.error().what);
}

void Validator::check_tags(const Path& path, const Tags& tags) {
  constexpr size_t kKeyMax = 128, kValueMax = 256;
  if (tags.size() > kTagsMax)
    say(path + ".tags", "at most " + std::to_string(kTagsMax) + " tags are possible");
  for (const auto& [key, value] : tags)
    if (key.empty() || key.size() > kKeyMax || value.size() > kValueMax)
      say(path + ".tags", "a tag's key has 1 to 128 characters, its value at most 256");
}

void Validator::check_limits() {
  struct Count {
    size_t groups = 0, targets = 0;
  };
  Count appliances, network, http;
  size_t addresses = 0;
  for (const TargetGroup& group : config_.target_groups) {
    Count& count = group.protocol == Protocol::kGeneve ? appliances
                   : group.protocol == Protocol::kHttp ? http
                                                       : network;
    count.groups++;
    count.targets += group.targets.size();
  }
  for (const LoadBalancer& lb : config_.load_balancers) {
    if (lb.type != LoadBalancerType::kNetwork) continue;
    for (const Listener& listener : lb.listeners) addresses += addresses_of(lb, listener).size();
  }
  const auto check = [&](const char* path, size_t count, size_t max, const char* what) {
    if (count > max)
      say(path, std::to_string(count) + " " + what + "; at most " + std::to_string(max) +
                    " are possible");
  };
  check("load_balancers", config_.load_balancers.size(), kLoadBalancersMax, "load balancers");
  check("attachments", config_.attachments.size(), kAttachmentsMax, "attachments");
  check("endpoint_services", config_.endpoint_services.size(), kEndpointServicesMax, "services");
  check("target_groups", config_.target_groups.size(), kTargetGroupsMax, "target groups");
  check("target_groups", appliances.groups, kApplianceGroupsMax, "GENEVE target groups");
  check("target_groups", appliances.targets, kRegisteredAppliancesMax, "GENEVE targets");
  check("target_groups", network.groups, kNetworkGroupsMax, "TCP and UDP target groups");
  check("target_groups", network.targets, kRegisteredNetworkTargetsMax, "TCP and UDP targets");
  check("target_groups", appliances.targets + network.targets + http.targets, kRegisteredTargetsMax,
        "targets");
  check("load_balancers", addresses, kNlbFrontendsMax, "NLB listeners");
}

void Validator::check_gateway() {
  for (size_t i = 0; i < config_.gateway.hints.size(); i++) {
    const std::string& group = config_.gateway.hints[i].target_group;
    if (!group.empty())
      check_group_reference(Path("gateway.hints", i) + ".target_group", group, Protocol::kGeneve);
  }
  check_policy();
  const bool has_nlb = std::ranges::any_of(config_.load_balancers, [](const LoadBalancer& lb) {
    return lb.type == LoadBalancerType::kNetwork;
  });
  if (has_nlb && config_.gateway.nlb_interface.empty() && !is_broken("gateway.nlb"))
    say("gateway",
        "'nlb' is missing: a network load balancer needs nlb: {interface: NAME}, "
        "the interface that gets its addresses");
}

}  // namespace sluice::gateway
