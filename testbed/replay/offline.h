// SPDX-License-Identifier: Apache-2.0
// `sluice replay` without --live: a capture through a whole gateway in this process. No privileges,
// no network, no clock; the same files give the same bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/control/reconciler.h"
#include "gateway/datapath/process_host.h"
#include "testbed/replay/capture_file.h"
#include "testbed/replay/sides.h"
#include "testbed/replay/simulation.h"
#include "tunnels/result.h"

namespace sluice::testbed {

struct OfflineOptions {
  std::string capture;
  std::string attachment;        // by name; the first one when empty
  std::string out;               // capture file for what was delivered; none when empty
  std::string eve_directory;     // one file per appliance; none when empty
  bool pass_by_default = false;  // sluice-pass stands where the lab section tells nothing
  uint64_t frames_max = UINT64_MAX;
  Sides sides;
};

struct OfflineReplay {
  std::unique_ptr<gateway::ProcessHost> host;
  std::unique_ptr<gateway::Reconciler> reconciler;  // knows the names
  std::unique_ptr<Simulation> simulation;
  CaptureCounts capture;
  std::vector<std::string> notes;  // what a person should know about the appliances
  // Why the capture could not be read to its end. What was read before counts.
  std::optional<Error> capture_error;
};

// Runs the whole capture through the gateway that `config` describes.
Result<OfflineReplay> replay_offline(const gateway::Config& config, const OfflineOptions& options);

}  // namespace sluice::testbed
