// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::sdk {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct BuiltIn {
  std::string_view name;
  const char* about;
};
constexpr BuiltIn kBuiltIn[] = {
    {"help", "what may be asked"},
    {"stats", "counters of all workers together"},
    {"metrics", "the page of GET /metrics, as `text`"},
    {"reload", "read rules or policy again; on an error the old ones stay"},
    {"reopen-log-files", "open log files again by their names; on an error the old ones stay"},
};

bool is_built_in(std::string_view name) {
  return std::ranges::find(kBuiltIn, name, &BuiltIn::name) != std::end(kBuiltIn);
}

// Names from the network may be no UTF-8.
std::string line_of(const ordered_json& reply) {
  return reply.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// What is asked for and would not be heeded.
Result<> check_fields(const json& request, const std::vector<std::string>& fields) {
  for (const auto& [name, value] : request.items())
    if (name != "command" && std::ranges::find(fields, name) == fields.end())
      return fail("the command takes no \"" + name.substr(0, 40) + "\"; `help` says what it takes");
  return {};
}

std::string refusal(const std::string& why) { return line_of({{"ok", false}, {"error", why}}); }

}  // namespace

Result<int64_t> number_in(const nlohmann::json& request, const char* field, int64_t otherwise,
                          int64_t least, int64_t most) {
  const auto found = request.find(field);
  if (found == request.end()) return otherwise;
  const bool fits = found->is_number_integer() && *found >= least && *found <= most;
  if (fits) return found->get<int64_t>();
  return fail("must be a number from " + std::to_string(least) + " to " + std::to_string(most),
              field);
}

Commands::Commands(Controls controls, Workers workers, std::vector<const Counters*> counters)
    : controls_(std::move(controls)),
      workers_(std::move(workers)),
      counters_(std::move(counters)) {}

std::string Commands::answer(std::string_view request) {
  const json parsed = json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return refusal("a request is a JSON object");
  auto fields = perform(parsed);
  if (!fields) return refusal(fields.error().text());
  ordered_json reply{{"ok", true}};
  reply.update(*fields);
  return line_of(reply);
}

Result<ordered_json> Commands::perform(const json& request) {
  const auto at = request.find("command");
  if (at == request.end() || !at->is_string()) return fail("\"command\" must be a string");
  const std::string name = *at;
  const auto own = std::ranges::find(controls_.commands, name, &Command::name);
  if (own != controls_.commands.end()) return perform_own(*own, request);
  if (!is_built_in(name))
    return fail("there is no command \"" + name.substr(0, 40) + "\"; `help` lists them");
  SLUICE_TRY_VOID(check_fields(request, {}));
  if (name == "help") return help();
  if (name == "stats") return stats_of(workers_);
  if (name == "metrics") {
    SLUICE_TRY(const std::string text, metrics_of(workers_));
    return ordered_json{{"text", text}};
  }
  if (name == "reload") return reload();
  if (!controls_.reopen) return fail("this appliance has no log files");
  SLUICE_TRY_VOID(reopen());
  return ordered_json::object();
}

Result<ordered_json> Commands::perform_own(const Command& command, const json& request) {
  SLUICE_TRY_VOID(check_fields(request, command.fields));
  try {
    return command.answer(request, workers_);
  } catch (const json::exception& error) {  // a field of another type than the command reads
    return fail(error.what(), command.name);
  }
}

bool Commands::offers(std::string_view built_in) const {
  if (built_in == "reload") return controls_.reload != nullptr;
  if (built_in == "reopen-log-files") return controls_.reopen != nullptr;
  return true;
}

ordered_json Commands::help() const {
  ordered_json commands = ordered_json::array();
  for (const auto& [name, about] : kBuiltIn)
    if (offers(name)) commands.push_back({{"command", name}, {"about", about}});
  for (const Command& command : controls_.commands)
    commands.push_back({{"command", command.name}, {"about", command.about}});
  return {{"commands", commands}};
}

Result<ordered_json> Commands::stats_of(const Workers& workers) const {
  ordered_json stats = ordered_json::parse(counters_json(counters_));
  if (controls_.stats) SLUICE_TRY_VOID(controls_.stats(workers, stats));
  return stats;
}

std::string Commands::stats() const {
  const auto stats = stats_of(workers_.waiting(kPageWaitMs));
  return stats ? line_of(*stats) : counters_json(counters_);
}

Result<std::string> Commands::metrics() const { return metrics_of(workers_.waiting(kPageWaitMs)); }

Result<std::string> Commands::metrics_of(const Workers& workers) const {
  tunnels::MetricsPage page;
  add_counters(counters_, page);
  if (controls_.metrics) SLUICE_TRY_VOID(controls_.metrics(workers, page));
  return page.text();
}

Result<ordered_json> Commands::reload() {
  if (!controls_.reload) return fail("this appliance has nothing to reload");
  const std::lock_guard lock(reloading_);
  return controls_.reload(workers_);
}

void Commands::ending() const {
  if (controls_.ending) controls_.ending();
}

Result<> Commands::reopen() const { return controls_.reopen ? controls_.reopen() : Result<>{}; }

}  // namespace sluice::sdk
