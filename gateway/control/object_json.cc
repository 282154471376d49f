// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/object_json.h"

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

using json = nlohmann::ordered_json;

json as_json(const std::map<std::string, std::string, std::less<>>& words) {
  json out = json::object();
  for (const auto& [key, value] : words) out[key] = value;
  return out;
}

void add_resource(json& out, const Resource& resource) {
  if (!resource.tags.empty()) out["tags"] = as_json(resource.tags);
  if (!resource.id.empty()) out["id"] = resource.id;
  if (resource.created_ms != 0) out["created"] = resource.created_ms;
}

template <class Object>
void add_origin(json& out, const Object& object) {
  add_resource(out, object);
  if (object.origin == Origin::kApi) out["origin"] = "api";
}

void add_text(json& out, const char* key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

json as_json(const Redirect& redirect) {
  const Redirect same;
  json out{{"type", "redirect"}};
  const auto add = [&](const char* key, const std::string& value, const std::string& fallback) {
    if (value != fallback) out[key] = value;
  };
  add("protocol", redirect.protocol, same.protocol);
  add("host", redirect.host, same.host);
  add("port", redirect.port, same.port);
  add("path", redirect.path, same.path);
  add("query", redirect.query, same.query);
  if (redirect.status != same.status) out["status"] = redirect.status;
  return out;
}

json as_json(const FixedResponse& response) {
  json out{{"type", "fixed-response"}, {"status", response.status}};
  add_text(out, "content_type", response.content_type);
  add_text(out, "body", response.body);
  return out;
}

// The list of its only element.
json as_json(const Action& action) {
  if (action.redirect) return json::array({as_json(*action.redirect)});
  if (action.fixed_response) return json::array({as_json(*action.fixed_response)});
  if (action.weighted.empty())
    return json::array({{{"type", "forward"}, {"target_group", action.target_group}}});
  json groups = json::array();
  for (const WeightedGroup& group : action.weighted)
    groups.push_back({{"target_group", group.target_group}, {"weight", group.weight}});
  return json::array({{{"type", "forward"}, {"target_groups", std::move(groups)}}});
}

json as_json(const Condition& condition) {
  json out{{"field", condition_field_name(condition.field)}};
  add_text(out, "header", condition.header);
  if (condition.field != ConditionField::kQueryString) {
    out["values"] = condition.values;
    return out;
  }
  for (const QueryPair& pair : condition.pairs) {
    json entry = json::object();
    add_text(entry, "key", pair.key);
    entry["value"] = pair.value;
    out["values"].push_back(std::move(entry));
  }
  return out;
}

json as_json(const Rule& rule) {
  json out{{"priority", rule.priority}};
  for (const Condition& condition : rule.conditions)
    out["conditions"].push_back(as_json(condition));
  out["actions"] = as_json(rule.action);
  add_resource(out, rule);
  return out;
}

json as_json(const Listener& listener) {
  json out = json::object();
  if (listener.protocol != Protocol::kGeneve) {
    out["protocol"] = protocol_name(listener.protocol);
    if (is_set(listener.address)) out["address"] = listener.address.text();
    out["port"] = listener.port;
  }
  out["default_actions"] = as_json(listener.default_action);
  for (const Rule& rule : listener.rules) out["rules"].push_back(as_json(rule));
  if (!listener.attributes.empty()) out["attributes"] = as_json(listener.attributes);
  add_resource(out, listener);
  return out;
}

json as_json(const HealthCheck& check, Protocol group) {
  const HealthCheck otherwise = default_health_check(group, check.protocol);
  json out = json::object();
  const auto add = [&](const char* key, const auto& value, const auto& fallback) {
    if (value != fallback) out[key] = value;
  };
  if (check.protocol != default_health_protocol(group))
    out["protocol"] = health_protocol_name(check.protocol);
  add("enabled", check.enabled, true);
  if (check.port == 0 && otherwise.port != 0) out["port"] = "traffic-port";
  if (check.port != 0) add("port", check.port, otherwise.port);
  add("interval_seconds", check.interval_s, otherwise.interval_s);
  // Without it a short interval would shorten the timeout.
  if (check.interval_s != otherwise.interval_s || check.timeout_s != otherwise.timeout_s)
    out["timeout_seconds"] = check.timeout_s;
  add("healthy_threshold_count", check.healthy_threshold, otherwise.healthy_threshold);
  add("unhealthy_threshold_count", check.unhealthy_threshold, otherwise.unhealthy_threshold);
  add("path", check.path, otherwise.path);
  add("matcher", check.matcher, otherwise.matcher);
  return out;
}

}  // namespace

json to_json(const LoadBalancer& lb) {
  json out{{"name", lb.name}, {"type", type_name(lb.type)}};
  if (lb.scheme != Scheme::kInternal) out["scheme"] = "internet-facing";
  for (const SubnetMapping& mapping : lb.subnet_mappings) {
    json entry{{"subnet", mapping.subnet}};
    if (is_set(mapping.address)) entry["address"] = mapping.address.text();
    out["subnet_mappings"].push_back(std::move(entry));
  }
  if (!lb.security_groups.empty()) out["security_groups"] = lb.security_groups;
  if (!lb.attributes.empty()) out["attributes"] = as_json(lb.attributes);
  out["listeners"] = json::array();
  for (const Listener& listener : lb.listeners) out["listeners"].push_back(as_json(listener));
  add_origin(out, lb);
  return out;
}

json to_json(const TargetGroup& group) {
  json out{{"name", group.name}, {"protocol", protocol_name(group.protocol)}, {"port", group.port}};
  if (group.target_type == TargetType::kInstance) out["target_type"] = "instance";
  if (group.ip_version != 0) out["ip_address_type"] = group.ip_version == 6 ? "ipv6" : "ipv4";
  add_text(out, "vpc_id", group.vpc);
  json check = as_json(group.health_check, group.protocol);
  if (!check.empty()) out["health_check"] = std::move(check);
  if (!group.attributes.empty()) out["attributes"] = as_json(group.attributes);
  out["targets"] = json::array();
  for (const Target& target : group.targets) {
    json entry{{"id", target.address.text()}};
    if (target.port != group.port) entry["port"] = target.port;
    if (const uint16_t weight = weight_of(group, target); weight != 1) entry["weight"] = weight;
    out["targets"].push_back(std::move(entry));
  }
  add_origin(out, group);
  return out;
}

json to_json(const Attachment& attachment) {
  json out{{"name", attachment.name}, {"endpoint_id", attachment.endpoint_id}};
  if (attachment.attachment_id != 0) out["attachment_id"] = attachment.attachment_id;
  out["outside"] = attachment.outside;
  out["inside"] = attachment.inside;
  if (attachment.entry != EntryChoice::kAuto)
    out["entry"] = attachment.entry == EntryChoice::kXdp ? "xdp" : "tc";
  out["load_balancer"] = attachment.load_balancer;
  add_text(out, "subnet", attachment.subnet);
  add_text(out, "service", attachment.service);
  add_origin(out, attachment);
  return out;
}

json to_json(const PolicyRule& rule) {
  json out{{"name", rule.name}};
  if (!rule.attachments.empty()) out["attachments"] = rule.attachments;
  for (const Prefix& prefix : rule.sources) out["sources"].push_back(prefix.text());
  for (const Prefix& prefix : rule.destinations) out["destinations"].push_back(prefix.text());
  if (rule.protocol) out["protocol"] = std::to_string(*rule.protocol);
  for (const PortRange& ports : rule.ports)
    out["ports"].push_back(std::to_string(ports.first) +
                           (ports.first == ports.last ? "" : "-" + std::to_string(ports.last)));
  if (rule.percentage != 100) out["percentage"] = rule.percentage;
  out["actions"] = json::array();
  if (rule.decision == PolicyDecision::kBypass) out["actions"].push_back({{"type", "bypass"}});
  if (rule.decision == PolicyDecision::kDrop) out["actions"].push_back({{"type", "drop"}});
  for (const Action& hop : rule.hops) out["actions"].push_back(as_json(hop)[0]);
  if (rule.mirror)
    out["actions"].push_back({{"type", rule.mirror->compared ? "shadow" : "mirror"},
                              {"target_group", rule.mirror->target_group}});
  return out;
}

json to_json(const EndpointService& service) {
  json out{{"name", service.name}, {"load_balancer", service.load_balancer}};
  add_origin(out, service);
  return out;
}

}  // namespace sluice::gateway
