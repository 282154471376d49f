// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/state_commands.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "gateway/cli/asking.h"
#include "gateway/cli/print.h"
#include "gateway/control/config.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

void add_apply(CLI::App& app) {
  CLI::App* command = app.add_subcommand("apply", "make a running gateway what a file says");
  auto asking = std::make_shared<Asking>();
  auto file = std::make_shared<std::string>();
  auto dry_run = std::make_shared<bool>(false);
  asking->add_options(*command);
  command->add_option("file", *file, "the YAML file")->required();
  command->add_flag("--dry-run", *dry_run, "only say what would change");
  command->callback([=] {
    const std::string text = or_give_up(tunnels::read_yaml_file(*file));
    asking->request = {{"command", "apply"},
                       {"file", std::filesystem::absolute(*file).string()},
                       {"text", text},
                       {"dry_run", *dry_run}};
    asking->ask(print_changes);
  });
}

void add_export(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("export", "the running state as a file that `apply` reads");
  auto asking = std::make_shared<Asking>();
  asking->add_options(*command);
  command->callback([=] {
    asking->request = {{"command", "export"}};
    asking->ask([](const json& reply) { return reply.value("yaml", ""); });
  });
}

void add_history(CLI::App& app) {
  CLI::App* command = app.add_subcommand("history", "who changed the state, and when");
  auto asking = std::make_shared<Asking>();
  auto limit = std::make_shared<uint64_t>(20);
  asking->add_options(*command);
  command->add_option("--limit", *limit, "at most so many")->check(CLI::Range(1, 10000));
  command->callback([=] {
    asking->request = {{"command", "history"}, {"limit", *limit}};
    asking->ask(print_history);
  });
}

void add_diff(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "diff", "what the last generation changed, or one since another, or between two");
  auto asking = std::make_shared<Asking>();
  auto generations = std::make_shared<std::vector<uint64_t>>();
  asking->add_options(*command);
  command->add_option("generations", *generations, "[FROM [TO]]")->expected(0, 2);
  command->callback([=] {
    asking->request = {{"command", "changes"}};
    if (!generations->empty()) asking->request["from"] = generations->front();
    if (generations->size() == 2) asking->request["to"] = generations->back();
    asking->ask(print_changes);
  });
}

void add_rollback(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("rollback", "make the state what it was at a generation, as a new one");
  auto asking = std::make_shared<Asking>();
  auto generation = std::make_shared<uint64_t>(0);
  auto dry_run = std::make_shared<bool>(false);
  asking->add_options(*command);
  command->add_option("generation", *generation, "of `sluice history`")->required();
  command->add_flag("--dry-run", *dry_run, "only say what would change");
  command->callback([=] {
    asking->request = {{"command", "rollback"}, {"generation", *generation}, {"dry_run", *dry_run}};
    asking->ask(print_changes);
  });
}

}  // namespace

void add_state_commands(CLI::App& app) {
  add_apply(app);
  add_export(app);
  add_history(app);
  add_diff(app);
  add_rollback(app);
}

}  // namespace sluice::gateway
