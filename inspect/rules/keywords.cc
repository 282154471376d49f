// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/keywords.h"

#include <algorithm>

#include "inspect/rules/requirements.h"

namespace sluice::inspect {
namespace {

Result<> apply_msg(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(draft.rule.msg, quoted_text(value));
  return {};
}

Result<> apply_sid(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(draft.rule.sid, option_number<uint32_t>(value, 1, UINT32_MAX));
  draft.sid_given = true;
  return {};
}

Result<> apply_rev(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(draft.rule.rev, option_number<uint32_t>(value, 0, UINT32_MAX));
  return {};
}

Result<> apply_gid(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(draft.rule.gid, option_number<uint32_t>(value, 1, UINT32_MAX));
  return {};
}

// The loader warns of one that is not known.
Result<> apply_classtype(RuleDraft& draft, std::string_view value) {
  draft.rule.classtype = std::string(value);
  const auto found = draft.classification.find(value);
  if (found == draft.classification.end()) return {};
  draft.rule.category = found->second.description;
  if (!draft.priority_given) draft.rule.priority = found->second.priority;
  return {};
}

Result<> apply_priority(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(draft.rule.priority, option_number<int>(value, 1, 255));
  draft.priority_given = true;
  return {};
}

Result<> apply_reference(RuleDraft& draft, std::string_view value) {
  const size_t comma = value.find(',');
  if (comma == std::string_view::npos) return fail("needs type,value");
  draft.rule.references.emplace_back(trimmed_option(value.substr(0, comma)),
                                     trimmed_option(value.substr(comma + 1)));
  return {};
}

// "key value, key value"
Result<> apply_metadata(RuleDraft& draft, std::string_view value) {
  while (!value.empty()) {
    const size_t comma = value.find(',');
    const std::string_view part = trimmed_option(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
    if (part.empty()) continue;
    const size_t space = part.find(' ');
    draft.rule.metadata.emplace_back(
        part.substr(0, space),
        space == std::string_view::npos ? std::string_view{} : trimmed_option(part.substr(space)));
  }
  return {};
}

constexpr std::pair<std::string_view, bool FlowOption::*> kFlowWords[] = {
    {"to_server", &FlowOption::to_server},     {"from_client", &FlowOption::to_server},
    {"to_client", &FlowOption::to_client},     {"from_server", &FlowOption::to_client},
    {"established", &FlowOption::established}, {"not_established", &FlowOption::not_established},
    {"stateless", &FlowOption::stateless},     {"only_stream", &FlowOption::only_stream},
    {"no_stream", &FlowOption::no_stream},
};

Result<> apply_flow(RuleDraft& draft, std::string_view value) {
  FlowOption& flow = draft.rule.flow;
  for (const std::string_view word : comma_parts(value)) {
    const auto* const found = std::find_if(std::begin(kFlowWords), std::end(kFlowWords),
                                           [&](const auto& entry) { return entry.first == word; });
    if (found == std::end(kFlowWords)) return fail("'" + std::string(word) + "' is not supported");
    flow.*found->second = true;
  }
  if (flow.to_server && flow.to_client) return fail("both to_server and to_client");
  if (flow.established && flow.not_established) return fail("both established and not_established");
  if (flow.only_stream && flow.no_stream) return fail("both only_stream and no_stream");
  return {};
}

Result<> apply_noalert(RuleDraft& draft, std::string_view) {
  draft.rule.noalert = true;
  return {};
}

Result<> apply_alert(RuleDraft& draft, std::string_view) {
  draft.rule.noalert = false;
  draft.rule.alerts_on_pass = true;
  return {};
}

Result<> apply_bypass(RuleDraft& draft, std::string_view) {
  draft.rule.bypass = true;
  return {};
}

Result<> apply_target(RuleDraft& draft, std::string_view value) {
  if (value != "src_ip" && value != "dest_ip") return fail("takes src_ip or dest_ip");
  draft.rule.target = value == "src_ip" ? Target::kSource : Target::kDestination;
  return {};
}

// Which content is searched for first is chosen here; a rule that wants a search anyway has it.
Result<> apply_prefilter(RuleDraft&, std::string_view) { return {}; }

// A rule whose requirements are not met is not parsed: unmet_requirement_of() comes before.
Result<> apply_requires(RuleDraft&, std::string_view value) {
  SLUICE_TRY(const std::string unmet, unmet_requirement(value));
  return unmet.empty() ? Result<>{} : fail(unmet + " is not met");
}

constexpr Keyword kKeywords[] = {
    {"msg", KeywordValue::kRequired, apply_msg, "what events call the rule"},
    {"sid", KeywordValue::kRequired, apply_sid, "its number; needed"},
    {"rev", KeywordValue::kRequired, apply_rev, "its revision"},
    {"gid", KeywordValue::kRequired, apply_gid, "the group of its number"},
    {"classtype", KeywordValue::kRequired, apply_classtype, "its class, which gives the priority"},
    {"priority", KeywordValue::kRequired, apply_priority, "1 to 255; 1 comes first"},
    {"reference", KeywordValue::kRequired, apply_reference, "type,value: where to read more"},
    {"metadata", KeywordValue::kRequired, apply_metadata, "keys and values for events"},
    {"target", KeywordValue::kRequired, apply_target, "src_ip or dest_ip: who is attacked"},
    {"flow", KeywordValue::kRequired, apply_flow, "direction and state of the flow"},
    {"noalert", KeywordValue::kNone, apply_noalert, "matches without an event"},
    {"alert", KeywordValue::kNone, apply_alert, "matches with an event"},
    {"bypass", KeywordValue::kNone, apply_bypass, "the rest of the flow is not inspected"},
    {"requires", KeywordValue::kRequired, apply_requires,
     "version, feature or keyword: a rule for others is skipped"},
    {"prefilter", KeywordValue::kNone, apply_prefilter, "a hint that is not needed here"},
};

const Keyword* find_in(std::span<const Keyword> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Keyword& k) { return k.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Keyword> rule_keywords() { return kKeywords; }

const Keyword* find_keyword(std::string_view name) {
  for (const KeywordGroup& group : keyword_groups()) {
    if (const Keyword* found = find_in(group.keywords, name)) return found;
  }
  return find_buffer_keyword(name);
}

const std::vector<KeywordGroup>& keyword_groups() {
  static const std::vector<KeywordGroup> kGroups = {
      {"About the rule and its flow", rule_keywords()},
      {"Content", payload_keywords()},
      {"Numbers and sizes in bytes", byte_keywords()},
      {"The packet's headers", packet_keywords()},
      {"Fragments", fragment_keywords()},
      {"Checksums", checksum_keywords()},
      {"DNS messages", dns_keywords()},
      {"FTP commands", ftp_keywords()},
      {"TLS handshakes", tls_keywords()},
      {"Files", file_keywords()},
      {"Classification by nDPI", ndpi_keywords()},
      {"Events", event_keywords()},
      {"Sets and scores", dataset_keywords()},
      {"State and counting", state_keywords()}};
  return kGroups;
}

std::vector<BufferMatch>& RuleDraft::matches() {
  return matches_of(sticky ? *sticky : part_of(Buffer::kPayload));
}

std::vector<BufferMatch>& RuleDraft::matches_of(size_t index) {
  last_part = index;
  last_in_base64 = in_base64;
  RulePart& part = rule.parts[index];
  if (!in_base64) return part.matches;
  const auto decode = std::find_if(part.matches.rbegin(), part.matches.rend(),
                                   [](const auto& m) { return std::holds_alternative<Base64>(m); });
  return std::get<Base64>(*decode).inside;
}

Content* RuleDraft::last_content() {
  if (!last_part) return nullptr;
  auto& list = last_in_base64 ? matches() : rule.parts[*last_part].matches;
  const auto found = std::find_if(list.rbegin(), list.rend(), [](const BufferMatch& match) {
    return std::holds_alternative<Content>(match);
  });
  return found == list.rend() ? nullptr : &std::get<Content>(*found);
}

Result<> RuleDraft::add(BufferMatch match) {
  size_t count = 0;
  for (const RulePart& part : rule.parts) count += part.matches.size();
  if (count >= kMatchesMax) return fail("more than 64 content and the like in one rule");
  // What is relative to a content that a modifier has moved follows it.
  const bool follows = !sticky && last_part && is_relative(match);
  auto& list = follows ? matches_of(*last_part) : matches();
  if (list.size() == kMatchesMax) return fail("more than 64 content and the like in one rule");
  list.push_back(std::move(match));
  return {};
}

size_t RuleDraft::part_of(Buffer buffer) {
  for (size_t i = 0; i < rule.parts.size(); i++) {
    if (rule.parts[i].buffer == buffer && rule.parts[i].transforms.empty()) return i;
  }
  rule.parts.push_back({buffer, {}, {}});
  return rule.parts.size() - 1;
}

Result<Operand> operand(const RuleDraft& draft, std::string_view text, int64_t least,
                        int64_t most) {
  const auto named =
      std::find(draft.variables.begin(), draft.variables.end(), trimmed_option(text));
  if (named != draft.variables.end())
    return Operand{0, static_cast<uint8_t>(named - draft.variables.begin())};
  SLUICE_TRY(const auto value, option_number<int64_t>(text, least, most));
  return Operand{value, {}};
}

Result<SizeRange> size_range(std::string_view value, uint32_t most) {
  value = trimmed_option(value);
  SizeRange range;
  const auto number = [most](std::string_view text) {
    return option_number<uint32_t>(text, 0, most);
  };
  const bool angles = value.find("<>") != std::string_view::npos;
  const size_t between = angles ? value.find("<>") : value.find('-', 1);
  if (between != std::string_view::npos) {
    SLUICE_TRY(const auto low, number(value.substr(0, between)));
    SLUICE_TRY(const auto high, number(value.substr(between + (angles ? 2 : 1))));
    if (high < low + 2) return fail("nothing lies between");
    range = {low + 1, high - 1};
  } else if (value.starts_with("<=")) {
    SLUICE_TRY(range.most, number(value.substr(2)));
  } else if (value.starts_with(">=")) {
    SLUICE_TRY(range.least, number(value.substr(2)));
  } else if (value.starts_with('<')) {
    SLUICE_TRY(const auto limit, option_number<uint32_t>(value.substr(1), 1, most));
    range.most = limit - 1;
  } else if (value.starts_with('>')) {
    SLUICE_TRY(const auto limit, number(value.substr(1)));
    range.least = limit + 1;
  } else {
    range.outside = value.starts_with('!');
    SLUICE_TRY(range.least, number(value.substr(range.outside ? 1 : 0)));
    range.most = range.least;
  }
  return range;
}

}  // namespace sluice::inspect
