// SPDX-License-Identifier: Apache-2.0
// One Hyperscan database: which rules can match these bytes at all. A hit is a candidate, not a
// match.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tunnels/result.h"

struct hs_database;
struct hs_scratch;

namespace sluice::inspect {

class DatabaseCache;

// Databases of fewer patterns compile as fast as a file is read.
inline constexpr size_t kCachedPatternsMin = 64;

// Receives rules whose pattern occurs.
class CandidateSink {
 public:
  virtual ~CandidateSink() = default;
  virtual void candidate(uint32_t rule) = 0;
};

// Working memory of one worker for all its databases.
class PrefilterScratch {
 public:
  PrefilterScratch() = default;
  ~PrefilterScratch();
  PrefilterScratch(const PrefilterScratch&) = delete;
  PrefilterScratch& operator=(const PrefilterScratch&) = delete;

  void swap(PrefilterScratch& other) { std::swap(scratch_, other.scratch_); }
  size_t bytes() const;

 private:
  friend class Prefilter;
  hs_scratch* scratch_ = nullptr;
};

class Prefilter {
 public:
  struct Pattern {
    std::string bytes;
    bool nocase = false;
    uint32_t rule = 0;
  };

  // With a cache, from there if it has this one, else for the next time.
  static Result<Prefilter> compile(std::vector<Pattern> patterns, DatabaseCache* cache = nullptr);

  size_t database_bytes() const;
  // Makes the scratch large enough; before the first scan with it.
  Result<> prepare(PrefilterScratch& scratch) const;

  void scan(std::span<const uint8_t> bytes, PrefilterScratch& scratch, CandidateSink& sink) const;
  // Bytes that have grown: the first `searched` of them were scanned before. Finds what ends behind
  // those; of them it looks at no more than what a pattern can have there.
  void scan_on(std::span<const uint8_t> bytes, size_t searched, PrefilterScratch& scratch,
               CandidateSink& sink) const;

 private:
  struct Parts;
  explicit Prefilter(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace sluice::inspect
