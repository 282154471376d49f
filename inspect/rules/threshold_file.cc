// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/threshold_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

// The next "name value"; commas inside brackets belong to the value.
std::pair<std::string_view, std::string_view> take_field(std::string_view& text) {
  int depth = 0;
  size_t end = 0;
  for (; end < text.size() && (depth > 0 || text[end] != ','); end++) {
    if (text[end] == '[') depth++;
    if (text[end] == ']') depth--;
  }
  std::string_view value = trimmed_option(text.substr(0, end));
  text = end < text.size() ? text.substr(end + 1) : std::string_view{};
  const std::string_view name = take_part(value, ' ');
  return {name, trimmed_option(value)};
}

using Fields = std::map<std::string_view, std::string_view>;

Result<Fields> read_fields(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const auto [name, value] = take_field(text);
    if (name.empty() || value.empty()) return fail("needs pairs of a name and a value");
    if (!fields.emplace(name, value).second)
      return fail("'" + std::string(name) + "' stands twice");
  }
  return fields;
}

// A field that must be there; it is taken out.
Result<std::string_view> take(Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return fail("needs " + std::string(name));
  const std::string_view value = found->second;
  fields.erase(found);
  return value;
}

Result<uint32_t> take_number(Fields& fields, std::string_view name, uint32_t least) {
  SLUICE_TRY(const auto value, take(fields, name));
  const auto number = option_number<uint32_t>(value, least, UINT32_MAX);
  if (!number) return fail(std::string(name) + ": " + number.error().what);
  return *number;
}

template <class Counted>
Result<> take_counting(Fields& fields, Counted& out) {
  SLUICE_TRY(const auto track, take(fields, "track"));
  SLUICE_TRY(out.track, find_track(track));
  SLUICE_TRY(out.count, take_number(fields, "count", 1));
  SLUICE_TRY(out.seconds, take_number(fields, "seconds", 1));
  return {};
}

Result<> read_threshold(Fields& fields, ThresholdLine& out) {
  Threshold threshold;
  SLUICE_TRY(const auto type, take(fields, "type"));
  SLUICE_TRY(threshold.type, find_threshold_type(type));
  SLUICE_TRY_VOID(take_counting(fields, threshold));
  out.what = threshold;
  return {};
}

Result<> read_rate_filter(Fields& fields, ThresholdLine& out) {
  RateFilter filter;
  SLUICE_TRY_VOID(take_counting(fields, filter));
  SLUICE_TRY(const auto action, take(fields, "new_action"));
  SLUICE_TRY(filter.new_action, find_action(action));
  SLUICE_TRY(filter.timeout_seconds, take_number(fields, "timeout", 0));
  out.what = filter;
  return {};
}

Result<> read_suppress(Fields& fields, const Variables& variables, ThresholdLine& out) {
  out.what = Silence{};
  if (fields.empty()) return {};
  auto suppression = std::make_shared<Suppression>();
  SLUICE_TRY(const auto track, take(fields, "track"));
  if (track == "by_src") {
    suppression->who = Suppression::Who::kSource;
  } else if (track == "by_dst") {
    suppression->who = Suppression::Who::kDestination;
  } else if (track == "by_either") {
    suppression->who = Suppression::Who::kEither;
  } else {
    return fail("track '" + std::string(track) + "' is none of by_src, by_dst, by_either");
  }
  SLUICE_TRY(const auto addresses, take(fields, "ip"));
  SLUICE_TRY(suppression->addresses, parse_addresses(addresses, variables));
  out.what = std::shared_ptr<const Suppression>(std::move(suppression));
  return {};
}

Result<ThresholdLine> parse_line(std::string_view text, const Variables& variables) {
  if (text.size() > kThresholdLengthMax) return fail("longer than 16384 bytes");
  text = trimmed_option(text);
  const std::string_view command = take_part(text, ' ');
  SLUICE_TRY(Fields fields, read_fields(trimmed_option(text)));
  ThresholdLine out;
  if (command != "threshold" && command != "event_filter" && command != "rate_filter" &&
      command != "suppress")
    return fail("'" + std::string(command) +
                "' is none of threshold, event_filter, rate_filter, suppress");
  SLUICE_TRY(out.gid, take_number(fields, "gen_id", 0));
  SLUICE_TRY(out.sid, take_number(fields, "sig_id", 0));
  if (out.sid != 0 && out.gid == 0) return fail("a sig_id needs its gen_id");
  if (command == "rate_filter") {
    SLUICE_TRY_VOID(read_rate_filter(fields, out));
  } else if (command == "suppress") {
    SLUICE_TRY_VOID(read_suppress(fields, variables, out));
  } else {
    SLUICE_TRY_VOID(read_threshold(fields, out));
  }
  if (!fields.empty()) return fail("'" + std::string(fields.begin()->first) + "' is not supported");
  return out;
}

// --- what it does to a rule; the reason why not, if any ---

using Refusal = std::optional<std::string>;

bool counts_itself(const Rule& rule) {
  return rule.threshold || rule.detection_filter || rule.rate_filter;
}

Refusal apply(const Threshold& threshold, Rule& rule, bool named) {
  if (!named && counts_itself(rule)) return std::nullopt;
  rule.threshold = threshold;
  rule.detection_filter.reset();
  rule.rate_filter.reset();
  return std::nullopt;
}

Refusal apply(const RateFilter& filter, Rule& rule, bool named) {
  if (!counts_itself(rule)) {
    rule.rate_filter = filter;
  } else if (named) {
    return "the rule has a threshold already, which goes on to hold";
  }
  return std::nullopt;
}

Refusal apply(const std::shared_ptr<const Suppression>& suppression, Rule& rule, bool) {
  if (rule.suppressions.size() == kSuppressionsMax) return "more than 256 of them for one rule";
  rule.suppressions.push_back(suppression);
  return std::nullopt;
}

Refusal apply(const Silence&, Rule& rule, bool) {
  rule.noalert = true;
  rule.alerts_on_pass = false;
  return std::nullopt;
}

Refusal apply_to(const ThresholdLine& line, Rule& rule) {
  return std::visit([&](const auto& what) { return apply(what, rule, line.sid != 0); }, line.what);
}

Refusal apply_to_many(const ThresholdLine& line, RuleSet& set) {
  Refusal refusal;
  for (Rule& rule : set.rules) {
    if (line.gid != 0 && rule.gid != line.gid) continue;
    if (auto refused = apply_to(line, rule)) refusal = std::move(refused);
  }
  return refusal;
}

}  // namespace

ThresholdFile parse_thresholds(std::string_view text, const std::string& name,
                               const Variables& variables) {
  ThresholdFile out;
  size_t for_many = 0;
  const auto take = [&](std::string_view line, int number) -> Result<> {
    auto parsed = parse_line(line, variables);
    if (parsed && out.lines.size() == kThresholdLinesMax) {
      parsed = fail("more than 65536 lines");
    } else if (parsed && parsed->sid == 0 && ++for_many > kThresholdsForManyMax) {
      parsed = fail("more than 64 lines about more than one rule");
    }
    if (!parsed) {
      out.refused.push_back({name, number, parsed.error().what, 0});
      return {};
    }
    parsed->file = name;
    parsed->line = number;
    out.lines.push_back(std::move(*parsed));
    return {};
  };
  WholeLines lines(kThresholdLengthMax, take);
  (void)lines.feed(text);  // never an error
  (void)lines.end();
  return out;
}

Result<ThresholdFile> read_thresholds(const std::string& path, const Variables& variables) {
  SLUICE_TRY(const std::string text, read_text_file(path, kThresholdFileMax, "thresholds"));
  return parse_thresholds(text, path, variables);
}

void apply_thresholds(ThresholdFile thresholds, RuleSet& set) {
  std::map<uint64_t, Rule*> by_id;
  for (Rule& rule : set.rules) by_id.emplace(rule.id(), &rule);
  for (const ThresholdLine& line : thresholds.lines) {
    const auto found = by_id.find(uint64_t{line.gid} << 32 | line.sid);
    Refusal refusal;
    if (line.sid == 0) {
      refusal = apply_to_many(line, set);
    } else if (found == by_id.end()) {
      refusal = "there is no rule with sid " + std::to_string(line.sid) + " and gid " +
                std::to_string(line.gid);
    } else {
      refusal = apply_to(line, *found->second);
    }
    if (refusal) thresholds.refused.push_back({line.file, line.line, *refusal, line.sid});
  }
  std::ranges::move(thresholds.refused, std::back_inserter(set.refused));
}

}  // namespace sluice::inspect
