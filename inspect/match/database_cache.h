// SPDX-License-Identifier: Apache-2.0
// Compiled Hyperscan databases on disk, so that a program that starts again need not compile them.
//
// A file is named by the hash of all that goes into the database, the version of Hyperscan and the
// CPU included. A file that is not whole, or that others may write, is not used, and is counted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tunnels/result.h"

struct hs_database;

namespace sluice::inspect {

struct CacheCounters {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t ignored = 0;      // files that were there and could not be used
  uint64_t not_written = 0;  // no space, no permission: the next start compiles again
};

class DatabaseCache {
 public:
  // Files that are larger are not read.
  static constexpr size_t kDatabaseBytesMax = 256u << 20;

  // The directory is made if it is not there; its parent must be. One that another user may write
  // is an error: he could put one of our own databases under the name of another.
  static Result<DatabaseCache> open(const std::string& directory);

  struct Free {
    void operator()(hs_database* database) const;
  };
  using Database = std::unique_ptr<hs_database, Free>;

  // The name of a database that is compiled from `input`.
  static std::string key(std::span<const uint8_t> input);
  // nullptr: it must be compiled.
  Database load(const std::string& key);
  void store(const std::string& key, const hs_database* database);

  const CacheCounters& counters() const { return counters_; }

 private:
  explicit DatabaseCache(std::string directory) : directory_(std::move(directory)) {}
  bool write(const std::string& path, std::span<const uint8_t> bytes) const;

  std::string directory_;
  CacheCounters counters_;
};

}  // namespace sluice::inspect
