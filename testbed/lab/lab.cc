// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/lab.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "testbed/lab/guardian.h"
#include "testbed/lab/network.h"
#include "testbed/lab/process.h"
#include "testbed/lab/ready.h"

namespace sluice::testbed {
namespace {

using namespace std::chrono_literals;

bool all_programs_dead(const LabState& state) {
  bool any = false;
  for (const RunningProgram& program : state.programs) {
    if (is_alive(program.id)) return false;
    any = any || !program.once;
  }
  return any;
}

bool any_namespace_exists(const LabState& state) {
  for (const std::string& name : state.namespaces)
    if (gateway::Namespace::open(name)) return true;
  return false;
}

bool is_stale(const LabState& state) {
  if (!state.ready) return !is_alive(state.builder);
  return all_programs_dead(state) || !any_namespace_exists(state);
}

// Makes way for a lab of this name.
Result<> clear_stale(const std::string& name) {
  Result<LabState> state = read_state(name);
  if (!state && state.error().code.value() == ENOENT) return {};
  if (!state) return tl::make_unexpected(std::move(state).error());
  if (!is_stale(*state))
    return fail("this lab is up already: `sluice lab down " + name + "` takes it down", name);
  return take_down(name);
}

Result<> run_program(const Topology& topology, const LabNamespace& owner, const Program& program,
                     bool die_with_parent, LabState& state) {
  SLUICE_TRY(gateway::Namespace where,
             gateway::Namespace::open(namespace_name(topology.name, owner.name)));
  StartOptions options;
  options.command = program.command;
  options.where = &where;
  options.log = run_directory(topology.name) + "/logs/" + owner.name + "-" + program.name + ".log";
  options.die_with_parent = die_with_parent;
  options.before_run = [&](ProcessId id) {
    state.programs.push_back(
        {program.name, owner.name, options.log, program.ready.exits.has_value(), id});
    return write_state(state);
  };
  SLUICE_TRY(ProcessId id, start_process(options));
  Result<> ready = wait_until_ready(program.ready, where, id);
  if (ready) return {};
  return fail(ready.error().text() + last_lines(options.log), owner.name + ": " + program.name);
}

Result<> build(const Topology& topology, bool die_with_parent, LabState& state) {
  SLUICE_TRY_VOID(create_network(topology));
  for (const LabNamespace& owner : topology.namespaces)
    for (const Program& program : owner.programs)
      SLUICE_TRY_VOID(run_program(topology, owner, program, die_with_parent, state));
  if (auto sick = complaints(state); !sick.empty()) return fail(sick.front());
  state.ready = true;
  return write_state(state);
}

// Blocks SIGINT and SIGTERM for this thread: they are for wait_for_end().
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

Result<> bring_up(const Topology& topology, const std::string& config, Keep keep,
                  void (*ready)(const LabState&)) {
  if (geteuid() != 0) return fail("a lab needs root: it makes network namespaces", topology.name);
  for (const LabNamespace& owner : topology.namespaces)
    for (const Program& program : owner.programs)
      SLUICE_TRY_VOID(find_program(program.command.at(0)));
  SLUICE_TRY_VOID(clear_stale(topology.name));
  LabState state{
      topology.name, config, false, find_process(getpid()).value_or(ProcessId{}), {}, {}};
  Result<> created = create_state(state);
  if (!created && created.error().code.value() == EEXIST)
    return fail("this lab is being built by another", topology.name);
  if (!created) return created;
  SLUICE_TRY(Guardian guardian, Guardian::start(topology.name));
  for (const std::string& name : namespace_names(topology))
    if (gateway::Namespace::open(name))
      return fail("a network namespace of this name exists already", name);
  state.namespaces = namespace_names(topology);
  SLUICE_TRY_VOID(write_state(state));
  SLUICE_TRY_VOID(build(topology, keep == Keep::kWhileThisRuns, state));
  if (keep == Keep::kUntilDown) {
    ready(state);
    guardian.dismiss();
    return {};
  }
  sigset_t signals = block_end_signals();
  ready(state);
  int signal = 0;
  sigwait(&signals, &signal);
  return take_down(topology.name);
}

Result<> take_down(const std::string& name) {
  SLUICE_TRY(LabState state, read_state(name));
  std::vector<ProcessId> processes;
  for (const RunningProgram& program : state.programs) processes.push_back(program.id);
  std::reverse(processes.begin(), processes.end());
  stop_processes(processes, state.namespaces);
  SLUICE_TRY_VOID(delete_network(state.namespaces));
  return delete_state(name);
}

std::vector<std::string> complaints(const LabState& state) {
  std::vector<std::string> all;
  for (const std::string& name : state.namespaces)
    if (auto opened = gateway::Namespace::open(name); !opened) all.push_back(opened.error().text());
  for (const RunningProgram& program : state.programs)
    if (!program.once && !is_alive(program.id))
      all.push_back(program.namespace_name + ": " + program.name + " has ended" +
                    last_lines(program.log));
  return all;
}

Result<std::string> only_lab() {
  std::vector<std::string> labs = list_labs();
  if (labs.empty()) return fail("no lab is up");
  if (labs.size() == 1) return labs.front();
  std::string names;
  for (const std::string& name : labs) names += " " + name;
  return fail("several labs are up, say which:" + names);
}

}  // namespace sluice::testbed
