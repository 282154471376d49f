// SPDX-License-Identifier: Apache-2.0
// What a lab has made, in a file written before each thing is made, so that a lab whose builder was
// killed at any instant can still be taken down.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

// A process by number and the time it started (clock ticks since boot): a number alone may be
// another's by now.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_time = 0;
};

struct RunningProgram {
  std::string name;
  std::string namespace_name;
  std::string log;
  bool once = false;  // has ended as it should
  ProcessId id;
};

struct LabState {
  std::string name;
  std::string config;
  bool ready = false;
  ProcessId builder;
  std::vector<std::string> namespaces;  // as `ip netns` knows them
  std::vector<RunningProgram> programs;
};

// Makes the lab's directory with the state in it, at once; fails with EEXIST if there is one.
Result<> create_state(const LabState& state);
Result<> write_state(const LabState& state);
// The error's code is ENOENT if there is no such lab.
Result<LabState> read_state(const std::string& name);
Result<> delete_state(const std::string& name);
// Names of the labs that have a directory.
std::vector<std::string> list_labs();

}  // namespace sluice::testbed
