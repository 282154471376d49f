// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/topology.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <utility>

#include "gateway/control/links.h"
#include "tunnels/yaml.h"

namespace sluice::testbed {
namespace {

using tunnels::YamlErrors;
using tunnels::YamlMap;
using tunnels::YamlNode;

constexpr size_t kNameLengthMax = 15;
constexpr uint32_t kMtuMin = 1280, kMtuMax = 9216;
constexpr uint32_t kReadySecondsMax = 300;

bool valid_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameLengthMax &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool valid_address(const std::string& text) {
  uint8_t bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool valid_prefix(const std::string& text) {
  size_t slash = text.find('/');
  if (slash == std::string::npos || !valid_address(text.substr(0, slash))) return false;
  unsigned length = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + slash + 1, end, length);
  return error == std::errc() && rest == end &&
         length <= (text.find(':') == std::string::npos ? 32u : 128u);
}

class TopologyReader {
 public:
  TopologyReader(YamlErrors& errors, const std::string& path) : errors_(errors) {
    std::error_code ignored;
    std::filesystem::path absolute = std::filesystem::absolute(path, ignored);
    substitutions_ = {{"{config}", absolute.string()},
                      {"{dir}", absolute.parent_path().string()},
                      {"{bin}", program_directory()}};
  }

  Topology read(const YamlNode& root) {
    read_lab_name(root);
    const YamlNode* lab = root.find("lab");
    if (lab == nullptr) {
      errors_.add(root, "there is no 'lab' section: nothing to build");
      return std::move(topology_);
    }
    YamlMap map(*lab, errors_);
    map.each("switches", kSwitchesMax, [&](const YamlNode& node) { read_switch(node); });
    map.each("namespaces", kNamespacesMax, [&](const YamlNode& node) { read_namespace(node); });
    map.finish();
    check_wiring();
    return std::move(topology_);
  }

 private:
  void read_lab_name(const YamlNode& root) {
    const YamlNode* gateway = root.find("gateway");
    const YamlNode* name = gateway == nullptr ? nullptr : gateway->find("name");
    if (name == nullptr)
      return errors_.add(root, "gateway.name is needed: it is the name of the lab");
    if (!tunnels::read_yaml(*name, errors_, topology_.name)) return;
    if (!valid_name(topology_.name)) errors_.add(*name, "a name is 1 to 15 of a-z, 0-9 and '-'");
    substitutions_.push_back({"{run}", run_directory(topology_.name)});
  }

  // A name of its own for a switch or a namespace.
  std::string read_name(YamlMap& map) {
    std::string name;
    if (!map.require_string("name", name)) return name;
    const YamlNode& node = *map.find("name");
    if (!valid_name(name)) errors_.add(node, "a name is 1 to 15 of a-z, 0-9 and '-'");
    if (!names_.insert(name).second) errors_.add(node, "'" + name + "' is there twice");
    return name;
  }

  void read_switch(const YamlNode& node) {
    YamlMap map(node, errors_);
    Switch made;
    made.name = read_name(map);
    map.read_integer("mtu", made.mtu, kMtuMin, kMtuMax);
    map.finish();
    topology_.switches.push_back(std::move(made));
  }

  void read_namespace(const YamlNode& node) {
    YamlMap map(node, errors_);
    LabNamespace made;
    made.name = read_name(map);
    const YamlNode* appliance = map.find("appliance");
    map.each("interfaces", kInterfacesMax,
             [&](const YamlNode& each) { read_interface(each, made, appliance != nullptr); });
    map.each("routes", kRoutesMax, [&](const YamlNode& each) { read_route(each, made); });
    if (appliance != nullptr) read_appliance(*appliance, made);
    map.each("programs", kProgramsMax, [&](const YamlNode& each) { read_program(each, made); });
    map.finish();
    topology_.namespaces.push_back(std::move(made));
  }

  void read_interface(const YamlNode& node, LabNamespace& owner, bool with_appliance) {
    YamlMap map(node, errors_);
    Interface made;
    made.transmit_checksum = with_appliance;
    if (map.require_string("name", made.name))
      claim_interface(*map.find("name"), owner.name, made.name);
    map.each("addresses", kAddressesMax, [&](const YamlNode& each) {
      std::string prefix;
      if (!tunnels::read_yaml(each, errors_, prefix)) return;
      if (!valid_prefix(prefix))
        errors_.add(each, "not an address with a prefix length, as in 10.1.0.2/16");
      made.addresses.push_back(std::move(prefix));
    });
    bool on_switch = map.read("switch", made.switch_name);
    std::string peer;
    bool wired = map.read("peer", peer);
    if (on_switch == wired && map.is_map())
      errors_.add(node, "an interface has either a 'switch' or a 'peer'");
    if (wired) read_peer(*map.find("peer"), peer, made);
    if (on_switch) switch_references_.push_back({map.find("switch"), made.switch_name});
    map.read_integer("mtu", made.mtu, kMtuMin, kMtuMax);
    map.read("transmit_checksum", made.transmit_checksum);
    map.finish();
    owner.interfaces.push_back(std::move(made));
  }

  void read_peer(const YamlNode& node, const std::string& peer, Interface& made) {
    size_t slash = peer.find('/');
    if (slash == std::string::npos)
      return errors_.add(node, "a peer is NAMESPACE/INTERFACE, as in gateway/out0");
    made.peer_namespace = peer.substr(0, slash);
    made.peer_name = peer.substr(slash + 1);
    namespace_references_.push_back({&node, made.peer_namespace});
    claim_interface(node, made.peer_namespace, made.peer_name);
  }

  void claim_interface(const YamlNode& node, const std::string& owner, const std::string& name) {
    if (!gateway::valid_link_name(name))
      return errors_.add(node, "'" + name + "' cannot be the name of an interface");
    if (name == "lo") return errors_.add(node, "every namespace has its 'lo' already");
    if (!interface_names_.insert(owner + "/" + name).second)
      errors_.add(node, "interface '" + name + "' of '" + owner + "' is there twice");
  }

  void read_route(const YamlNode& node, LabNamespace& owner) {
    YamlMap map(node, errors_);
    Route route;
    if (map.require_string("to", route.to) && route.to != "default" && !valid_prefix(route.to))
      errors_.add(*map.find("to"), "not a prefix or 'default'");
    if (map.require_string("via", route.via) && !valid_address(route.via))
      errors_.add(*map.find("via"), "not an IP address");
    map.finish();
    owner.routes.push_back(std::move(route));
  }

  void read_appliance(const YamlNode& node, LabNamespace& owner) {
    YamlMap map(node, errors_);
    Program made;
    made.appliance = true;
    if (map.require_string("program", made.name)) made.command.push_back(substituted(made.name));
    read_words(map, "arguments", made.command);
    read_ready(map.find("ready"), made.ready);
    map.finish();
    add_program(node, std::move(made), owner);
  }

  void read_program(const YamlNode& node, LabNamespace& owner) {
    YamlMap map(node, errors_);
    Program made;
    if (map.require("run") != nullptr) read_words(map, "run", made.command);
    if (!made.command.empty())
      made.name = std::filesystem::path(made.command[0]).filename().string();
    map.read("name", made.name);
    read_ready(map.find("ready"), made.ready);
    map.finish();
    add_program(node, std::move(made), owner);
  }

  void add_program(const YamlNode& node, Program made, LabNamespace& owner) {
    if (made.command.empty() || made.command[0].empty())
      return errors_.add(node, "there is nothing to run");
    if (made.name.find('/') != std::string::npos || made.name.size() > 64)
      return errors_.add(node, "a program's name is at most 64 characters and no path");
    for (const Program& other : owner.programs)
      if (other.name == made.name)
        errors_.add(node, "program '" + made.name + "' is there twice: give one a 'name'");
    owner.programs.push_back(std::move(made));
  }

  void read_words(YamlMap& map, std::string_view key, std::vector<std::string>& out) {
    map.each(key, kArgumentsMax, [&](const YamlNode& each) {
      if (each.kind != YamlNode::Kind::kScalar)
        return errors_.add(each, "a word of a command is text or a number");
      out.push_back(substituted(each.scalar));
    });
  }

  void read_ready(const YamlNode* node, Ready& ready) {
    if (node == nullptr) return;
    YamlMap map(*node, errors_);
    std::string tcp;
    int status = 0;
    int conditions = 0;
    if (map.read("tcp", tcp)) {
      ++conditions;
      read_endpoint(*map.find("tcp"), tcp, ready);
    }
    if (map.read("socket", ready.socket)) {
      ++conditions;
      ready.socket = substituted(ready.socket);
    }
    if (map.read_integer("exits", status, 0, 255)) {
      ++conditions;
      ready.exits = status;
    }
    if (conditions != 1) errors_.add(*node, "one of 'tcp', 'socket' and 'exits' is needed");
    map.read_integer("timeout_seconds", ready.timeout_seconds, 1, kReadySecondsMax);
    map.finish();
  }

  // "10.9.0.11:8080" or "[fd01::1]:8080".
  void read_endpoint(const YamlNode& node, const std::string& text, Ready& ready) {
    size_t colon = text.rfind(':');
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
      address = address.substr(1, address.size() - 2);
    unsigned port = 0;
    bool number = colon != std::string::npos &&
                  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port).ptr ==
                      text.data() + text.size();
    if (!number || port == 0 || port > 65535 || !valid_address(address))
      return errors_.add(node, "not ADDRESS:PORT, as in 10.9.0.11:8080");
    ready.tcp_address = address;
    ready.tcp_port = static_cast<uint16_t>(port);
  }

  void check_wiring() {
    for (const auto& [node, name] : switch_references_)
      if (std::none_of(topology_.switches.begin(), topology_.switches.end(),
                       [&](const Switch& made) { return made.name == name; }))
        errors_.add(*node, "there is no switch '" + name + "'");
    for (const auto& [node, name] : namespace_references_)
      if (std::none_of(topology_.namespaces.begin(), topology_.namespaces.end(),
                       [&](const LabNamespace& made) { return made.name == name; }))
        errors_.add(*node, "there is no namespace '" + name + "'");
  }

  std::string substituted(std::string text) const {
    for (const auto& [word, value] : substitutions_)
      for (size_t at = text.find(word); at != std::string::npos;
           at = text.find(word, at + value.size()))
        text.replace(at, word.size(), value);
    return text;
  }

  YamlErrors& errors_;
  Topology topology_;
  std::vector<std::pair<std::string, std::string>> substitutions_;
  std::set<std::string> names_, interface_names_;
  std::vector<std::pair<const YamlNode*, std::string>> switch_references_, namespace_references_;
};

}  // namespace

TopologyResult parse_topology(std::string_view text, const std::string& path) {
  YamlErrors errors(path);
  YamlNode root = tunnels::parse_yaml(text, errors);
  if (!errors.empty()) return tl::make_unexpected(errors.take());
  Topology topology = TopologyReader(errors, path).read(root);
  if (!errors.empty()) return tl::make_unexpected(errors.take());
  return topology;
}

TopologyResult read_topology(const std::string& path) {
  Result<std::string> text = tunnels::read_yaml_file(path);
  if (!text) return tl::make_unexpected(std::vector<Error>{text.error()});
  return parse_topology(*text, path);
}

std::string namespace_name(const std::string& lab, const std::string& name) {
  return lab + "-" + name;
}

std::string run_directory(const std::string& lab) { return "/run/sluice/lab/" + lab; }

std::string program_directory() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

}  // namespace sluice::testbed
