// SPDX-License-Identifier: Apache-2.0
// Which appliance stands at which target's address: read from the `lab` section of the one YAML
// file, and made from the program and arguments that the lab would run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/address.h"
#include "testbed/replay/standing_appliance.h"
#include "tunnels/result.h"

namespace sluice::testbed {

struct ApplianceEntry {
  gateway::IpAddress address;
  std::string program;  // sluice-pass, sluice-ids, sluice-dpi
  std::vector<std::string> arguments;
};

// What replay needs of the `lab` section.
struct LabEntries {
  std::vector<ApplianceEntry> appliances;
  uint16_t tunnel_mtu = 0;  // of the interface with the tunnel's address; 0 when not told
};

// A file without a `lab` section has no entries.
Result<LabEntries> read_lab_entries(const std::string& config_path,
                                    const gateway::IpAddress& tunnel_address);

// The appliance of an entry. Its events go to the file `eve_path`, or nowhere when that is empty:
// where its own arguments would write them does not matter. Adds to `notes` what a person should
// know, e.g. rules that were refused.
Result<std::unique_ptr<StandingAppliance>> make_standing_appliance(const ApplianceEntry& entry,
                                                                   const std::string& eve_path,
                                                                   std::vector<std::string>& notes);

}  // namespace sluice::testbed
