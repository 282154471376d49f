// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/config.h"

#include <algorithm>

#include "gateway/control/config_reader.h"
#include "gateway/datapath/tables.h"

namespace sluice::gateway {

std::string_view protocol_name(Protocol protocol) {
  constexpr std::string_view kNames[] = {"GENEVE", "TCP", "UDP", "HTTP"};
  return kNames[static_cast<int>(protocol)];
}

const LoadBalancer* Config::load_balancer(std::string_view name) const {
  const auto at = std::ranges::find(load_balancers, name, &LoadBalancer::name);
  return at == load_balancers.end() ? nullptr : &*at;
}

const TargetGroup* Config::target_group(std::string_view name) const {
  const auto at = std::ranges::find(target_groups, name, &TargetGroup::name);
  return at == target_groups.end() ? nullptr : &*at;
}

ConfigResult read_config(const std::string& path) {
  auto text = read_yaml_file(path);
  if (!text) return tl::make_unexpected(std::vector<Error>{std::move(text).error()});
  return parse_config(*text, path);
}

ConfigResult parse_config(std::string_view text, const std::string& file) {
  YamlErrors errors(file);
  const YamlNode root = parse_yaml(text, errors);
  // After a syntax error there is no tree to complain about.
  if (root.kind == YamlNode::Kind::kNull && !errors.empty())
    return tl::make_unexpected(errors.take());
  Config config = ConfigReader(errors).read(root);
  if (!errors.empty()) return tl::make_unexpected(errors.take());
  config.file = file;
  return config;
}

Config ConfigReader::read(const YamlNode& root) {
  YamlMap map(root, errors_);
  map.ignore("lab");
  if (const YamlNode* node = map.require("gateway")) read_gateway(*node);
  map.each("target_groups", kTargetGroupsMax, [&](const YamlNode& n) { read_target_group(n); });
  map.each("load_balancers", kLoadBalancersMax, [&](const YamlNode& n) { read_load_balancer(n); });
  map.each("attachments", kAttachmentsMax, [&](const YamlNode& n) { read_attachment(n); });
  map.finish();

  for (const GroupReference& reference : group_references_) check_group_reference(reference);
  for (const auto& [node, name] : load_balancer_references_)
    check_load_balancer_reference(*node, name);
  check_idle_timeouts();
  check_limits(root);
  check_nlb_interface(root);
  return std::move(config_);
}

void ConfigReader::check_group_reference(const GroupReference& reference) {
  const TargetGroup* group = config_.target_group(reference.group);
  if (group == nullptr) {
    // A group that is there but has errors of its own has said so already.
    if (group_names_.contains(reference.group)) return;
    std::vector<std::string_view> names(group_names_.begin(), group_names_.end());
    errors_.add(*reference.node, "there is no target group '" + reference.group + "'" +
                                     did_you_mean(reference.group, names));
    return;
  }
  const Protocol wanted = reference.protocol;
  // A listener whose own protocol was refused.
  if (wanted == Protocol::kGeneve && reference.type != LoadBalancerType::kGateway) return;
  if (group->protocol != wanted) {
    errors_.add(*reference.node, "target group '" + group->name + "' has protocol " +
                                     std::string(protocol_name(group->protocol)) +
                                     "; this listener needs " + std::string(protocol_name(wanted)));
    return;
  }
  if (reference.type != LoadBalancerType::kNetwork) return;
  for (const Target& target : group->targets) {
    if (target.address.version != reference.ip_version)
      errors_.add(*reference.node, "target " + target.address.text() + " of group '" + group->name +
                                       "' is not of the IP version of the listener's address");
  }
}

void ConfigReader::check_load_balancer_reference(const YamlNode& node, const std::string& name) {
  const LoadBalancer* found = config_.load_balancer(name);
  if (found == nullptr) {
    if (load_balancer_names_.contains(name)) return;
    std::vector<std::string_view> names(load_balancer_names_.begin(), load_balancer_names_.end());
    errors_.add(node, "there is no load balancer '" + name + "'" + did_you_mean(name, names));
  } else if (found->type != LoadBalancerType::kGateway) {
    errors_.add(node, "load balancer '" + name + "' is not of type gateway");
  }
}

// The data path has one idle timeout for TCP.
void ConfigReader::check_idle_timeouts() {
  for (const auto& [node, seconds] : idle_timeouts_) {
    if (seconds != idle_timeouts_.front().second)
      errors_.add(*node, "differs from that of another gateway load balancer; they share one");
  }
  if (idle_timeouts_.empty()) return;
  for (LoadBalancer& lb : config_.load_balancers)
    for (Listener& listener : lb.listeners) listener.idle_timeout_s = idle_timeouts_.front().second;
}

void ConfigReader::check_limits(const YamlNode& root) {
  size_t groups = 0, targets = 0, listeners = 0;
  for (const TargetGroup& group : config_.target_groups) {
    if (group.protocol == Protocol::kHttp) continue;
    groups++;
    targets += group.targets.size();
  }
  for (const LoadBalancer& lb : config_.load_balancers)
    if (lb.type == LoadBalancerType::kNetwork) listeners += lb.listeners.size();
  const auto check = [&](std::string_view key, size_t count, size_t max, const char* what) {
    const YamlNode* node = root.find(key);
    if (node != nullptr && count > max)
      errors_.add(*node, std::to_string(count) + " " + what + "; at most " + std::to_string(max) +
                             " are possible");
  };
  check("target_groups", groups, kGroupsMax, "GENEVE, TCP and UDP target groups");
  // Half, so that a replaced set of targets finds room while the old one drains.
  check("target_groups", targets, kTargetsMax / 2, "GENEVE, TCP and UDP targets");
  check("load_balancers", listeners, kListenersMax / 2, "NLB listeners");
}

void ConfigReader::check_nlb_interface(const YamlNode& root) {
  const bool has_nlb = std::ranges::any_of(config_.load_balancers, [](const LoadBalancer& lb) {
    return lb.type == LoadBalancerType::kNetwork;
  });
  const YamlNode* gateway = root.find("gateway");
  if (gateway == nullptr || gateway->find("nlb") != nullptr || !has_nlb) return;
  errors_.add(*gateway,
              "'nlb' is missing: a network load balancer needs nlb: {interface: NAME}, "
              "the interface that gets its addresses");
}

bool ConfigReader::read_name(YamlMap& map, size_t length_max, std::set<std::string>& seen,
                             std::string& out) {
  const YamlNode* node = map.require("name");
  if (node == nullptr || !read_yaml(*node, errors_, out)) return false;
  const bool letters = std::ranges::all_of(out, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!letters || out.empty() || out.size() > length_max) {
    errors_.add(*node,
                "a name is 1 to " + std::to_string(length_max) + " letters, digits and hyphens");
    return false;
  }
  if (!seen.insert(out).second) {
    errors_.add(*node, "the name '" + out + "' is taken");
    return false;
  }
  return true;
}

bool ConfigReader::read_address(const YamlNode* node, IpAddress& out) {
  std::string text;
  if (node == nullptr || !read_yaml(*node, errors_, text)) return false;
  auto address = parse_ip_address(text);
  if (!address) {
    errors_.add(*node, address.error().what);
    return false;
  }
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(address->words);
  const bool zero = std::all_of(bytes, bytes + 16, [](uint8_t b) { return b == 0; });
  const bool multicast = address->version == 4 ? bytes[0] >= 224 : bytes[0] == 0xff;
  const bool loopback = address->version == 4 && bytes[0] == 127;
  if (zero || multicast || loopback) {
    errors_.add(*node, text + " is no address of a single host on a network");
    return false;
  }
  out = *address;
  return true;
}

}  // namespace sluice::gateway
