// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_controls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliances/ids/ids_counters.h"

namespace sluice::ids {
namespace {

using inspect::Engine;
using nlohmann::json;
using nlohmann::ordered_json;
using sdk::Workers;
using tunnels::MetricsPage;

IdsAppliance& ids_of(sdk::Appliance& appliance) { return static_cast<IdsAppliance&>(appliance); }

Result<IdsNumbers> numbers_of(const Workers& workers) {
  return workers.sum<IdsNumbers>(
      [](sdk::Appliance& appliance) { return ids_of(appliance).numbers(); });
}

Result<ordered_json> failed_rules(const json& request, const Engine& engine) {
  SLUICE_TRY(const int64_t limit,
             sdk::number_in(request, "limit", kFailedRulesDefault, 1, kFailedRulesMax));
  SLUICE_TRY(const int64_t offset, sdk::number_in(request, "offset", 0, 0, INT64_MAX));
  const auto some = [&](std::span<const inspect::RefusedRule> all) {
    const size_t first = std::min(static_cast<size_t>(offset), all.size());
    ordered_json rules = ordered_json::array();
    for (const auto& rule :
         all.subspan(first, std::min(static_cast<size_t>(limit), all.size() - first)))
      rules.push_back(
          {{"file", rule.file}, {"line", rule.line}, {"sid", rule.sid}, {"why", rule.reason}});
    return rules;
  };
  return ordered_json{{"refused", engine.refused().size()}, {"rules", some(engine.refused())},
                      {"skipped", engine.skipped().size()}, {"skips", some(engine.skipped())},
                      {"warned", engine.warned().size()},   {"warnings", some(engine.warned())}};
}

Result<ordered_json> memory(const Workers& workers, const Engine& engine) {
  SLUICE_TRY(const MemoryReport report, workers.sum<MemoryReport>([](sdk::Appliance& appliance) {
    return ids_of(appliance).memory();
  }));
  return ordered_json{{"flows", report.flows},
                      {"bytes_held", report.held},
                      {"bytes_held_max", report.held_max},
                      {"app_bytes", report.app},
                      {"session_bytes", report.sessions},
                      {"database_bytes", engine.database_bytes()},
                      {"scratch_bytes", report.scratch},
                      {"dataset_bytes", engine.datasets().memory()}};
}

Result<ordered_json> slow_rules(const Workers& workers) {
  using SlowRules = std::vector<inspect::LatencyGuard::SlowRule>;
  SLUICE_TRY(const auto parts, workers.ask<SlowRules>([](sdk::Appliance& appliance) {
    return ids_of(appliance).slow_rules();
  }));
  ordered_json rules = ordered_json::array();
  for (size_t worker = 0; worker < parts.size(); worker++) {
    for (const auto& slow : parts[worker])
      rules.push_back({{"worker", worker},
                       {"gid", slow.rule >> 32},
                       {"sid", slow.rule & 0xffffffff},
                       {"seconds_left", slow.seconds_left}});
  }
  return ordered_json{{"suspended", rules}};
}

Result<ordered_json> save_datasets(const Engine& engine) {
  SLUICE_TRY_VOID(engine.datasets().save());
  return ordered_json{{"datasets", engine.datasets().size()}};
}

void add_rules(const RunningRules::State& state, MetricsPage& page) {
  page.gauge("sluice_ids_rules_loaded", "Rules that run.").sample(state.engine->size());
  page.gauge("sluice_ids_rules_refused", "Rules that could not be honoured.")
      .sample(state.engine->refused().size());
  page.gauge("sluice_ids_rules_skipped", "Rules that require what is not here.")
      .sample(state.engine->skipped().size());
  page.gauge("sluice_ids_database_bytes", "Bytes of the compiled patterns of the rules.")
      .sample(state.engine->database_bytes());
  page.counter("sluice_ids_datasets_full_total", "Values for which datasets had no room.")
      .sample(state.engine->datasets().full());
  auto reloads = page.counter("sluice_ids_reloads_total", "Reloads, by whether they succeeded.");
  reloads.sample(state.reloads, {{"result", "ok"}});
  reloads.sample(state.reloads_failed, {{"result", "failed"}});
}

using AllParts = std::vector<std::unique_ptr<inspect::InspectorParts>>;

Result<std::shared_ptr<const AllParts>> parts_for(const Engine& engine, size_t workers) {
  auto all = std::make_shared<AllParts>();
  for (size_t i = 0; i < workers; i++) {
    SLUICE_TRY(auto parts, inspect::InspectorParts::make(engine));
    all->push_back(std::move(parts));
  }
  return all;
}

ordered_json rules_of(const RunningRules::State& state) {
  return {{"loaded", state.engine->size()},
          {"refused", state.engine->refused().size()},
          {"skipped", state.engine->skipped().size()},
          {"reloads", state.reloads},
          {"reloads_failed", state.reloads_failed},
          {"datasets", state.engine->datasets().size()},
          {"datasets_full", state.engine->datasets().full()}};
}

// A file that is being written, or is none of rules: nothing would be inspected any more.
Result<> refuse_none(const Engine& engine, const Engine& before,
                     const std::vector<std::string>& files) {
  if (engine.size() > 0 || before.size() == 0) return {};
  std::string names;
  for (const std::string& file : files) names += (names.empty() ? "" : ", ") + file;
  const size_t refused = engine.refused().size();
  return fail("no rule would be left (" + std::to_string(refused) + " refused" +
                  (refused == 0 ? "" : ", the first at " + engine.refused()[0].text()) +
                  "), so those that run go on: mend the file and reload, or start again without "
                  "rules",
              names);
}

}  // namespace

RunningRules::State RunningRules::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Result<ordered_json> RunningRules::reload(const Workers& workers) {
  // Held to the end, so that no worker has to free all that it was.
  const auto before = state().engine;
  auto taken = replace(*before, workers);
  const std::lock_guard lock(mutex_);
  (taken ? state_.reloads : state_.reloads_failed)++;
  return taken;
}

Result<ordered_json> RunningRules::replace(const Engine& before, const Workers& workers) {
  // All that can fail comes first, so that no worker has other rules than another.
  SLUICE_TRY(const auto engine, Engine::create(options_, &before));
  SLUICE_TRY_VOID(refuse_none(*engine, before, options_.rule_files));
  SLUICE_TRY(const auto all, parts_for(*engine, workers.count()));
  {
    // Also if a worker is late: it will take them.
    const std::lock_guard lock(mutex_);
    state_.engine = engine;
  }
  SLUICE_TRY_VOID(workers.each([engine, all](size_t worker, sdk::Appliance& appliance) {
    ids_of(appliance).use(engine, *(*all)[worker]);
  }));
  return ordered_json{{"loaded", engine->size()},
                      {"refused", engine->refused().size()},
                      {"skipped", engine->skipped().size()}};
}

sdk::Controls ids_controls(const std::shared_ptr<RunningRules>& rules) {
  sdk::Controls controls;
  controls.commands.push_back({"failed-rules",
                               "rules that could not be honoured, and why; limit=100, offset=0",
                               [rules](const json& request, const Workers&) {
                                 return failed_rules(request, *rules->state().engine);
                               },
                               {"limit", "offset"}});
  controls.commands.push_back({"memory", "bytes of flows, streams and databases",
                               [rules](const json&, const Workers& workers) {
                                 return memory(workers, *rules->state().engine);
                               }});
  controls.commands.push_back(
      {"slow-rules", "rules that are suspended because they took too long",
       [](const json&, const Workers& workers) { return slow_rules(workers); }});
  controls.commands.push_back(
      {"save-datasets", "write the files of datasets that are saved",
       [rules](const json&, const Workers&) { return save_datasets(*rules->state().engine); }});
  controls.reload = [rules](const Workers& workers) { return rules->reload(workers); };
  controls.metrics = [rules](const Workers& workers, MetricsPage& page) -> Result<> {
    SLUICE_TRY(const IdsNumbers numbers, numbers_of(workers));
    add_rules(rules->state(), page);
    add_numbers(numbers, page);
    return {};
  };
  controls.stats = [rules](const Workers& workers, ordered_json& stats) -> Result<> {
    SLUICE_TRY(const IdsNumbers numbers, numbers_of(workers));
    stats["ids"] = stats_of(numbers);
    stats["ids"]["rules"] = rules_of(rules->state());
    return {};
  };
  return controls;
}

}  // namespace sluice::ids
