// SPDX-License-Identifier: Apache-2.0
// The desired state on disk, and how it came to be: every object as JSON, and for every generation
// who made it, when, and each object before and after. docs/features/store.md tells what it means
// to a user.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/object_change.h"
#include "gateway/store/database.h"
#include "tunnels/result.h"

namespace sluice::gateway {

// What the history keeps at most, but the newest generation in any case; the oldest go first.
inline constexpr uint64_t kGenerationsMax = 10'000;
inline constexpr uint64_t kHistoryBytesMax = 256 << 20;         // of objects, before and after
inline constexpr uint64_t kHistoryBytesInMemoryMax = 32 << 20;  // the same for ":memory:"

struct Generation {
  uint64_t number = 0;
  uint64_t time_ms = 0;  // Unix time
  std::string author;
  std::string summary;  // "+target_group ids, ~load_balancer nlb"
};

struct StoredObject {
  ObjectKind kind;
  std::string name;
  std::string json;
  bool operator==(const StoredObject&) const = default;
};

class Store {
 public:
  // ":memory:" is a store that ends with the process. Migrates an older schema. Fails by name when
  // the file is read-only, corrupt, in use, or of a newer schema.
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  static Result<std::unique_ptr<Store>> open(const std::string& path, uint64_t history_bytes_max);

  // The last generation that was committed, 0 for none.
  uint64_t generation() const { return generation_; }
  Result<std::vector<StoredObject>> objects();
  // The digest of the configuration file that was applied last.
  Result<std::string> file_digest();

  // Writes a generation and leaves it open: a full disk is found here, before anything else
  // changes. commit() makes it last, cancel() forgets it. An empty digest leaves the last one; no
  // changes make no generation.
  struct Entry {
    uint64_t time_ms = 0;
    std::string_view author;
    std::string_view file_digest;
  };
  Result<> prepare(const Entry& entry, const std::vector<ObjectChange>& changes);
  Result<> commit();
  void cancel();

  // The newest first, at most `limit`.
  Result<std::vector<Generation>> history(uint64_t limit);
  // From the state of generation `from` to that of `to`, whichever is older.
  Result<std::vector<ObjectChange>> changes(uint64_t from, uint64_t to);

 private:
  struct Kept {
    uint64_t generation = 0;
    uint64_t bytes = 0;  // of its objects, before and after
  };
  Store() = default;
  Result<> migrate(const std::string& path);
  Result<> prepare_statements();
  Result<> write(const Entry& entry, const std::vector<ObjectChange>& changes);
  Result<> check_kept(uint64_t generation);
  Result<> read_history();
  uint64_t oldest_with(const Kept& next) const;

  std::unique_ptr<Database> database_;
  uint64_t generation_ = 0;
  uint64_t oldest_ = 0;  // the oldest state that changes() can still tell
  bool open_ = false;    // a transaction
  Kept next_;            // the last generation once it is committed
  uint64_t next_oldest_ = 0;
  std::deque<Kept> kept_;  // the oldest first
  uint64_t history_bytes_ = 0;
  uint64_t history_bytes_max_ = 0;
  Statement put_object_, remove_object_, put_generation_, put_change_, forget_, put_meta_;
};

// One line about what a generation changes, at most a few objects by name.
std::string summary_of(const std::vector<ObjectChange>& changes);

}  // namespace sluice::gateway
