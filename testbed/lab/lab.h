// SPDX-License-Identifier: Apache-2.0
// Labs: namespaces wired as a topology says, with their programs running. One lab of a name at a
// time.
#pragma once

#include <string>
#include <vector>

#include "testbed/lab/state.h"
#include "testbed/lab/topology.h"
#include "tunnels/result.h"

namespace sluice::testbed {

enum class Keep {
  kUntilDown,      // the lab stays when this returns and this process ends
  kWhileThisRuns,  // ready() has been called, then this waits for SIGINT or SIGTERM; nothing stays
};

// Builds the lab and waits until its programs are ready. A lab of this name that has lost all its
// programs, or whose builder was killed, is taken down first. Fails without leaving anything.
// Killing this process in the middle, even with SIGKILL, leaves nothing either. `config` is
// recorded for status.
Result<> bring_up(const Topology& topology, const std::string& config, Keep keep,
                  void (*ready)(const LabState&));

// Ends the programs, deletes the namespaces and the lab's directory. What is gone already is no
// error.
Result<> take_down(const std::string& name);

// Why programs of a lab that is up do not run, if so; empty: all is well.
std::vector<std::string> complaints(const LabState& state);

// The one lab that has a directory; an error names them if there are several.
Result<std::string> only_lab();

}  // namespace sluice::testbed
