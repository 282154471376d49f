// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/appliance_entries.h"

#include <filesystem>

#include "appliances/pass/pass_appliance.h"
#include "gateway/control/yaml.h"

namespace sluice::testbed {

namespace {

using gateway::YamlNode;

const std::vector<YamlNode>& elements(const YamlNode* node) {
  static const std::vector<YamlNode> none;
  return node != nullptr && node->kind == YamlNode::Kind::kSequence ? node->children : none;
}

// "10.9.0.11/24" without its length.
Result<gateway::IpAddress> address_of(const YamlNode& node) {
  return gateway::parse_ip_address(node.scalar.substr(0, node.scalar.find('/')));
}

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// {dir} is the folder of the file, {config} the file.
std::vector<std::string> arguments_of(const YamlNode& appliance, const std::string& config_path) {
  const std::string folder = std::filesystem::path(config_path).parent_path().string();
  std::vector<std::string> out;
  for (const YamlNode& argument : elements(appliance.find("arguments"))) {
    out.push_back(argument.scalar);
    replace_all(out.back(), "{dir}", folder.empty() ? "." : folder);
    replace_all(out.back(), "{config}", config_path);
  }
  return out;
}

Result<std::unique_ptr<sdk::Appliance>> make_appliance(const ApplianceEntry& entry,
                                                       std::shared_ptr<EveTap>) {
  if (entry.program == "sluice-pass") return pass::make_pass();
  return fail("replay has no appliance '" + entry.program +
                  "': it knows sluice-pass, sluice-ids and sluice-dpi",
              "target " + entry.address.text());
}

}  // namespace

Result<LabEntries> read_lab_entries(const std::string& config_path,
                                    const gateway::IpAddress& tunnel_address) {
  SLUICE_TRY(const std::string text, gateway::read_yaml_file(config_path));
  gateway::YamlErrors errors(config_path);
  const YamlNode root = gateway::parse_yaml(text, errors);
  if (!errors.empty()) return tl::make_unexpected(errors.take().front());
  LabEntries out;
  const YamlNode* lab = root.find("lab");
  if (lab == nullptr) return out;
  for (const YamlNode& space : elements(lab->find("namespaces"))) {
    const YamlNode* appliance = space.find("appliance");
    for (const YamlNode& interface : elements(space.find("interfaces"))) {
      for (const YamlNode& place : elements(interface.find("addresses"))) {
        const auto address = address_of(place);
        if (!address) continue;
        const YamlNode* mtu = interface.find("mtu");
        uint64_t number = 0;
        if (*address == tunnel_address && mtu != nullptr &&
            gateway::read_yaml_integer(*mtu, errors, 68, UINT16_MAX, number))
          out.tunnel_mtu = static_cast<uint16_t>(number);
        const YamlNode* program = appliance != nullptr ? appliance->find("program") : nullptr;
        if (program != nullptr)
          out.appliances.push_back(
              {*address, program->scalar, arguments_of(*appliance, config_path)});
      }
    }
  }
  return out;
}

Result<std::unique_ptr<StandingAppliance>> make_standing_appliance(const ApplianceEntry& entry,
                                                                   const std::string& eve_path) {
  std::unique_ptr<inspect::Sink> file;
  if (!eve_path.empty()) {
    SLUICE_TRY(file, inspect::FileSink::open(eve_path));
  }
  auto tap = std::make_shared<EveTap>(std::move(file));
  SLUICE_TRY(auto appliance, make_appliance(entry, tap));
  return std::make_unique<StandingAppliance>(entry.address.text(), tap, std::move(appliance));
}

}  // namespace sluice::testbed
