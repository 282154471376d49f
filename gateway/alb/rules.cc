// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/rules.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool holds(const Condition& condition, std::string_view host_name, std::string_view path) {
  bool on_host = condition.field == ConditionField::kHostHeader;
  return std::any_of(condition.values.begin(), condition.values.end(), [&](const auto& value) {
    return wildcard_match(value, on_host ? host_name : path, on_host);
  });
}

}  // namespace

// On a mismatch the last star takes one character more; earlier stars need no second try.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case) {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t] ||
                                      (ignore_case && lower(pattern[p]) == lower(text[t])))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void RuleTable::sort() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.priority < b.priority; });
}

RuleTable::Match RuleTable::route(std::string_view host_name, std::string_view path) const {
  for (const Entry& entry : entries_) {
    bool all = std::all_of(entry.conditions.begin(), entry.conditions.end(),
                           [&](const Condition& c) { return holds(c, host_name, path); });
    if (all) return {entry.priority, entry.group};
  }
  return {0, default_group_};
}

}  // namespace sluice::gateway
