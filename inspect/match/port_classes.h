// SPDX-License-Identifier: Apache-2.0
// Which rules can match on which server port, so that a rule about port 445 costs nothing on 80.
#pragma once

#include <cstdint>
#include <vector>

#include "inspect/rules/header.h"

namespace sluice::inspect {

// Sets of ports that are told apart; each has databases of its own.
inline constexpr size_t kPortClassesMax = 256;

struct PortRule {
  uint32_t rule;
  const PortList* ports;  // of the server
};

struct PortClasses {
  std::vector<uint32_t> any;                 // rules about any port, or about most
  std::vector<std::vector<uint32_t>> named;  // by class: rules that name its ports
  std::vector<uint8_t> class_of;             // by port; empty if no rule is narrow; class 0: none
};

// With more than kPortClassesMax sets of ports, the rules about many ports count as about any.
PortClasses classify_ports(const std::vector<PortRule>& rules);

}  // namespace sluice::inspect
