// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/prefilter.h"

#include <hs.h>

#include <algorithm>
#include <map>

#include "inspect/match/database_cache.h"

namespace sluice::inspect {
namespace {

std::string escaped(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += "\\x";
    out += kHex[static_cast<uint8_t>(c) >> 4];
    out += kHex[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

}  // namespace

struct Prefilter::Parts {
  hs_database_t* database = nullptr;
  size_t longest = 0;  // of the patterns
  // Rules of pattern i: rules[first[i]] up to rules[first[i + 1]].
  std::vector<uint32_t> first;
  std::vector<uint32_t> rules;

  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() { hs_free_database(database); }
};

namespace {

// What a database is compiled from.
struct Expressions {
  std::vector<std::string> texts;
  std::vector<unsigned> flags;

  void add(std::string text, unsigned its_flags) {
    texts.push_back(std::move(text));
    flags.push_back(its_flags);
  }
};

Result<hs_database_t*> compiled(const Expressions& expressions) {
  std::vector<const char*> pointers;
  std::vector<unsigned> ids;
  for (const std::string& text : expressions.texts) {
    ids.push_back(static_cast<unsigned>(ids.size()));
    pointers.push_back(text.c_str());
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const auto status = hs_compile_multi(pointers.data(), expressions.flags.data(), ids.data(),
                                       static_cast<unsigned>(ids.size()), HS_MODE_BLOCK, nullptr,
                                       &database, &error);
  if (status == HS_SUCCESS) return database;
  const std::string what = error != nullptr ? error->message : "unknown reason";
  hs_free_compile_error(error);
  return fail("Hyperscan cannot compile the patterns: " + what);
}

// All that decides what the database is; escaped patterns have no blanks.
std::string cache_key(const Expressions& expressions) {
  std::string input = std::to_string(HS_MODE_BLOCK);
  for (size_t i = 0; i < expressions.texts.size(); i++)
    input += " " + std::to_string(expressions.flags[i]) + ":" + expressions.texts[i];
  return DatabaseCache::key({reinterpret_cast<const uint8_t*>(input.data()), input.size()});
}

Result<hs_database_t*> database_of(const Expressions& expressions, DatabaseCache* cache) {
  if (cache == nullptr || expressions.texts.size() < kCachedPatternsMin)
    return compiled(expressions);
  const std::string key = cache_key(expressions);
  if (auto known = cache->load(key)) return known.release();
  SLUICE_TRY(hs_database_t* const database, compiled(expressions));
  cache->store(key, database);
  return database;
}

struct Scan {
  const std::vector<uint32_t>& first;
  const std::vector<uint32_t>& rules;
  size_t searched;  // what ends there was found before
  CandidateSink& sink;
};

int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  const auto& scan = *static_cast<const Scan*>(context);
  if (to <= scan.searched) return 0;
  for (uint32_t i = scan.first[id]; i < scan.first[id + 1]; i++) scan.sink.candidate(scan.rules[i]);
  return 0;
}

}  // namespace

PrefilterScratch::~PrefilterScratch() { hs_free_scratch(scratch_); }

size_t PrefilterScratch::bytes() const {
  size_t bytes = 0;
  if (scratch_ != nullptr) SLUICE_CHECK(hs_scratch_size(scratch_, &bytes) == HS_SUCCESS);
  return bytes;
}

// Each place of a pattern is told, not only the first: the first may be in what was searched
// before.
Result<Prefilter> Prefilter::compile(std::vector<Pattern> patterns, DatabaseCache* cache) {
  std::map<std::pair<std::string, bool>, std::vector<uint32_t>> by_bytes;
  for (Pattern& pattern : patterns)
    by_bytes[{std::move(pattern.bytes), pattern.nocase}].push_back(pattern.rule);

  auto parts = std::make_shared<Parts>();
  Expressions expressions;
  parts->first.push_back(0);
  for (const auto& [key, rules] : by_bytes) {
    expressions.add(escaped(key.first), HS_FLAG_DOTALL | (key.second ? HS_FLAG_CASELESS : 0));
    parts->longest = std::max(parts->longest, key.first.size());
    parts->rules.insert(parts->rules.end(), rules.begin(), rules.end());
    parts->first.push_back(static_cast<uint32_t>(parts->rules.size()));
  }
  SLUICE_TRY(parts->database, database_of(expressions, cache));
  return Prefilter(std::move(parts));
}

size_t Prefilter::database_bytes() const {
  size_t bytes = 0;
  SLUICE_CHECK(hs_database_size(parts_->database, &bytes) == HS_SUCCESS);
  return bytes;
}

Result<> Prefilter::prepare(PrefilterScratch& scratch) const {
  if (hs_alloc_scratch(parts_->database, &scratch.scratch_) != HS_SUCCESS)
    return fail("Hyperscan cannot allocate its scratch");
  return {};
}

void Prefilter::scan(std::span<const uint8_t> bytes, PrefilterScratch& scratch,
                     CandidateSink& sink) const {
  scan_on(bytes, 0, scratch, sink);
}

void Prefilter::scan_on(std::span<const uint8_t> bytes, size_t searched, PrefilterScratch& scratch,
                        CandidateSink& sink) const {
  const size_t carried = std::min(searched, parts_->longest - 1);
  bytes = bytes.subspan(searched - carried);
  Scan scan{parts_->first, parts_->rules, carried, sink};
  const auto status =
      hs_scan(parts_->database, reinterpret_cast<const char*>(bytes.data()),
              static_cast<unsigned>(bytes.size()), 0, scratch.scratch_, on_match, &scan);
  SLUICE_CHECK(status == HS_SUCCESS);
}

}  // namespace sluice::inspect
