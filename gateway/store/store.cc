// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/store.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "gateway/store/schema.h"

namespace sluice::gateway {
namespace {

constexpr const char* kDigest = "file_digest";

Result<ObjectKind> parse_kind(const std::string& name) {
  for (const ObjectKind kind : kObjectKinds)
    if (kind_name(kind) == name) return kind;
  return fail("the store has an object of unknown kind '" + name.substr(0, 60) + "'");
}

// The first column of the first row; 0 without one.
Result<uint64_t> one_number(Database& database, const char* sql) {
  SLUICE_TRY(Statement statement, database.prepare(sql));
  SLUICE_TRY(const bool there, statement.row());
  return there ? statement.number(0) : 0;
}

}  // namespace

std::string summary_of(const std::vector<ObjectChange>& changes) {
  constexpr size_t kNamedMax = 4;
  std::string out;
  for (size_t i = 0; i < std::min(changes.size(), kNamedMax); i++) {
    const ObjectChange& change = changes[i];
    const char sign = change.before.empty() ? '+' : change.after.empty() ? '-' : '~';
    out += (i == 0 ? "" : ", ") + std::string(1, sign) + std::string(kind_name(change.kind)) + " " +
           change.name;
  }
  if (changes.size() > kNamedMax)
    out += " and " + std::to_string(changes.size() - kNamedMax) + " more";
  return out;
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  return open(path, path == ":memory:" ? kHistoryBytesInMemoryMax : kHistoryBytesMax);
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, uint64_t history_bytes_max) {
  std::unique_ptr<Store> store(new Store);
  store->history_bytes_max_ = history_bytes_max;
  if (path != ":memory:") {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  }
  SLUICE_TRY(store->database_, Database::open(path));
  SLUICE_TRY_VOID(store->migrate(path));
  SLUICE_TRY_VOID(store->prepare_statements());
  SLUICE_TRY_VOID(store->read_history());
  return store;
}

Result<> Store::read_history() {
  SLUICE_TRY(Statement statement,
             database_->prepare(
                 "SELECT number, SUM(LENGTH(CAST(before AS BLOB)) + "
                 "LENGTH(CAST(after AS BLOB))) FROM generations "
                 "LEFT JOIN changes ON generation = number GROUP BY number ORDER BY number"));
  while (true) {
    SLUICE_TRY(const bool more, statement.row());
    if (!more) break;
    kept_.push_back({statement.number(0), statement.number(1)});
    history_bytes_ += kept_.back().bytes;
  }
  if (kept_.empty()) return {};
  generation_ = kept_.back().generation;
  oldest_ = kept_.front().generation - 1;
  return {};
}

Result<> Store::migrate(const std::string& path) {
  Database& database = *database_;
  // A file that is damaged is refused now, not in the middle of a change.
  SLUICE_TRY(Statement check, database.prepare("PRAGMA quick_check(1)"));
  SLUICE_TRY(const bool answered, check.row());
  if (!answered || check.text(0) != "ok")
    return fail(
        "cannot use the store: it is corrupt; move it away to begin anew from the "
        "configuration file",
        path);
  SLUICE_TRY_VOID(check.row());
  SLUICE_TRY(const uint64_t version, one_number(database, "PRAGMA user_version"));
  SLUICE_TRY(const uint64_t application, one_number(database, "PRAGMA application_id"));
  SLUICE_TRY(const uint64_t tables, one_number(database, "SELECT COUNT(*) FROM sqlite_schema"));
  if (tables != 0 && application != kApplicationId)
    return fail("the file is a database of another program", path);
  if (version > kSchemaVersion)
    return fail("the store was written by a newer version: schema " + std::to_string(version) +
                    ", and this one knows " + std::to_string(kSchemaVersion),
                path);
  if (version == kSchemaVersion) return {};
  std::string sql = "BEGIN IMMEDIATE;";
  for (uint64_t i = version; i < kSchemaVersion; i++) sql += kMigrations[i];
  sql += "PRAGMA user_version = " + std::to_string(kSchemaVersion) +
         "; PRAGMA application_id = " + std::to_string(kApplicationId) + "; COMMIT;";
  return database.execute(sql.c_str());
}

Result<> Store::prepare_statements() {
  const auto make = [&](Statement& out, const char* sql) -> Result<> {
    SLUICE_TRY(out, database_->prepare(sql));
    return {};
  };
  SLUICE_TRY_VOID(make(put_object_, "INSERT OR REPLACE INTO objects VALUES(?, ?, ?)"));
  SLUICE_TRY_VOID(make(remove_object_, "DELETE FROM objects WHERE kind = ? AND name = ?"));
  SLUICE_TRY_VOID(make(put_generation_, "INSERT INTO generations VALUES(?, ?, ?, ?)"));
  SLUICE_TRY_VOID(make(put_change_, "INSERT INTO changes VALUES(?, ?, ?, ?, ?)"));
  SLUICE_TRY_VOID(make(forget_, "DELETE FROM generations WHERE number <= ?"));
  return make(put_meta_, "INSERT OR REPLACE INTO meta VALUES(?, ?)");
}

Result<std::vector<StoredObject>> Store::objects() {
  SLUICE_TRY(Statement statement,
             database_->prepare("SELECT kind, name, json FROM objects ORDER BY kind, name"));
  std::vector<StoredObject> out;
  while (true) {
    SLUICE_TRY(const bool more, statement.row());
    if (!more) return out;
    SLUICE_TRY(const ObjectKind kind, parse_kind(statement.text(0)));
    out.push_back({kind, statement.text(1), statement.text(2)});
  }
}

Result<std::string> Store::file_digest() {
  SLUICE_TRY(Statement statement, database_->prepare("SELECT value FROM meta WHERE name = ?"));
  SLUICE_TRY(const bool there, statement.bind(kDigest).row());
  return there ? statement.text(0) : std::string();
}

Result<> Store::prepare(const Entry& entry, const std::vector<ObjectChange>& changes) {
  SLUICE_CHECK(!open_);
  SLUICE_TRY_VOID(database_->execute("BEGIN IMMEDIATE"));
  open_ = true;
  Result<> written = write(entry, changes);
  if (written) written = database_->flush();
  if (!written) cancel();
  return written;
}

Result<> Store::write(const Entry& entry, const std::vector<ObjectChange>& changes) {
  next_ = {generation_, 0};
  if (!entry.file_digest.empty())
    SLUICE_TRY_VOID(put_meta_.bind(kDigest).bind(entry.file_digest).run());
  if (changes.empty()) return {};
  next_.generation = generation_ + 1;
  SLUICE_TRY_VOID(put_generation_.bind(next_.generation)
                      .bind(entry.time_ms)
                      .bind(entry.author)
                      .bind(summary_of(changes))
                      .run());
  for (const ObjectChange& change : changes) {
    const std::string_view kind = kind_name(change.kind);
    next_.bytes += change.before.size() + change.after.size();
    SLUICE_TRY_VOID(put_change_.bind(next_.generation)
                        .bind(kind)
                        .bind(change.name)
                        .bind(change.before)
                        .bind(change.after)
                        .run());
    if (change.after.empty())
      SLUICE_TRY_VOID(remove_object_.bind(kind).bind(change.name).run());
    else
      SLUICE_TRY_VOID(put_object_.bind(kind).bind(change.name).bind(change.after).run());
  }
  next_oldest_ = oldest_with(next_);
  return next_oldest_ == oldest_ ? Result<>() : forget_.bind(next_oldest_).run();
}

// The oldest state that the history tells once it has that generation too.
uint64_t Store::oldest_with(const Kept& next) const {
  uint64_t count = kept_.size() + 1, bytes = history_bytes_ + next.bytes, oldest = oldest_;
  for (const Kept& kept : kept_) {
    if (count <= kGenerationsMax && bytes <= history_bytes_max_) break;
    count--;
    bytes -= kept.bytes;
    oldest = kept.generation;
  }
  return oldest;
}

Result<> Store::commit() {
  SLUICE_CHECK(open_);
  if (auto done = database_->execute("COMMIT"); !done) {
    cancel();
    return done;
  }
  open_ = false;
  if (next_.generation == generation_) return {};
  generation_ = next_.generation;
  oldest_ = next_oldest_;
  kept_.push_back(next_);
  history_bytes_ += next_.bytes;
  while (kept_.front().generation <= oldest_) {
    history_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
  return {};
}

void Store::cancel() {
  // After some errors SQLite has rolled back by itself; then there is nothing to do.
  (void)database_->execute("ROLLBACK");
  open_ = false;
}

Result<std::vector<Generation>> Store::history(uint64_t limit) {
  SLUICE_TRY(Statement statement,
             database_->prepare("SELECT number, time_ms, author, summary FROM generations "
                                "ORDER BY number DESC LIMIT ?"));
  statement.bind(std::min(limit, kGenerationsMax));
  std::vector<Generation> out;
  while (true) {
    SLUICE_TRY(const bool more, statement.row());
    if (!more) return out;
    out.push_back({statement.number(0), statement.number(1), statement.text(2), statement.text(3)});
  }
}

Result<> Store::check_kept(uint64_t generation) {
  if (generation >= oldest_ && generation <= generation_) return {};
  return fail("there is no generation " + std::to_string(generation) + "; " +
              std::to_string(oldest_) + " to " + std::to_string(generation_) + " are kept");
}

Result<std::vector<ObjectChange>> Store::changes(uint64_t from, uint64_t to) {
  SLUICE_TRY_VOID(check_kept(from));
  SLUICE_TRY_VOID(check_kept(to));
  const bool back = from > to;
  SLUICE_TRY(Statement statement,
             database_->prepare("SELECT kind, name, before, after FROM changes "
                                "WHERE generation > ? AND generation <= ? ORDER BY generation"));
  statement.bind(std::min(from, to)).bind(std::max(from, to));
  std::map<std::pair<ObjectKind, std::string>, ObjectChange> touched;
  while (true) {
    SLUICE_TRY(const bool more, statement.row());
    if (!more) break;
    SLUICE_TRY(const ObjectKind kind, parse_kind(statement.text(0)));
    ObjectChange change{kind, statement.text(1), statement.text(2), statement.text(3)};
    const auto [at, first] = touched.try_emplace({kind, change.name}, change);
    if (!first) at->second.after = std::move(change.after);
  }
  std::vector<ObjectChange> out;
  for (auto& [key, change] : touched) {
    if (change.before == change.after) continue;
    if (back) std::swap(change.before, change.after);
    out.push_back(std::move(change));
  }
  return out;
}

}  // namespace sluice::gateway
