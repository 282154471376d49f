// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/config.h"

#include <algorithm>

#include "gateway/control/config_reader.h"
#include "gateway/control/digest.h"
#include "gateway/datapath/tables.h"

namespace sluice::gateway {

std::string_view protocol_name(Protocol protocol) {
  constexpr std::string_view kNames[] = {"GENEVE", "TCP", "UDP", "HTTP"};
  return kNames[static_cast<int>(protocol)];
}

std::string_view type_name(LoadBalancerType type) {
  constexpr std::string_view kNames[] = {"gateway", "network", "application"};
  return kNames[static_cast<int>(type)];
}

bool Gateway::operator==(const Gateway& other) const {
  return name == other.name && key.k0 == other.key.k0 && key.k1 == other.key.k1 &&
         socket == other.socket && host == other.host && flows_max == other.flows_max &&
         tunnel_interfaces == other.tunnel_interfaces && tunnel_entry == other.tunnel_entry &&
         tunnel_address == other.tunnel_address && tunnel_address6 == other.tunnel_address6 &&
         log_format == other.log_format && log_level == other.log_level && pinned == other.pinned &&
         mss_clamp == other.mss_clamp && hints == other.hints &&
         idle_timeouts == other.idle_timeouts && policy == other.policy &&
         nlb_interface == other.nlb_interface && proxies_socket == other.proxies_socket &&
         proxies_user == other.proxies_user && store == other.store && region == other.region &&
         account == other.account && api == other.api && flow_log == other.flow_log;
}

std::string Target::text() const {
  const bool six = address.version == 6;
  return (six ? "[" : "") + address.text() + (six ? "]:" : ":") + std::to_string(port);
}

std::vector<IpAddress> addresses_of(const LoadBalancer& owner, const Listener& listener) {
  if (owner.type == LoadBalancerType::kGateway) return {};
  if (is_set(listener.address)) return {listener.address};
  std::vector<IpAddress> out;
  for (const SubnetMapping& mapping : owner.subnet_mappings)
    if (is_set(mapping.address)) out.push_back(mapping.address);
  return out;
}

uint16_t weight_of(const TargetGroup& group, const Target& target) {
  const auto at = group.weights.find(target);
  return at == group.weights.end() ? uint16_t{1} : at->second;
}

bool uses(const LoadBalancer& balancer, std::string_view group) {
  return std::ranges::any_of(balancer.listeners, [&](const Listener& listener) {
    return forwards_to(listener.default_action, group) ||
           std::ranges::any_of(listener.rules,
                               [&](const Rule& rule) { return forwards_to(rule.action, group); });
  });
}

bool Network::same_objects(const Network& other) const {
  return vpcs.same_objects(other.vpcs) && subnets.same_objects(other.subnets) &&
         instances.same_objects(other.instances) &&
         security_groups.same_objects(other.security_groups);
}

ConfigResult read_config(const std::string& path) {
  auto text = read_yaml_file(path);
  if (!text) return tl::make_unexpected(std::vector<Error>{std::move(text).error()});
  return parse_config(*text, path);
}

namespace {

// Where a file says what is at a path of the model.
const YamlNode& node_of(const YamlNode& root, const std::string& path) {
  const YamlNode& exact = root.nearest(path);
  constexpr std::string_view kAttributes = ".attributes";
  const size_t attributes = path.find(kAttributes);
  if (exact.path == path || attributes == std::string::npos) return exact;
  // An attribute may have a key of its own.
  return root.nearest(std::string(path).erase(attributes, kAttributes.size()));
}

}  // namespace

ConfigResult parse_config(std::string_view text, const std::string& file) {
  YamlErrors errors(file);
  const YamlNode root = parse_yaml(text, errors);
  // After a syntax error there is no tree to complain about.
  if (root.kind == YamlNode::Kind::kNull && !errors.empty())
    return tl::make_unexpected(errors.take());
  Config config = ConfigReader(errors).read(root);
  for (Error& error : validate(config, [&](auto path) { return errors.concerns(path); })) {
    const YamlNode& node = node_of(root, error.where);
    errors.add(node, std::move(error.what));
  }
  if (!errors.empty()) return tl::make_unexpected(errors.take());
  config.file = file;
  config.digest = digest_of(config.gateway.key, text);
  return config;
}

Config ConfigReader::read(const YamlNode& root) {
  YamlMap map(root, errors_);
  map.ignore("lab");
  if (const YamlNode* node = map.require("gateway")) read_gateway(*node);
  if (const YamlNode* node = map.find("network")) read_network(*node);
  map.each("target_groups", kTargetGroupsMax, [&](const YamlNode& n) { read_target_group(n); });
  map.each("load_balancers", kLoadBalancersMax, [&](const YamlNode& n) { read_load_balancer(n); });
  map.each("attachments", kAttachmentsMax, [&](const YamlNode& n) { read_attachment(n); });
  map.each("endpoint_services", kEndpointServicesMax,
           [&](const YamlNode& n) { read_endpoint_service(n); });
  map.finish();
  return std::move(config_);
}

void ConfigReader::read_object(ObjectKind kind, const YamlNode& node, Config& config) {
  config_ = std::move(config);
  switch (kind) {
    case ObjectKind::kLoadBalancer:
      read_load_balancer(node);
      break;
    case ObjectKind::kTargetGroup:
      read_target_group(node);
      break;
    case ObjectKind::kAttachment:
      read_attachment(node);
      break;
    case ObjectKind::kEndpointService:
      read_endpoint_service(node);
      break;
  }
  config = std::move(config_);
}

void ConfigReader::read_resource(YamlMap& map, Resource& out) {
  read_words(map.find("tags"), out.tags);
  if (!stored_) return;
  map.read("id", out.id);
  map.read_integer("created", out.created_ms, 0, UINT64_MAX);
}

Result<> read_object(ObjectKind kind, std::string_view json, Config& into) {
  // JSON is a part of YAML.
  YamlErrors errors(std::string(kind_name(kind)));
  const YamlNode node = parse_yaml(json, errors);
  if (errors.empty()) ConfigReader(errors, /*stored=*/true).read_object(kind, node, into);
  if (errors.empty()) return {};
  return tl::make_unexpected(errors.take().front());
}

bool ConfigReader::read_address(const YamlNode* node, IpAddress& out) {
  std::string text;
  if (node == nullptr || !read_yaml(*node, errors_, text)) return false;
  auto address = parse_ip_address(text);
  if (address && !is_host_address(*address))
    address = fail(text + " is no address of a single host on a network");
  if (!address) {
    errors_.add(*node, address.error().what);
    return false;
  }
  out = *address;
  return true;
}

void ConfigReader::read_words(const YamlNode* node,
                              std::map<std::string, std::string, std::less<>>& out) {
  if (node == nullptr) return;
  YamlMap map(*node, errors_);
  for (const std::string& key : node->keys)
    if (const YamlNode* value = node->find(key); value != nullptr && map.is_map())
      read_yaml(*value, errors_, out[key]);
}

}  // namespace sluice::gateway
