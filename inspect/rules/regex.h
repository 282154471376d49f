// SPDX-License-Identifier: Apache-2.0
// One compiled regular expression of a rule's `pcre` keyword: PCRE2 with its just-in-time compiler.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect {

// PCRE2's own limits for one attempt (pcre2api, "pcre2_set_match_limit"); over it the attempt
// counts as no match and is counted.
inline constexpr uint32_t kRegexMatchLimit = 50000;
inline constexpr uint32_t kRegexDepthLimit = 1500;
inline constexpr size_t kRegexLengthMax = 8192;

// What one thread needs to match with any regex; made once per worker.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;
  RegexScratch& operator=(RegexScratch&&) noexcept;

  uint64_t limit_hits = 0;

 private:
  friend class Regex;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class Regex {
 public:
  struct Options {
    bool caseless = false;    // i
    bool dot_all = false;     // s
    bool multi_line = false;  // m
    bool extended = false;    // x
    bool anchored = false;    // A
    bool dollar_end = false;  // E
    bool ungreedy = false;    // G
  };
  struct Match {
    size_t begin;
    size_t end;
  };

  static Result<Regex> compile(std::string_view pattern, const Options& options);

  // The first match that begins at `start` or later. `not_begin`: the subject's first byte is no
  // line start, because bytes before it are gone.
  std::optional<Match> find(std::span<const uint8_t> subject, size_t start, bool not_begin,
                            RegexScratch& scratch) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

}  // namespace sluice::inspect
