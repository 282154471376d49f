// SPDX-License-Identifier: Apache-2.0
// What undoing a splice needs, as a file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/control/offloads.h"
#include "gateway/control/snapshot.h"
#include "gateway/control/splice.h"
#include "tunnels/result.h"

namespace sluice::gateway {

struct SpliceState {
  Splice splice;
  ino_t gateway_inode = 0;  // which namespace "the calling thread's own" was
  ino_t netns_inode = 0;
  Snapshot snapshot;  // of the device in its namespace
  Features features;  // of the device
  // The other end, if the device is one of a veth pair; empty name: no such end, or none that can
  // be found.
  std::string peer;
  ino_t peer_inode = 0;
  Features peer_features;
};

std::filesystem::path state_file(const std::filesystem::path& directory, const std::string& netns,
                                 const std::string& device);
// Whole or not at all, and on the disk when it returns.
Result<> save_state(const SpliceState& state, const std::filesystem::path& file);
Result<SpliceState> load_state(const std::filesystem::path& file);

}  // namespace sluice::gateway
