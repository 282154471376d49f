// SPDX-License-Identifier: Apache-2.0
// SQLite behind Result: a connection, and statements that are prepared once and reset after use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tunnels/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::gateway {

class Database;

// One statement. bind() in order, then row() until it is false; run() for those without rows.
class Statement {
 public:
  Statement() = default;
  Statement& bind(uint64_t number);
  Statement& bind(std::string_view text);
  // True: there is a row to read. After false or an error it can be bound again.
  Result<bool> row();
  Result<> run();
  uint64_t number(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bound_ = 0;
};

class Database {
 public:
  // Makes the file when it is not there; ":memory:" is one without a file. Only one process has it.
  static Result<std::unique_ptr<Database>> open(const std::string& path);

  Result<> execute(const char* sql);  // without results
  Result<Statement> prepare(const char* sql);
  // Writes what the open transaction has changed so far, so that a full disk is found now.
  Result<> flush();
  // The error of the last call, by name: full disk, read-only, corrupt, in use.
  Failure error(const std::string& what) const;

 private:
  friend class Statement;
  Failure error(const std::string& what, int code) const;
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Closer> handle_;
};

}  // namespace sluice::gateway
