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
  std::unique_ptr<Store> store(new Store);
  if (path != ":memory:") {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  }
  SLUICE_TRY(store->database_, Database::open(path));
  SLUICE_TRY_VOID(store->migrate());
  SLUICE_TRY_VOID(store->prepare_statements());
  Database& database = *store->database_;
  SLUICE_TRY(store->generation_, one_number(database, "SELECT MAX(number) FROM generations"));
  SLUICE_TRY(const uint64_t first, one_number(database, "SELECT MIN(number) FROM generations"));
  store->oldest_ = first == 0 ? 0 : first - 1;
  return store;
}

Result<> Store::migrate() {
  Database& database = *database_;
  // A file that is damaged is refused now, not in the middle of a change.
  SLUICE_TRY(Statement check, database.prepare("PRAGMA quick_check(1)"));
  SLUICE_TRY(const bool answered, check.row());
  if (!answered || check.text(0) != "ok")
    return fail(
        "cannot use the store: it is corrupt; move it away to begin anew from the "
        "configuration file");
  SLUICE_TRY_VOID(check.row());
  SLUICE_TRY(const uint64_t version, one_number(database, "PRAGMA user_version"));
  SLUICE_TRY(const uint64_t application, one_number(database, "PRAGMA application_id"));
  SLUICE_TRY(const uint64_t tables, one_number(database, "SELECT COUNT(*) FROM sqlite_schema"));
  if (tables != 0 && application != kApplicationId)
    return fail("the file is a database of another program");
  if (version > kSchemaVersion)
    return fail("the store was written by a newer version: schema " + std::to_string(version) +
                ", and this one knows " + std::to_string(kSchemaVersion));
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
  next_ = generation_;
  if (!entry.file_digest.empty())
    SLUICE_TRY_VOID(put_meta_.bind(kDigest).bind(entry.file_digest).run());
  if (changes.empty()) return {};
  next_ = generation_ + 1;
  SLUICE_TRY_VOID(put_generation_.bind(next_)
                      .bind(entry.time_ms)
                      .bind(entry.author)
                      .bind(summary_of(changes))
                      .run());
  for (const ObjectChange& change : changes) {
    const std::string_view kind = kind_name(change.kind);
    SLUICE_TRY_VOID(put_change_.bind(next_)
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
  if (next_ > kGenerationsMax) return forget_.bind(next_ - kGenerationsMax).run();
  return {};
}

Result<> Store::commit() {
  SLUICE_CHECK(open_);
  if (auto done = database_->execute("COMMIT"); !done) {
    cancel();
    return done;
  }
  open_ = false;
  generation_ = next_;
  if (generation_ > kGenerationsMax) oldest_ = std::max(oldest_, generation_ - kGenerationsMax);
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
