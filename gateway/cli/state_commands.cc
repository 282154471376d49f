// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/state_commands.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>

#include "gateway/cli/asking.h"
#include "gateway/cli/print.h"
#include "gateway/control/config.h"
#include "tunnels/yaml.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

json apply_request(const std::string& file, bool dry_run) {
  return {{"command", "apply"},
          {"file", std::filesystem::absolute(file).string()},
          {"text", or_give_up(tunnels::read_yaml_file(file))},
          {"dry_run", dry_run}};
}

void add_apply(CLI::App& app) {
  CLI::App* command = app.add_subcommand("apply", "make a running gateway what a file says");
  auto asking = std::make_shared<Asking>();
  auto file = std::make_shared<std::string>();
  auto dry_run = std::make_shared<bool>(false);
  asking->add_options(*command);
  command->add_option("file", *file, "the YAML file")->required();
  command->add_flag("--dry-run", *dry_run, "only say what would change");
  command->callback([=] {
    asking->request = apply_request(*file, *dry_run);
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

std::optional<uint64_t> read_generation(const std::string& word) {
  uint64_t out = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, out);
  if (error != std::errc() || stop != end) return {};
  return out;
}

json diff_request(const std::vector<std::string>& words) {
  json request{{"command", "changes"}};
  const char* const keys[] = {"from", "to"};
  for (size_t i = 0; i < words.size(); i++) {
    const auto generation = read_generation(words[i]);
    if (!generation && words.size() == 1) return apply_request(words[0], /*dry_run=*/true);
    if (!generation) give_up({"'" + words[i] + "' is no number of a generation", {}, {}});
    request[keys[i]] = *generation;
  }
  return request;
}

void add_diff(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "diff",
      "what the last generation changed, or one since another, or between two; or what applying a "
      "file would change");
  auto asking = std::make_shared<Asking>();
  auto words = std::make_shared<std::vector<std::string>>();
  asking->add_options(*command);
  command->add_option("generations", *words, "[FROM [TO]] or FILE")->expected(0, 2);
  command->callback([=] {
    asking->request = diff_request(*words);
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
