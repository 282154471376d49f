// SPDX-License-Identifier: Apache-2.0
// Why a flow is treated as it is: `sluice-dpi explain` for a flow that somebody describes, the
// command `explain` of the control socket for one that is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliances/sdk/controls.h"
#include "inspect/dpi/classifier.h"
#include "tunnels/result.h"

namespace CLI {
class App;
}

namespace sluice::dpi {

// A flow in words; what is empty is not known.
struct DescribedFlow {
  std::string application;  // "TLS.YouTube"
  std::string category;     // empty: the application's own
  std::vector<std::string> risks;
  uint16_t score = 0;
  std::string host, ja3, ja4;
  std::string client;
  uint64_t endpoint = 0;
  std::string time;    // "2026-11-21T18:30", in the policy's zone, or with Z in UTC; empty: now
  bool first = false;  // nothing is final yet
};

// What `policy_file` says about it, for a person: each step, then the decision.
Result<std::string> explain(const std::string& policy_file, const DescribedFlow& flow,
                            const inspect::Classifier& classifier, int64_t now_us);

// Adds the subcommand, which prints and ends the program; `policy_file` is what --policy set.
void add_explain(CLI::App& app, const std::string& policy_file, const inspect::ListFiles& lists);

// {"command": "explain", "src_ip": ..., "src_port": ..., "dest_ip": ..., "dest_port": ...,
// "proto": "TCP"}
sdk::Command explain_command();

}  // namespace sluice::dpi
