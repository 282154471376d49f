// SPDX-License-Identifier: Apache-2.0
// Processes of a lab: started inside a network namespace, found again and ended by number and start
// time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/namespaces.h"
#include "testbed/lab/state.h"
#include "tunnels/result.h"

namespace sluice::testbed {

// The process that has this number now; nullopt if there is none, or it has ended and waits for its
// parent.
std::optional<ProcessId> find_process(pid_t pid);
bool is_alive(const ProcessId& id);

// The file to execute: `name` itself with a '/', else from the directory of this program, else from
// PATH.
Result<std::string> find_program(const std::string& name);

struct StartOptions {
  std::vector<std::string> command;
  const gateway::Namespace* where = nullptr;
  std::string log;  // standard output and error are appended here; empty: ours
  bool die_with_parent = false;
  // Called with the new process before it runs anything; if it fails, or the caller dies in it, the
  // process ends and nothing has run.
  std::function<Result<>(ProcessId)> before_run;
};
// In a session and process group of its own.
Result<ProcessId> start_process(const StartOptions& options);

// How a child of this process has ended; nullopt while it runs.
std::optional<int> exit_status(pid_t child);
std::string describe_status(int status);

// Ends the processes and their groups: asked first, forced after two seconds; then forces all that
// is left inside the namespaces. Numbers that are another process by now are left alone.
void stop_processes(const std::vector<ProcessId>& processes,
                    const std::vector<std::string>& namespaces);

// The last lines of a log, for a message.
std::string last_lines(const std::string& file, size_t lines = 8);

}  // namespace sluice::testbed
