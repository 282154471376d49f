// SPDX-License-Identifier: Apache-2.0
// The sections `gateway` and `attachments`.
#include <algorithm>
#include <charconv>

#include "gateway/control/config_reader.h"
#include "gateway/control/validator.h"
#include "gateway/datapath/host.h"

namespace sluice::gateway {
namespace {

constexpr size_t kGatewayNameMax = 15;
constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr size_t kSocketPathMax = 107;  // sockaddr_un
constexpr uint32_t kIdleSecondsMax = 86400;
constexpr uint32_t kFlowLogSecondsMax = 86400;
constexpr uint64_t kFlowLogBytesLeast = 10'000;
constexpr uint32_t kFlowLogFilesMax = 100;

bool parse_key(const std::string& text, tunnels::siphash_key& out) {
  if (text.size() != 32) return false;
  const auto half = [&](size_t at, __u64& to) {
    uint64_t number = 0;
    const char* begin = text.data() + at;
    const auto [stop, error] = std::from_chars(begin, begin + 16, number, 16);
    to = number;
    return error == std::errc() && stop == begin + 16;
  };
  return half(0, out.k0) && half(16, out.k1);
}

}  // namespace

void ConfigReader::read_proxies(const YamlNode& node) {
  YamlMap map(node, errors_);
  Gateway& gateway = config_.gateway;
  if (map.read("socket", gateway.proxies_socket) &&
      (!gateway.proxies_socket.starts_with('/') || gateway.proxies_socket.size() > kSocketPathMax))
    errors_.add(*node.find("socket"), "expected an absolute path of at most 107 bytes");
  map.read("user", gateway.proxies_user);
  map.finish();
}

void ConfigReader::read_gateway(const YamlNode& node) {
  YamlMap map(node, errors_);
  Gateway& gateway = config_.gateway;
  if (map.require_string("name", gateway.name)) {
    if (gateway.name.empty() || gateway.name.size() > kGatewayNameMax ||
        gateway.name.find_first_not_of(kNameLetters) != std::string::npos)
      errors_.add(*node.find("name"), "a name is 1 to 15 lower case letters, digits and hyphens");
  }
  const YamlNode* key = map.require("key");
  std::string text;
  if (key != nullptr && read_yaml(*key, errors_, text) && !parse_key(text, gateway.key))
    errors_.add(*key, "expected 32 hexadecimal digits (`openssl rand -hex 16` makes them)");
  gateway.socket = "/run/sluice/" + gateway.name + ".sock";
  if (map.read("socket", gateway.socket) &&
      (!gateway.socket.starts_with('/') || gateway.socket.size() > kSocketPathMax))
    errors_.add(*node.find("socket"), "expected an absolute path of at most 107 bytes");
  gateway.proxies_socket = "/run/sluice/" + gateway.name + "-proxies.sock";
  if (const YamlNode* node_of_proxies = map.find("proxies")) read_proxies(*node_of_proxies);
  if (map.read("store", gateway.store) && !gateway.store.starts_with('/'))
    errors_.add(*node.find("store"), "expected an absolute path");
  map.read_choice("host", gateway.host, {"kernel", "process"});
  if (const YamlNode* table = map.find("flow_table")) {
    YamlMap flow_table(*table, errors_);
    flow_table.read_integer("flows_max", gateway.flows_max, kFlowsMaxLeast, kFlowsMaxMost);
    flow_table.finish();
  }
  if (const YamlNode* log = map.find("log")) {
    YamlMap log_map(*log, errors_);
    log_map.read_choice("format", gateway.log_format, {"text", "json"});
    log_map.read_choice("level", gateway.log_level, {"debug", "info", "warning", "error"});
    log_map.finish();
  }
  if (const YamlNode* flow_log = map.find("flow_log")) read_flow_log(*flow_log);
  if (const YamlNode* nlb = map.find("nlb")) {
    YamlMap nlb_map(*nlb, errors_);
    read_interface(nlb_map.require("interface"), gateway.nlb_interface);
    nlb_map.finish();
  }
  if (const YamlNode* tunnel = map.require("tunnel")) read_tunnel(*tunnel);
  map.read("pinned", gateway.pinned);
  read_place(map);
  if (const YamlNode* api = map.find("api")) read_api(*api);
  map.read("mss_clamp", gateway.mss_clamp);
  map.each("idle_timeouts", kIdleClasses - kIdleRules,
           [&](const YamlNode& n) { read_idle_timeout(n); });
  map.each("hints", kHintsMax, [&](const YamlNode& n) { read_hint(n); });
  map.each("policy", kPolicyRulesMax, [&](const YamlNode& n) { read_policy_rule(n); });
  map.finish();
}

void ConfigReader::read_flow_log(const YamlNode& node) {
  YamlMap map(node, errors_);
  FlowLogSettings& log = config_.gateway.flow_log;
  if (map.require_string("file", log.file) && !log.file.starts_with('/'))
    errors_.add(*node.find("file"), "expected an absolute path");
  map.read_choice("format", log.format, {"json", "vpc"});
  map.read_integer("interval_seconds", log.interval_s, 0, kFlowLogSecondsMax);
  if (map.read_integer("rotate_bytes", log.rotate_bytes, 0, UINT64_MAX) && log.rotate_bytes != 0 &&
      log.rotate_bytes < kFlowLogBytesLeast)
    errors_.add(*node.find("rotate_bytes"), "expected 0, or 10000 and more");
  map.read_integer("rotate_keep", log.rotate_keep, 1, kFlowLogFilesMax);
  map.finish();
}

void ConfigReader::read_tunnel(const YamlNode& node) {
  YamlMap map(node, errors_);
  const auto add = [&](const YamlNode& interface) {
    std::string name;
    read_interface(&interface, name);
    auto& interfaces = config_.gateway.tunnel_interfaces;
    if (!name.empty() && std::ranges::find(interfaces, name) != interfaces.end())
      errors_.add(interface, "interface '" + name + "' is used twice");
    interfaces.push_back(name);
  };
  const YamlNode* interface = map.require("interface");
  if (interface != nullptr && interface->kind == YamlNode::Kind::kSequence)
    each_yaml(*interface, errors_, kTunnelInterfacesMax, add);
  else if (interface != nullptr)
    add(*interface);
  if (interface != nullptr && config_.gateway.tunnel_interfaces.empty())
    errors_.add(*interface, "at least one interface must face the appliances");
  const YamlNode* address = map.require("address");
  if (read_address(address, config_.gateway.tunnel_address) &&
      config_.gateway.tunnel_address.version != 4)
    errors_.add(*address, "expected an IPv4 address; ipv6_address is the one over IPv6");
  if (const YamlNode* six = map.find("ipv6_address")) {
    IpAddress& out = config_.gateway.tunnel_address6;
    const bool good = read_address(six, out);
    if (good && !is_tunnel_address6(out))
      errors_.add(*six, out.text() + " is no global or unique local IPv6 address of a single host");
    if (!good || !is_tunnel_address6(out)) out = {{}, 6};
  }
  int entry = 0;
  if (map.read_choice("entry", entry, {"xdp", "tc"}) && entry == 1)
    config_.gateway.tunnel_entry = EntryChoice::kTc;
  map.finish();
}

void ConfigReader::read_hint(const YamlNode& node) {
  YamlMap map(node, errors_);
  Hint hint;
  if (map.require_integer("hint", hint.number, 1, UINT16_MAX) &&
      std::ranges::find(config_.gateway.hints, hint.number, &Hint::number) !=
          config_.gateway.hints.end())
    errors_.add(*node.find("hint"), "this hint is here already");
  int action = 0;
  const YamlNode* type = map.require("type");
  if (type != nullptr && map.read_choice("type", action, {"bypass", "forward"}) && action == 1) {
    map.require_string("target_group", hint.target_group);
  }
  map.finish();
  config_.gateway.hints.push_back(std::move(hint));
}

// A word or a number at the key `protocol`.
bool ConfigReader::read_protocol(YamlMap& map, const YamlNode* node, uint8_t& out) {
  constexpr uint8_t kNumbers[] = {kProtocolTcp, kProtocolUdp, kProtocolIcmp, kProtocolIcmpv6};
  if (node != nullptr && node->scalar.find_first_not_of("0123456789") == std::string::npos)
    return map.read_integer("protocol", out, 0, 254);
  int word = 0;
  if (!map.read_choice("protocol", word, {"tcp", "udp", "icmp", "icmpv6"})) return false;
  out = kNumbers[word];
  return true;
}

void ConfigReader::read_idle_timeout(const YamlNode& node) {
  YamlMap map(node, errors_);
  IdleTimeout idle;
  read_protocol(map, map.require("protocol"), idle.protocol);
  const bool port = map.read_integer("port", idle.port, 1, UINT16_MAX);
  const bool has_ports = idle.protocol == kProtocolTcp || idle.protocol == kProtocolUdp;
  if (port && !has_ports) errors_.add(node, "only tcp and udp have ports");
  if (!port && idle.protocol == kProtocolTcp)
    errors_.add(node, "tcp needs a port here; tcp.idle_timeout.seconds of a listener has the rest");
  map.require_integer("seconds", idle.seconds, 1, kIdleSecondsMax);
  map.finish();
  config_.gateway.idle_timeouts.push_back(idle);
}

void ConfigReader::read_interface(const YamlNode* node, std::string& out) {
  if (node == nullptr || !read_yaml(*node, errors_, out) || is_interface_name(out)) return;
  errors_.add(*node, "no name of an interface (1 to 15 characters)");
  out.clear();
}

void ConfigReader::read_attachment(const YamlNode& node) {
  YamlMap map(node, errors_);
  Attachment attachment;
  map.require_string("name", attachment.name);
  map.require_integer("endpoint_id", attachment.endpoint_id, 0, UINT64_MAX);
  map.read_integer("attachment_id", attachment.attachment_id, 0, UINT64_MAX);
  map.require_string("outside", attachment.outside);
  map.require_string("inside", attachment.inside);
  map.read_choice("entry", attachment.entry, {"auto", "xdp", "tc"});
  map.require_string("load_balancer", attachment.load_balancer);
  map.read("subnet", attachment.subnet);
  map.read("service", attachment.service);
  read_origin(map, attachment);
  map.finish();
  config_.attachments.push_back(std::move(attachment));
}

}  // namespace sluice::gateway
