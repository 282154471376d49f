// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <span>

#include "appliances/ids/command.h"
#include "appliances/ids/ids_controls.h"
#include "appliances/ids/profile.h"
#include "appliances/sdk/command_line.h"
#include "appliances/sdk/eve_program.h"

using namespace sluice;

namespace {

void print(std::span<const inspect::RefusedRule> rules, std::FILE* out) {
  for (const inspect::RefusedRule& rule : rules) std::fprintf(out, "%s\n", rule.text().c_str());
}

void print_loaded(const inspect::Engine& engine) {
  for (uint32_t i = 0; i < engine.size(); i++) {
    const inspect::Rule& rule = engine.rule(i).rule;
    std::printf("%s:%d: sid %u: %s\n", rule.file.c_str(), rule.line, rule.sid, rule.msg.c_str());
  }
}

// That has to be there: those with the time in their names are made.
std::string directory_of(const std::string& file) {
  std::filesystem::path directory = std::filesystem::path(file).parent_path();
  while (directory.native().find('%') != std::string::npos) directory = directory.parent_path();
  return directory.empty() ? "." : directory.native();
}

// What -T says behind the numbers. As in Suricata, one refused rule is enough.
Result<> say_test(const inspect::Engine& engine, const ids::IdsCommand& command) {
  const std::string file = command.eve().path;
  const std::string directory = directory_of(file);
  if (file != "-" && ::access(directory.c_str(), W_OK | X_OK) != 0)
    return fail_errno("cannot write events there", directory);
  if (!engine.refused().empty()) return fail("not all rules can be honoured", "sluice-ids");
  std::fprintf(stderr, "sluice-ids: configuration and rules are in order\n");
  return {};
}

// What rules have put into sets is kept also where events were lost or a capture broke off. A start
// that failed has put nothing there, and keeps the files.
Result<> save_datasets(const inspect::Engine& engine, const Result<>& ran) {
  using Which = inspect::Datasets::Which;
  Result<> saved = engine.datasets().save(ran ? Which::kAll : Which::kChanged);
  if (ran) return saved;
  if (!saved) std::fprintf(stderr, "%s\n", saved.error().text().c_str());
  return ran;
}

Result<> run(ids::IdsCommand command) {
  prepare(command);
  if (command.is_live()) sdk::hold_signals();
  for (const std::string& note : command.without_effect)
    std::fprintf(stderr, "sluice-ids: without effect: %s\n", note.c_str());
  SLUICE_TRY(auto engine, ids::load_rules(command.ids));
  if (!command.profile_capture.empty()) {
    SLUICE_TRY(const std::string table,
               ids::profile_rules(engine, command.ids, command.profile_capture));
    std::printf("%s", table.c_str());
    return {};
  }
  if (command.list_rules) {
    if (!command.only_failed) print_loaded(*engine);
    if (!command.only_failed) print(engine->warned(), stdout);
    if (!command.only_failed) print(engine->skipped(), stdout);
    print(engine->refused(), stdout);
    return {};
  }
  print(engine->warned(), stderr);
  print(engine->refused(), stderr);
  std::fprintf(stderr, "sluice-ids: %zu rules loaded, %zu refused, %zu skipped\n", engine->size(),
               engine->refused().size(), engine->skipped().size());
  if (command.test) return say_test(*engine, command);
  if (!command.ids.rules.cache_directory.empty()) {
    const inspect::CacheCounters& cache = engine->cache_counters();
    std::fprintf(stderr,
                 "sluice-ids: of the databases %lu came from the cache, %lu were not there, %lu "
                 "ignored, %lu not written\n",
                 cache.hits, cache.misses, cache.ignored, cache.not_written);
  }
  const auto rules = std::make_shared<ids::RunningRules>(command.ids.rules, std::move(engine));
  const auto stats = ids::make_stats_log(command.ids);
  const Result<> ran = sdk::run_with_eve(
      command.eve(), command.capture_file, command.runner,
      [&](inspect::Sink& eve) {
        return ids::make_ids(rules->state().engine, command.ids, eve, stats);
      },
      ids::ids_controls(rules));
  return save_datasets(*rules->state().engine, ran);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "sluice-ids: an appliance that alerts on, drops and rejects traffic by Suricata rules");
  ids::IdsCommand command;
  add_options(app, command);
  CLI11_PARSE(app, argc, argv);
  const Result<> result = run(command);
  if (result) return 0;
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  return 1;
}
