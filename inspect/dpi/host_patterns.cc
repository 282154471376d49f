// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/host_patterns.h"

#include <hs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <climits>
#include <cstdlib>

namespace sluice::inspect {

namespace {

// A name is scanned with a newline behind it. So *.example.com is the literal ".example.com\n", and
// ten thousand of them compile in a moment, which as anchored expressions take many seconds.
constexpr char kEnd = '\n';
constexpr size_t kScannedMax = 512;  // a longer text is no name

// `$` matches in front of the newline. A match of an expression that takes the newline itself is
// none, nor is one of a name at another newline: each match is looked at, not only the first.
constexpr unsigned kFlags = HS_FLAG_CASELESS | HS_FLAG_DOTALL;

// One thread's working memory. The number tells which database it fits: an address would come back
// after a reload.
struct Scratch {
  hs_scratch_t* memory = nullptr;
  uint64_t fits = 0;
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { hs_free_scratch(memory); }
};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kHostLengthMax && text.front() != '.' &&
         text.back() != '.' && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return c > 0x7f || std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
         });
}

std::string escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

// A name has at most kHostLengthMax bytes; an expression for longer ones is a mistake, and large
// repeats cost Hyperscan seconds.
Result<> check_regex(const std::string& regex) {
  if (regex.empty() || regex.size() > kHostRegexLengthMax)
    return fail("a regular expression of 1 to " + std::to_string(kHostRegexLengthMax) +
                " characters is expected");
  if (regex.find("\\z") != std::string::npos) return fail("the end of a name is $, not \\z");
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_expression_info(regex.c_str(), kFlags, &info, &error) != HS_SUCCESS) {
    const std::string what = error != nullptr ? error->message : "not accepted";
    hs_free_compile_error(error);
    return fail("not a regular expression for Hyperscan: " + what);
  }
  const unsigned min = info->min_width;
  const unsigned max = info->max_width;
  free(info);
  if (min == 0) return fail("the regular expression matches every name");
  if (min > kHostLengthMax || (max != UINT_MAX && max > kHostLengthMax))
    return fail("the regular expression is for more than a name's " +
                std::to_string(kHostLengthMax) + " characters");
  return {};
}

std::atomic<uint64_t> databases_made{0};

}  // namespace

struct HostPatterns::Database {
  hs_database_t* compiled = nullptr;
  uint64_t number = ++databases_made;

  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { hs_free_database(compiled); }
};

Result<> HostPatterns::add(std::string_view text, uint16_t set) {
  if (patterns_.size() >= kHostPatternsMax)
    return fail("more than " + std::to_string(kHostPatternsMax) + " host patterns");
  if (text.size() >= 2 && text.front() == '/' && text.back() == '/') {
    std::string regex(text.substr(1, text.size() - 2));
    SLUICE_TRY_VOID(check_regex(regex));
    patterns_.push_back({Kind::kRegex, set, 0, std::move(regex)});
    return {};
  }
  const bool below = text.starts_with("*.");
  if (!is_name(below ? text.substr(2) : text))
    return fail("not a host name, *.name or /regular expression/");
  if (below) text.remove_prefix(1);
  patterns_.push_back(
      {below ? Kind::kBelow : Kind::kName, set, text.size(), escaped(std::string(text) + kEnd)});
  return {};
}

Result<> HostPatterns::compile() {
  if (patterns_.empty()) return {};
  auto database = std::make_shared<Database>();
  std::vector<const char*> expressions;
  std::vector<unsigned> ids;
  for (const Pattern& pattern : patterns_) {
    ids.push_back(static_cast<unsigned>(ids.size()));
    expressions.push_back(pattern.expression.c_str());
  }
  const std::vector<unsigned> flags(ids.size(), kFlags);
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(expressions.data(), flags.data(), ids.data(),
                       static_cast<unsigned>(ids.size()), HS_MODE_BLOCK, nullptr,
                       &database->compiled, &error) != HS_SUCCESS) {
    const std::string what = error != nullptr ? error->message : "unknown reason";
    hs_free_compile_error(error);
    return fail("Hyperscan cannot compile the host patterns: " + what);
  }
  database_ = std::move(database);
  return {};
}

HostSets HostPatterns::find(std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (database_ == nullptr || host.empty() || host.size() > kScannedMax) return {};
  std::array<char, kScannedMax + 1> text;
  std::copy(host.begin(), host.end(), text.begin());
  text[host.size()] = kEnd;

  thread_local Scratch scratch;
  if (scratch.fits != database_->number) {
    SLUICE_CHECK(hs_alloc_scratch(database_->compiled, &scratch.memory) == HS_SUCCESS);
    scratch.fits = database_->number;
  }
  struct Scan {
    const std::vector<Pattern>& patterns;
    size_t length;
    HostSets found;
  } scan{patterns_, host.size(), {}};
  const auto on_match = [](unsigned id, unsigned long long, unsigned long long to, unsigned,
                           void* context) {
    Scan& s = *static_cast<Scan*>(context);
    const Pattern& pattern = s.patterns[id];
    const bool whole = to == s.length + 1;
    const bool holds = pattern.kind == Kind::kRegex  ? !whole
                       : pattern.kind == Kind::kName ? whole && pattern.length == s.length
                                                     : whole && pattern.length < s.length;
    if (holds) s.found.set(pattern.set);
    return 0;
  };
  SLUICE_CHECK(hs_scan(database_->compiled, text.data(), static_cast<unsigned>(host.size() + 1), 0,
                       scratch.memory, on_match, &scan) == HS_SUCCESS);
  return scan.found;
}

}  // namespace sluice::inspect
