// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/validate.h"

#include <algorithm>
#include <set>

#include "gateway/control/validator.h"
#include "gateway/datapath/tables.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {

std::vector<Error> validate(const Config& config, const Broken& broken) {
  return Validator(config, broken).run();
}

std::vector<Error> Validator::run() {
  by_name("load_balancers", config_.load_balancers, balancers_);
  by_name("target_groups", config_.target_groups, groups_);
  std::map<std::string_view, size_t> names;
  by_name("attachments", config_.attachments, names);
  names.clear();
  by_name("endpoint_services", config_.endpoint_services, names);

  check_network();
  for (size_t i = 0; i < config_.target_groups.size(); i++)
    check_target_group(at("target_groups", i), config_.target_groups[i]);
  for (size_t i = 0; i < config_.load_balancers.size(); i++)
    check_load_balancer(at("load_balancers", i), config_.load_balancers[i]);
  check_attachments();
  for (size_t i = 0; i < config_.endpoint_services.size(); i++) {
    const EndpointService& service = config_.endpoint_services[i];
    const std::string path = at("endpoint_services", i);
    check_tags(path, service.tags);
    check_gateway_reference(path + ".load_balancer", service.load_balancer);
  }
  check_limits();
  check_gateway();
  return std::move(errors_);
}

void Validator::say(const std::string& path, std::string what) {
  if (!is_broken(path)) errors_.push_back({std::move(what), path, {}});
}

// Names are letters, digits and hyphens, and each is there once.
template <class Object>
void Validator::by_name(const std::string& list, const ObjectList<Object>& objects,
                        std::map<std::string_view, size_t>& out) {
  constexpr size_t kNameMax = 32;
  for (size_t i = 0; i < objects.size(); i++) {
    const std::string& name = objects[i].name;
    const bool letters = std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!letters || name.empty() || name.size() > kNameMax)
      say(at(list, i) + ".name", "a name is 1 to 32 letters, digits and hyphens");
    else if (!out.emplace(name, i).second)
      say(at(list, i) + ".name", "the name '" + name + "' is taken");
  }
}

void Validator::check_gateway_reference(const std::string& path, const std::string& name) {
  const auto found = balancers_.find(name);
  if (found == balancers_.end()) {
    std::vector<std::string_view> names;
    for (const auto& [known, index] : balancers_) names.push_back(known);
    return say(path,
               "there is no load balancer '" + name + "'" + tunnels::did_you_mean(name, names));
  }
  if (is_broken(at("load_balancers", found->second) + ".type")) return;
  if (config_.load_balancers[found->second].type != LoadBalancerType::kGateway)
    say(path, "load balancer '" + name + "' is not of type gateway");
}

void Validator::check_attachments() {
  std::set<std::string_view> interfaces(config_.gateway.tunnel_interfaces.begin(),
                                        config_.gateway.tunnel_interfaces.end());
  std::set<uint64_t> endpoint_ids;
  for (size_t i = 0; i < config_.attachments.size(); i++) {
    const Attachment& attachment = config_.attachments[i];
    const std::string path = at("attachments", i);
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
    if (!attachment.subnet.empty()) find_subnet(path + ".subnet", attachment.subnet);
    check_gateway_reference(path + ".load_balancer", attachment.load_balancer);
  }
}

void Validator::check_attributes(const std::string& path, AttributeScope scope,
                                 LoadBalancerType type, const Attributes& attributes) {
  const std::string prefix = path + ".attributes.";
  for (const auto& [name, value] : attributes)
    if (const auto result = check_attribute(scope, type, name, value); !result)
      say(prefix + name, result.error().what);
}

void Validator::check_tags(const std::string& path, const Tags& tags) {
  constexpr size_t kKeyMax = 128, kValueMax = 256;
  if (tags.size() > kTagsMax)
    say(path + ".tags", "at most " + std::to_string(kTagsMax) + " tags are possible");
  for (const auto& [key, value] : tags)
    if (key.empty() || key.size() > kKeyMax || value.size() > kValueMax)
      say(path + ".tags", "a tag's key has 1 to 128 characters, its value at most 256");
}

void Validator::check_limits() {
  size_t groups = 0, targets = 0, addresses = 0;
  for (const TargetGroup& group : config_.target_groups) {
    if (group.protocol == Protocol::kHttp) continue;
    groups++;
    targets += group.targets.size();
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
  check("target_groups", groups, kGroupsMax, "GENEVE, TCP and UDP target groups");
  // Half, so that a replaced set of targets finds room while the old one drains.
  check("target_groups", targets, kTargetsMax / 2, "GENEVE, TCP and UDP targets");
  check("load_balancers", addresses, kListenersMax / 2, "NLB listeners");
}

void Validator::check_gateway() {
  for (size_t i = 0; i < config_.gateway.hints.size(); i++) {
    const std::string& group = config_.gateway.hints[i].target_group;
    if (!group.empty())
      check_group_reference(at("gateway.hints", i) + ".target_group", group, Protocol::kGeneve);
  }
  const bool has_nlb = std::ranges::any_of(config_.load_balancers, [](const LoadBalancer& lb) {
    return lb.type == LoadBalancerType::kNetwork;
  });
  if (has_nlb && config_.gateway.nlb_interface.empty() && !is_broken("gateway.nlb"))
    say("gateway",
        "'nlb' is missing: a network load balancer needs nlb: {interface: NAME}, "
        "the interface that gets its addresses");
}

}  // namespace sluice::gateway
