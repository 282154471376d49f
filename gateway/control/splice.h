// SPDX-License-Identifier: Apache-2.0
// Puts the gateway into the path of a network device that a namespace has already, and takes it out
// again.
//
//   before   NETNS: DEV ------------------------------------------------ the network
//   after    NETNS: DEV' ===veth=== inside [ gateway's namespace ] outside (was DEV) --- the
//   network
//
// DEV' has DEV's name, number, MAC, MTU, queue length, addresses, routes, neighbours and settings,
// so that programs in NETNS see nothing but a moment of silence. Both ports are up and carry no
// addresses of the gateway's own. Nothing crosses between them until the data path is told of the
// attachment: the caller does that right after insert_splice(), and calls remove_splice() when it
// cannot.
//
// What is needed to undo it is in a file before anything changes: remove_splice() restores what was
// there after a crash at any step too, and may be repeated. Needs root. Any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr char kSpliceDirectory[] = "/run/sluice/splices";

struct SpliceOptions {
  // Where the ports go: a namespace's name or file; empty: the calling thread's own.
  std::string gateway_namespace;
  // Names of the ports there; empty: splN-out and splN-in, with the first N that is free.
  std::string outside;
  std::string inside;
  // Holds one file per splice, NETNS-DEV.json.
  std::filesystem::path state_directory = kSpliceDirectory;
  // For tests of what a crash leaves: called after each step with its number from 1; false ends the
  // process of inserting there and then, without rolling back.
  std::function<bool(int)> after_step;
};

struct Splice {
  std::string netns;
  std::string device;
  std::string gateway_namespace;  // as in the options
  std::string outside;            // interface names for the attachment
  std::string inside;
};

// `netns` is a name of `ip netns` or a file such as /proc/812/ns/net. An insert that fails has put
// back everything.
Result<Splice> insert_splice(const std::string& netns, const std::string& device,
                             const SpliceOptions& options = {});

Result<> remove_splice(const std::string& netns, const std::string& device,
                       const std::filesystem::path& state_directory = kSpliceDirectory);

// Those whose files are in the directory.
Result<std::vector<Splice>> list_splices(
    const std::filesystem::path& state_directory = kSpliceDirectory);

}  // namespace sluice::gateway
