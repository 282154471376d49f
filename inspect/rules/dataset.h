// SPDX-License-Identifier: Apache-2.0
// Sets of values that rules look up and fill: `dataset` and `datarep` (Suricata userguide,
// "Datasets"). All workers share them; they outlive a reload.
//
// Files have one value a line: of strings the base64, of digests the hex digits, of addresses the
// text; of a reputation ",NUMBER" follows. Rules name them inside of one directory.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tunnels/result.h"

namespace sluice::inspect {

inline constexpr size_t kDatasetsMax = 1024;
inline constexpr size_t kDatasetNameMax = 63;
// Of one value.
inline constexpr size_t kDatasetValueMax = 4096;
inline constexpr size_t kDatasetFileMax = 256u << 20;
// Of all sets that rules fill together, of all that are only read, and of one unless its rule says
// less.
inline constexpr size_t kDatasetMemoryMax = 256u << 20;
inline constexpr uint32_t kDatasetHashSizeMax = 1 << 24;

enum class DatasetType : uint8_t { kString, kMd5, kSha256, kIpv4, kIpv6, kIp };
// "string", "md5", "sha256", "ipv4", "ipv6", "ip".
Result<DatasetType> find_dataset_type(std::string_view name);

// What a rule says about the set itself.
struct DatasetSpec {
  std::string name;
  std::optional<DatasetType> type;  // nothing: an earlier rule has said it
  bool reputation = false;          // values have a number
  std::string load, save;           // files; empty: none
  size_t memory_max = kDatasetMemoryMax;
};

// Any thread.
class Dataset {
 public:
  // `all_memory`: what all sets of its kind hold, counted together.
  Dataset(DatasetSpec spec, std::shared_ptr<std::atomic<size_t>> all_memory);
  ~Dataset();

  const DatasetSpec& spec() const { return spec_; }
  bool contains(std::span<const uint8_t> value) const { return reputation(value).has_value(); }
  // Of a set without numbers: 0.
  std::optional<uint16_t> reputation(std::span<const uint8_t> value) const;
  // Without room, or of another size than the type says, it is not added.
  void add(std::span<const uint8_t> value, uint16_t number = 0);
  void remove(std::span<const uint8_t> value);

  // As much as another rule set wants; what is there stays.
  void set_memory_max(size_t bytes) { memory_max_ = bytes; }

  size_t size() const;
  // Values for which there was no room.
  uint64_t full() const { return full_; }

  // The lines of a file. An error names the line.
  Result<> read(std::string_view text, const std::string& file);
  std::string text() const;
  // Since its file was read.
  bool changed() const { return changed_; }

 private:
  bool fits(std::span<const uint8_t> value) const;
  Result<> read_line(std::string_view line);

  const DatasetSpec spec_;
  const std::shared_ptr<std::atomic<size_t>> all_memory_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, uint16_t> values_;
  size_t memory_ = 0;
  std::atomic<size_t> memory_max_;
  std::atomic<uint64_t> full_ = 0;
  std::atomic<bool> changed_ = false;
};

// The sets of one rule set. Rules are read by one thread.
class Datasets {
 public:
  // `directory` of all files; empty: rules may name none. What `previous` holds goes on, but for
  // sets that are only loaded: their files are read again.
  explicit Datasets(std::string directory, const Datasets* previous = nullptr);

  // The set of that name; made when a rule names it first.
  Result<std::shared_ptr<Dataset>> get(const DatasetSpec& spec);
  // A file of the directory, for a rule that only reads it.
  Result<std::string> read_file(const std::string& file) const;
  // Writes those that rules want saved: all of them, or those whose values have changed since.
  enum class Which : uint8_t { kAll, kChanged };
  Result<> save(Which which = Which::kAll) const;

  size_t size() const { return sets_.size(); }
  size_t memory() const { return *memory_ + *read_memory_; }
  uint64_t full() const;

 private:
  Result<std::string> path_of(const std::string& file) const;
  Result<std::shared_ptr<Dataset>> make(const DatasetSpec& spec) const;

  const std::string directory_;
  const std::shared_ptr<std::atomic<size_t>> memory_;  // of those that go on
  // Of those that are only read: while they take the place of the previous ones, both are there.
  const std::shared_ptr<std::atomic<size_t>> read_memory_ =
      std::make_shared<std::atomic<size_t>>(0);
  std::map<std::string, std::shared_ptr<Dataset>> kept_;  // of the previous ones
  std::map<std::string, std::shared_ptr<Dataset>> sets_;
};

}  // namespace sluice::inspect
