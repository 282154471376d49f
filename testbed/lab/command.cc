// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/command.h"

#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "testbed/lab/lab.h"
#include "testbed/lab/process.h"

namespace sluice::testbed {
namespace {

struct Options {
  std::string lab;  // a name or a configuration file; empty: the only one
  std::string inside;
  std::vector<std::string> command;
  bool foreground = false;
  bool json = false;
};

int complain(const Error& error) {
  std::fprintf(stderr, "sluice lab: %s\n", error.text().c_str());
  return 1;
}

int complain(const std::vector<Error>& errors) {
  for (const Error& error : errors) complain(error);
  return 1;
}

void print_line(const RunningProgram& program) {
  std::string state = program.once ? "done" : is_alive(program.id) ? "runs" : "has ended";
  std::printf("  %-12s %-20s %-10s pid %-8d %s\n", program.namespace_name.c_str(),
              program.name.c_str(), state.c_str(), program.id.pid, program.log.c_str());
}

void print_state(const LabState& state) {
  std::printf("lab %s (%s) is %s\n", state.name.c_str(), state.config.c_str(),
              state.ready ? "up" : "not ready");
  std::string names;
  for (const std::string& name : state.namespaces) names += " " + name;
  std::printf("  namespaces:%s\n", names.c_str());
  for (const RunningProgram& program : state.programs) print_line(program);
  std::fflush(stdout);
}

void print_json(const LabState& state) {
  nlohmann::json programs = nlohmann::json::array();
  for (const RunningProgram& program : state.programs)
    programs.push_back({{"name", program.name},
                        {"namespace", program.namespace_name},
                        {"pid", program.id.pid},
                        {"running", is_alive(program.id)},
                        {"done", program.once},
                        {"log", program.log}});
  nlohmann::json json = {{"name", state.name},   {"config", state.config},
                         {"ready", state.ready}, {"namespaces", state.namespaces},
                         {"programs", programs}, {"complaints", complaints(state)}};
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

// The name behind the argument of down, status and exec.
Result<std::string> lab_name(const std::string& argument) {
  if (argument.empty()) return only_lab();
  if (!std::filesystem::is_regular_file(argument)) return argument;
  TopologyResult topology = read_topology(argument);
  if (!topology) return tl::make_unexpected(topology.error().front());
  return topology->name;
}

int up(const Options& options) {
  TopologyResult topology = read_topology(options.lab);
  if (!topology) return complain(topology.error());
  std::error_code ignored;
  std::string config = std::filesystem::absolute(options.lab, ignored).string();
  Keep keep = options.foreground ? Keep::kWhileThisRuns : Keep::kUntilDown;
  Result<> result = bring_up(*topology, config, keep, print_state);
  return result ? 0 : complain(result.error());
}

int down(const Options& options) {
  Result<std::string> name = lab_name(options.lab);
  if (!name) return complain(name.error());
  Result<> result = take_down(*name);
  return result ? 0 : complain(result.error());
}

int show_status(const Options& options) {
  Result<std::string> name = lab_name(options.lab);
  if (!name) return complain(name.error());
  Result<LabState> state = read_state(*name);
  if (!state) return complain(state.error());
  std::vector<std::string> all = complaints(*state);
  if (options.json) {
    print_json(*state);
  } else {
    print_state(*state);
    for (const std::string& complaint : all) std::printf("  %s\n", complaint.c_str());
  }
  return all.empty() && state->ready ? 0 : 1;
}

int execute(const Options& options) {
  Result<std::string> name = lab_name(options.lab);
  if (!name) return complain(name.error());
  Result<gateway::Namespace> where =
      gateway::Namespace::open(namespace_name(*name, options.inside));
  if (!where) return complain(where.error());
  Result<std::string> file = find_program(options.command.at(0));
  if (!file) return complain(file.error());
  if (setns(where->fd(), CLONE_NEWNET) < 0)
    return complain(Error{"cannot enter", where->name(), {errno, std::generic_category()}});
  std::vector<char*> words;
  for (const std::string& word : options.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execv(file->c_str(), words.data());
  return complain(Error{"cannot run", *file, {errno, std::generic_category()}});
}

}  // namespace

void add_lab_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto add = [&](CLI::App* parent, const char* name, const char* about,
                 int (*run)(const Options&)) {
    CLI::App* command = parent->add_subcommand(name, about);
    command->callback([options, run] {
      if (int status = run(*options); status != 0) throw CLI::RuntimeError(status);
    });
    return command;
  };
  CLI::App* lab =
      app.add_subcommand("lab", "client, gateway, appliances and applications as namespaces");
  lab->require_subcommand(1);
  CLI::App* command =
      add(lab, "up", "build the lab of a configuration file and start its programs", up);
  command->add_option("file", options->lab, "configuration file")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_flag("--foreground", options->foreground,
                    "stay; take the lab down on SIGINT, SIGTERM or any other end");
  command = add(lab, "down", "end the programs of a lab and delete its namespaces", down);
  command->add_option("lab", options->lab, "name or configuration file (default: the only one)");
  command = add(lab, "status", "what runs; exit status 1 if something does not", show_status);
  command->add_option("lab", options->lab, "name or configuration file (default: the only one)");
  command->add_flag("--json", options->json, "for programs");
  command = add(lab, "exec",
                "run a command inside a namespace: exec client -- curl http://10.1.0.80/", execute);
  command->add_option("--lab", options->lab, "name or configuration file (default: the only one)");
  command->add_option("namespace", options->inside, "name in the configuration")->required();
  command->add_option("command", options->command, "command and arguments, after --")->required();
}

}  // namespace sluice::testbed
