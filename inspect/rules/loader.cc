// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/loader.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "inspect/rules/parser.h"
#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

// Of a rule that could not be parsed: what stands behind the first option `sid`; else 0.
uint32_t sid_in(std::string_view text) {
  constexpr std::string_view kSid = "sid:";
  for (size_t at = text.find(kSid); at != std::string_view::npos; at = text.find(kSid, at + 1)) {
    if (at == 0 || std::string_view("(; \t").find(text[at - 1]) == std::string_view::npos) continue;
    const size_t begin = std::min(text.find_first_not_of(' ', at + kSid.size()), text.size());
    uint32_t sid = 0;
    const auto read = std::from_chars(text.data() + begin, text.data() + text.size(), sid);
    if (read.ec == std::errc{}) return sid;
  }
  return 0;
}

std::string cut(std::string reason) {
  if (reason.size() <= kRefusedReasonMax) return reason;
  constexpr std::string_view kMore = " ...";
  reason.resize(kRefusedReasonMax - kMore.size());
  return reason.append(kMore);
}

}  // namespace

Result<> RuleLoader::load_file(const std::string& path) {
  WholeLines lines = lines_of(path);
  SLUICE_TRY_VOID(read_text_file(path, kRuleFileMax, "rules",
                                 [&](std::string_view piece) { return lines.feed(piece); }));
  return lines.end();
}

Result<> RuleLoader::load_text(std::string_view text, const std::string& name) {
  WholeLines lines = lines_of(name);
  SLUICE_TRY_VOID(lines.feed(text));
  return lines.end();
}

WholeLines RuleLoader::lines_of(const std::string& name) {
  return {kRuleLengthMax, [this, name](std::string_view rule, int line) -> Result<> {
            if (set_.rules.size() == kRulesMax) return fail("more than 200000 rules", name);
            add(rule, name, line);
            return {};
          }};
}

void RuleLoader::add(std::string_view text, const std::string& name, int line) {
  const auto refuse = [&](std::string why) {
    set_.refused.push_back({name, line, cut(std::move(why)), sid_in(text)});
  };
  const auto unmet = unmet_requirement_of(text);
  if (!unmet) return refuse("requires: " + unmet.error().text());
  if (!unmet->empty()) {
    set_.skipped.push_back({name, line, cut("skipped: it requires " + *unmet), sid_in(text)});
    return;
  }
  auto rule = parse_rule(text, variables_, classification_, names_, sources_);
  if (!rule) return refuse(std::move(rule.error().what));
  if (!rule->classtype.empty() && !classification_.contains(rule->classtype))
    set_.warned.push_back({name, line,
                           cut("classtype '" + rule->classtype +
                               "' is not in the classification: loaded with priority " +
                               std::to_string(rule->priority)),
                           rule->sid});
  rule->text_hash ^= std::hash<std::string_view>{}(text);
  rule->file = name;
  rule->line = line;
  set_.rules.push_back(std::move(*rule));
}

RuleSet RuleLoader::take(const RuleOrder& order) {
  RuleSet out = std::move(set_);
  set_ = {};
  std::map<std::pair<uint32_t, uint32_t>, size_t> places;  // in kept
  std::vector<Rule> kept;
  for (Rule& rule : out.rules) {
    const auto [place, is_new] = places.try_emplace({rule.gid, rule.sid}, kept.size());
    if (is_new) {
      kept.push_back(std::move(rule));
      continue;
    }
    Rule& other = kept[place->second];
    const bool newer = rule.rev > other.rev;
    if (newer) std::swap(rule, other);
    out.refused.push_back({rule.file, rule.line,
                           "sid " + std::to_string(rule.sid) +
                               (newer ? " has a newer revision at " : " is already used at ") +
                               other.file + ":" + std::to_string(other.line),
                           rule.sid});
  }
  std::stable_sort(kept.begin(), kept.end(), [&](const Rule& a, const Rule& b) {
    return std::pair(order.rank(a.action), a.priority) <
           std::pair(order.rank(b.action), b.priority);
  });
  out.rules = std::move(kept);
  return out;
}

}  // namespace sluice::inspect
