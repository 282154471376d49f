// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/state_commands.h"

#include <filesystem>

#include "gateway/api/fields.h"
#include "gateway/control/config.h"
#include "gateway/control/control_plane.h"
#include "gateway/control/export.h"
#include "gateway/store/store.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

template <class Change>
json as_json(std::string_view kind, const Change& change) {
  const auto side = [](const std::string& text) {
    return text.empty() ? json(nullptr) : json::parse(text, nullptr, false);
  };
  return {{"kind", kind},
          {"name", change.name},
          {"before", side(change.before)},
          {"after", side(change.after)}};
}

json as_json(const std::vector<ObjectChange>& changes) {
  json out = json::array();
  for (const ObjectChange& change : changes) out.push_back(as_json(kind_name(change.kind), change));
  return out;
}

// Every error on a line of its own.
Failure all_of(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors) text += (text.empty() ? "" : "\n") + error.text();
  return fail(text);
}

Result<json> told(const CommitResult& result) {
  if (!result) return all_of(result.error());
  json changes = as_json(result->changes);
  for (const SectionChange& section : result->sections)
    changes.push_back(as_json("section", section));
  return json{{"generation", result->generation}, {"changes", std::move(changes)}};
}

}  // namespace

Result<json> apply_state(ControlPlane& plane, Fields& fields) {
  const std::string text = fields.string("text"), file = fields.string("file", "request");
  const bool dry_run = fields.boolean("dry_run");
  SLUICE_TRY_VOID(fields.finish());
  ConfigResult config = parse_config(text, file);
  if (!config) return all_of(config.error());
  const Config& running = plane.config();
  // The daemon's own file is not applied once more at the next start.
  std::error_code ignored;
  const bool own = std::filesystem::equivalent(file, running.file, ignored);
  const std::string digest = own ? config->digest : std::string();
  const Change change = [&](Config& next) { return apply_file(next, *config); };
  return told(dry_run ? plane.dry_run(change) : plane.commit("apply", change, digest));
}

Result<json> export_state(ControlPlane& plane, Fields& fields) {
  SLUICE_TRY_VOID(fields.finish());
  return json{{"yaml", export_yaml(plane.config())}};
}

Result<json> describe_history(ControlPlane& plane, Fields& fields) {
  const uint64_t limit = fields.number("limit", kGenerationsMax, 20);
  SLUICE_TRY_VOID(fields.finish());
  SLUICE_TRY(const std::vector<Generation> history, plane.store().history(limit));
  json list = json::array();
  for (const Generation& generation : history)
    list.push_back({{"generation", generation.number},
                    {"time_ms", generation.time_ms},
                    {"author", generation.author},
                    {"summary", generation.summary}});
  return json{{"generations", std::move(list)}};
}

Result<json> describe_changes(ControlPlane& plane, Fields& fields) {
  const uint64_t now = plane.generation();
  const uint64_t to = fields.number("to", UINT64_MAX, now);
  const uint64_t from = fields.number("from", UINT64_MAX, to == 0 ? 0 : to - 1);
  SLUICE_TRY_VOID(fields.finish());
  SLUICE_TRY(const std::vector<ObjectChange> changes, plane.store().changes(from, to));
  return json{{"from", from}, {"to", to}, {"changes", as_json(changes)}};
}

Result<json> roll_back(ControlPlane& plane, Fields& fields) {
  if (!fields.has("generation")) return fail("'generation' is needed");
  const uint64_t generation = fields.number("generation", UINT64_MAX);
  const bool dry_run = fields.boolean("dry_run");
  SLUICE_TRY_VOID(fields.finish());
  SLUICE_TRY(const Change change, plane.change_to(generation));
  const std::string author = "rollback to " + std::to_string(generation);
  return told(dry_run ? plane.dry_run(change) : plane.commit(author, change));
}

}  // namespace sluice::gateway
