// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/export.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/control/digest.h"
#include "gateway/control/object_json.h"

namespace sluice::gateway {
namespace {

using json = nlohmann::ordered_json;

// What only the gateway knows is not for a file.
json for_file(json object) {
  for (const char* key : {"id", "created", "origin"})
    if (object.is_object()) object.erase(key);
  for (auto& [key, value] : object.items())
    if (value.is_array() && key != "targets")
      for (json& element : value)
        if (element.is_object()) element = for_file(std::move(element));
  return object;
}

bool is_plain(const std::string& text) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-";
  return !text.empty() && text.find_first_not_of(kSafe) == std::string::npos && text[0] != '-' &&
         text != "null" && text != "Null" && text != "NULL";
}

std::string word(const json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  return is_plain(text) ? text : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_flat(const json& value) {
  return std::ranges::none_of(value, [](const json& v) { return v.is_structured(); });
}

std::string flow(const json& value) {
  if (!value.is_structured()) return word(value);
  std::string out;
  for (const auto& [key, element] : value.items()) {
    if (!out.empty()) out += ", ";
    if (value.is_object()) out += word(json(key)) + ": ";
    out += flow(element);
  }
  return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

// `indent` spaces before each line; `out` ends where the value begins.
void block(const json& value, size_t indent, std::string& out) {
  if (!value.is_structured() || value.empty() || (value.is_array() && is_flat(value))) {
    out += " " + flow(value) + "\n";
    return;
  }
  bool first = true;
  for (const auto& [key, element] : value.items()) {
    if (first && out.ends_with(':')) out += "\n";
    const bool continues = out.ends_with('-');  // the first key of a map in a list
    if (continues)
      out += " ";
    else
      out += std::string(indent, ' ');
    first = false;
    if (value.is_array()) {
      if (is_flat(element)) {
        out += "- " + flow(element) + "\n";
        continue;
      }
      out += "-";
      block(element, indent + 2, out);
    } else {
      out += word(json(key)) + ":";
      block(element, indent + 2, out);
    }
  }
}

json as_json(const ApiAccess& api) {
  json out = json::object();
  if (!api.address.empty()) {
    out["address"] = api.address;
    out["port"] = api.port;
    if (api.keyless) out["access"] = "none";
  }
  for (const AccessKey& key : api.keys)
    out["keys"].push_back({{"id", key.id},
                           {"secret", key.secret},
                           {"access", key.may_write ? "read-write" : "read-only"}});
  if (!api.socket.empty()) out["socket"] = api.socket;
  return out;
}

json as_json(const Gateway& gateway) {
  json out{{"name", gateway.name},
           {"key", hexadecimal(gateway.key.k0) + hexadecimal(gateway.key.k1)},
           {"socket", gateway.socket}};
  if (!gateway.store.empty()) out["store"] = gateway.store;
  if (gateway.host == HostKind::kProcess) out["host"] = "process";
  out["flow_table"] = {{"flows_max", gateway.flows_max}};
  out["tunnel"] = {{"interface", gateway.tunnel_interfaces},
                   {"address", gateway.tunnel_address.text()}};
  if (is_set(gateway.tunnel_address6))
    out["tunnel"]["ipv6_address"] = gateway.tunnel_address6.text();
  if (gateway.tunnel_entry == EntryChoice::kTc) out["tunnel"]["entry"] = "tc";
  if (!gateway.nlb_interface.empty()) out["nlb"] = {{"interface", gateway.nlb_interface}};
  if (!gateway.proxies_socket.empty())
    out["proxies"] = {{"socket", gateway.proxies_socket}, {"user", gateway.proxies_user}};
  constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
  out["log"] = {{"format", gateway.log_format == LogFormat::kJson ? "json" : "text"},
                {"level", kLevels[static_cast<int>(gateway.log_level)]}};
  if (const FlowLogSettings& log = gateway.flow_log; !log.file.empty())
    out["flow_log"] = {{"file", log.file},
                       {"format", log.format == FlowLogFormat::kVpc ? "vpc" : "json"},
                       {"interval_seconds", log.interval_s},
                       {"rotate_bytes", log.rotate_bytes},
                       {"rotate_keep", log.rotate_keep}};
  if (gateway.pinned) out["pinned"] = true;
  out["region"] = gateway.region;
  out["account"] = gateway.account;
  if (!(gateway.api == ApiAccess{})) out["api"] = as_json(gateway.api);
  if (gateway.mss_clamp) out["mss_clamp"] = true;
  for (const IdleTimeout& idle : gateway.idle_timeouts) {
    json entry{{"protocol", std::to_string(idle.protocol)}, {"seconds", idle.seconds}};
    if (idle.port != 0) entry["port"] = idle.port;
    out["idle_timeouts"].push_back(std::move(entry));
  }
  for (const Hint& hint : gateway.hints) {
    json entry{{"hint", hint.number}, {"type", hint.target_group.empty() ? "bypass" : "forward"}};
    if (!hint.target_group.empty()) entry["target_group"] = hint.target_group;
    out["hints"].push_back(std::move(entry));
  }
  for (const PolicyRule& rule : gateway.policy) out["policy"].push_back(to_json(rule));
  return out;
}

json as_json(const Network& network) {
  json out = json::object();
  for (const Vpc& vpc : network.vpcs) out["vpcs"].push_back({{"id", vpc.id}, {"cidr", vpc.cidr}});
  for (const Subnet& subnet : network.subnets) {
    json entry{
        {"id", subnet.id}, {"vpc", subnet.vpc}, {"zone", subnet.zone}, {"cidr", subnet.cidr}};
    if (!subnet.outside.empty()) entry["outside"] = subnet.outside;
    if (!subnet.inside.empty()) entry["inside"] = subnet.inside;
    out["subnets"].push_back(std::move(entry));
  }
  for (const Instance& instance : network.instances)
    out["instances"].push_back(
        {{"id", instance.id}, {"address", instance.address.text()}, {"subnet", instance.subnet}});
  for (const SecurityGroup& group : network.security_groups)
    out["security_groups"].push_back({{"id", group.id}, {"vpc", group.vpc}});
  return out;
}

template <class Object>
json as_json(const ObjectList<Object>& objects) {
  json out = json::array();
  for (const Object& object : objects) out.push_back(for_file(to_json(object)));
  return out;
}

std::string without_secrets(const Gateway& gateway) {
  json out = as_json(gateway);
  out.erase("key");
  out.erase("api");
  return out.dump();
}

}  // namespace

std::vector<SectionChange> sections_between(const Config& before, const Config& after) {
  std::vector<SectionChange> out;
  if (!(before.gateway == after.gateway))
    out.push_back({"gateway", without_secrets(before.gateway), without_secrets(after.gateway)});
  if (!before.network.same_objects(after.network) && !(before.network == after.network))
    out.push_back({"network", as_json(before.network).dump(), as_json(after.network).dump()});
  return out;
}

std::string export_yaml(const Config& config) {
  json root{{"gateway", as_json(config.gateway)}};
  if (json network = as_json(config.network); !network.empty())
    root["network"] = std::move(network);
  root["load_balancers"] = as_json(config.load_balancers);
  root["attachments"] = as_json(config.attachments);
  if (!config.endpoint_services.empty())
    root["endpoint_services"] = as_json(config.endpoint_services);
  root["target_groups"] = as_json(config.target_groups);
  std::string out;
  for (const auto& [key, value] : root.items()) {
    out += key + ":";
    block(value, 2, out);
  }
  return out;
}

}  // namespace sluice::gateway
