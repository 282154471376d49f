// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/appliance_entries.h"

#include <algorithm>
#include <filesystem>

#include "appliances/dpi/command.h"
#include "appliances/ids/command.h"
#include "appliances/pass/pass_appliance.h"
#include "testbed/lab/topology.h"
#include "tunnels/yaml.h"

namespace sluice::testbed {

namespace {

using Notes = std::vector<std::string>;
using ApplianceResult = Result<std::unique_ptr<sdk::Appliance>>;

ApplianceResult make_ids(std::span<const std::string> arguments, inspect::Sink& eve, Notes& notes) {
  SLUICE_TRY(ids::IdsCommand command, ids::parse_arguments(arguments));
  command.ids.stats.interval_us = 0;  // once, at the end
  SLUICE_TRY(const auto engine, ids::load_rules(command.ids));
  for (const inspect::RefusedRule& refused : engine->refused()) notes.push_back(refused.text());
  return ids::make_ids(engine, command.ids, eve);
}

ApplianceResult make_dpi(std::span<const std::string> arguments, inspect::Sink& eve) {
  SLUICE_TRY(const dpi::DpiCommand command, dpi::parse_arguments(arguments));
  return dpi::make_dpi(command.dpi, eve);
}

ApplianceResult make_appliance(const ApplianceEntry& entry, inspect::Sink& eve, Notes& notes) {
  if (entry.program == "sluice-ids") return make_ids(entry.arguments, eve, notes);
  if (entry.program == "sluice-dpi") return make_dpi(entry.arguments, eve);
  if (entry.program == "sluice-pass") return pass::make_pass();
  return fail("replay has no appliance '" + entry.program +
                  "': it knows sluice-pass, sluice-ids and sluice-dpi",
              "target " + entry.address.text());
}

// "10.9.0.11/24" without its length.
Result<gateway::IpAddress> address_of(const std::string& text) {
  return gateway::parse_ip_address(text.substr(0, text.find('/')));
}

uint16_t mtu_of(const Interface& interface, const Topology& topology) {
  if (interface.mtu != 0) return static_cast<uint16_t>(interface.mtu);
  const auto at = std::ranges::find(topology.switches, interface.switch_name, &Switch::name);
  return static_cast<uint16_t>(at != topology.switches.end() ? at->mtu : Switch{}.mtu);
}

void add_namespace(const LabNamespace& space, const Topology& topology,
                   const gateway::IpAddress& tunnel_address, LabEntries& out) {
  const auto appliance = std::ranges::find(space.programs, true, &Program::appliance);
  for (const Interface& interface : space.interfaces) {
    for (const std::string& text : interface.addresses) {
      const auto address = address_of(text);
      if (!address) continue;
      if (*address == tunnel_address) out.tunnel_mtu = mtu_of(interface, topology);
      if (appliance == space.programs.end()) continue;
      const std::vector<std::string>& command = appliance->command;
      out.appliances.push_back({*address,
                                std::filesystem::path(command[0]).filename().string(),
                                {command.begin() + 1, command.end()}});
    }
  }
}

Result<bool> has_lab_section(const std::string& config_path) {
  SLUICE_TRY(const std::string text, tunnels::read_yaml_file(config_path));
  tunnels::YamlErrors errors(config_path);
  return tunnels::parse_yaml(text, errors).find("lab") != nullptr;
}

}  // namespace

Result<LabEntries> read_lab_entries(const std::string& config_path,
                                    const gateway::IpAddress& tunnel_address) {
  LabEntries out;
  SLUICE_TRY(const bool has_lab, has_lab_section(config_path));
  if (!has_lab) return out;
  const TopologyResult topology = read_topology(config_path);
  if (!topology) return tl::make_unexpected(topology.error().front());
  for (const LabNamespace& space : topology->namespaces)
    add_namespace(space, *topology, tunnel_address, out);
  return out;
}

Result<std::unique_ptr<StandingAppliance>> make_standing_appliance(
    const ApplianceEntry& entry, const std::string& eve_path, std::vector<std::string>& notes) {
  std::unique_ptr<inspect::Sink> file;
  if (!eve_path.empty()) {
    SLUICE_TRY(file, inspect::FileSink::open({eve_path}));
  }
  auto tap = std::make_shared<EveTap>(std::move(file));
  SLUICE_TRY(auto appliance, make_appliance(entry, *tap, notes));
  return std::make_unique<StandingAppliance>(entry.address.text(), tap, std::move(appliance));
}

}  // namespace sluice::testbed
