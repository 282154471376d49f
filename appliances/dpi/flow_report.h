// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliances/dpi/dpi_flow.h"
#include "inspect/dpi/classifier.h"
#include "inspect/dpi/policy.h"

namespace sluice::dpi {

// What a person may ask about a flow that is there.
struct FlowReport {
  struct Step {
    uint64_t packet;
    std::string application;
    std::string rule;
  };
  tunnels::tuple to_server{};
  std::string application;
  std::string category;
  inspect::Findings findings;
  bool final = false;
  std::string action;
  std::string rule;
  std::string blocked_by;
  uint64_t packets_blocked = 0;
  uint64_t packets_limited = 0;
  uint64_t packets_over_quota = 0;
  std::vector<Step> history;
  std::vector<inspect::PolicyStep> reasons;  // of the decision, were it made now
};

// `facts`: what the policy would go by now.
FlowReport report_of(const DpiRecord& record, const inspect::Classifier& classifier,
                     const inspect::Policy& policy, const inspect::PolicyFacts& facts);

}  // namespace sluice::dpi
