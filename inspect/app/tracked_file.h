// SPDX-License-Identifier: Apache-2.0
// A file that passes by inside a transaction: how long it is, whether it was whole, its digests.
// Nothing of it is kept.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "inspect/app/transaction.h"

namespace sluice::inspect {

class JsonLine;

enum class FileHash : uint8_t { kMd5, kSha1, kSha256, kCount };
inline constexpr size_t kFileHashes = static_cast<size_t>(FileHash::kCount);
// "md5", "sha1", "sha256": Suricata's names.
std::string_view file_hash_name(FileHash hash);

// Which digests are made: each costs, so that only what is wanted is.
using FileHashes = std::array<bool, kFileHashes>;

class TrackedFile {
 public:
  TrackedFile(std::string_view name, const FileHashes& hashes);
  ~TrackedFile();
  TrackedFile(TrackedFile&&) noexcept;
  TrackedFile& operator=(TrackedFile&&) noexcept;

  void content(std::span<const uint8_t> bytes);
  // So many bytes of it were never seen.
  void gap(uint64_t length);
  void end(FileEnd end);

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }  // gaps included
  bool has_gaps() const { return gaps_; }
  bool is_whole() const { return state_ == State::kClosed; }
  // In lower-case hexadecimal, once it has ended; empty: not wanted.
  const std::string& digest(FileHash hash) const { return digests_[static_cast<size_t>(hash)]; }

  // "fileinfo":{...}
  void write(JsonLine& line, uint64_t transaction_id) const;
  // The same, as an element of an array.
  void write_element(JsonLine& line, uint64_t transaction_id) const;

 private:
  enum class State : uint8_t { kOpen, kClosed, kTruncated };
  struct Hasher;

  void write_members(JsonLine& line, uint64_t transaction_id) const;

  std::string name_;
  uint64_t size_ = 0;
  bool gaps_ = false;
  State state_ = State::kOpen;
  std::array<std::unique_ptr<Hasher>, kFileHashes> hashers_;
  std::array<std::string, kFileHashes> digests_;
};

}  // namespace sluice::inspect
