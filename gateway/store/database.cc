// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/database.h"

#include <sqlite3.h>

namespace sluice::gateway {
namespace {

const char* reason(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "the disk is full";
    case SQLITE_READONLY:
      return "it is read-only";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "it is corrupt or no database of this program; move it away to begin anew from the "
             "configuration file";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process uses it";
    case SQLITE_CANTOPEN:
      return "it cannot be opened";
    case SQLITE_IOERR:
      return "the disk cannot be read or written";
    default:
      return sqlite3_errstr(code);
  }
}

// With a code, so that an API tells what this machine cannot do from what a client got wrong.
class SqliteErrors : public std::error_category {
 public:
  const char* name() const noexcept override { return "SQLite"; }
  std::string message(int code) const override { return reason(code); }
};

const std::error_category& sqlite_errors() {
  static const SqliteErrors kErrors;
  return kErrors;
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Database::Closer::operator()(sqlite3* database) const { sqlite3_close(database); }

Statement& Statement::bind(uint64_t number) {
  // A number that is too large for SQLite stays the same 64 bits.
  sqlite3_bind_int64(statement_.get(), ++bound_, static_cast<sqlite3_int64>(number));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  // A null pointer would be NULL, which is not the empty text.
  const char* begin = text.empty() ? "" : text.data();
  sqlite3_bind_text64(statement_.get(), ++bound_, begin, text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}

Result<bool> Statement::row() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  bound_ = 0;
  sqlite3_reset(statement_.get());
  if (code == SQLITE_DONE) return false;
  return database_->error("cannot use the store");
}

Result<> Statement::run() {
  SLUICE_TRY([[maybe_unused]] const bool more, row());
  return {};
}

uint64_t Statement::number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string Statement::text(int column) const {
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return begin == nullptr ? std::string() : std::string(begin, static_cast<size_t>(size));
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  auto database = std::make_unique<Database>();
  database->path_ = path;
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database->handle_.reset(handle);
  if (code != SQLITE_OK) return database->error("cannot open the store");
  if (sqlite3_db_readonly(handle, "main") == 1)
    return fail("cannot use the store: it is read-only", path);
  // Exclusive: a second daemon is told so. Full: what was acknowledged survives a loss of power.
  SLUICE_TRY_VOID(database->execute(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
      "PRAGMA foreign_keys = ON;"));
  return database;
}

Result<> Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return error("cannot use the store");
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
      SQLITE_OK)
    return error("cannot use the store");
  Statement out;
  out.database_ = this;
  out.statement_.reset(raw);
  return out;
}

Result<> Database::flush() {
  const int code = sqlite3_db_cacheflush(handle_.get());
  if (code == SQLITE_OK) return {};
  return error("cannot write the store", code);
}

Failure Database::error(const std::string& what) const {
  return error(what, sqlite3_errcode(handle_.get()));
}

Failure Database::error(const std::string& what, int code) const {
  return Failure(Error{what, path_, {code, sqlite_errors()}});
}

}  // namespace sluice::gateway
