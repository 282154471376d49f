// SPDX-License-Identifier: Apache-2.0
// The option keywords that rules may use. A keyword that is not in the table refuses its rule.
#pragma once

#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "inspect/rules/classification.h"
#include "inspect/rules/rule.h"
#include "tunnels/result.h"

namespace sluice::inspect {

// A rule while its options are read, left to right.
struct RuleDraft {
  Rule& rule;
  const Classification& classification;
  bool priority_given = false;
  bool sid_given = false;
};

enum class KeywordValue : uint8_t { kNone, kRequired, kOptional };

struct Keyword {
  std::string_view name;
  KeywordValue value;
  Result<> (*apply)(RuleDraft& draft, std::string_view value);
};

const Keyword* find_keyword(std::string_view name);

// content and its modifiers, pcre, dsize (payload_keywords.cc).
std::span<const Keyword> payload_keywords();
// Contradictions that only the whole rule shows, and where a TCP rule looks.
Result<> finish_payload(Rule& rule);

// What the keyword files share.
std::string_view trimmed_option(std::string_view text);
// `"text"` without its quotes and escapes.
Result<std::string> quoted_text(std::string_view value);

template <class Number>
Result<Number> option_number(std::string_view text, Number least, Number most) {
  Number out{};
  text = trimmed_option(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || out < least ||
      out > most)
    return fail("'" + std::string(text) + "' is not a number from " + std::to_string(least) +
                " to " + std::to_string(most));
  return out;
}

}  // namespace sluice::inspect
