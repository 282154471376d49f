// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/keywords.h"

#include <algorithm>

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

Result<> apply_classtype(RuleDraft& draft, std::string_view value) {
  const auto found = draft.classification.find(value);
  if (found == draft.classification.end())
    return fail("'" + std::string(value) + "' is not in the classification");
  draft.rule.classtype = std::string(value);
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

Result<> apply_flow_word(FlowOption& flow, std::string_view word) {
  if (word == "to_server" || word == "from_client") {
    flow.to_server = true;
  } else if (word == "to_client" || word == "from_server") {
    flow.to_client = true;
  } else if (word == "established") {
    flow.established = true;
  } else if (word == "not_established") {
    flow.not_established = true;
  } else if (word == "only_stream") {
    flow.only_stream = true;
  } else if (word == "no_stream") {
    flow.no_stream = true;
  } else if (word != "stateless") {
    return fail("'" + std::string(word) + "' is not supported");
  }
  return {};
}

Result<> apply_flow(RuleDraft& draft, std::string_view value) {
  FlowOption& flow = draft.rule.flow;
  while (true) {
    const size_t comma = value.find(',');
    SLUICE_TRY_VOID(apply_flow_word(flow, trimmed_option(value.substr(0, comma))));
    if (comma == std::string_view::npos) break;
    value = value.substr(comma + 1);
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

constexpr Keyword kKeywords[] = {
    {"msg", KeywordValue::kRequired, apply_msg},
    {"sid", KeywordValue::kRequired, apply_sid},
    {"rev", KeywordValue::kRequired, apply_rev},
    {"gid", KeywordValue::kRequired, apply_gid},
    {"classtype", KeywordValue::kRequired, apply_classtype},
    {"priority", KeywordValue::kRequired, apply_priority},
    {"reference", KeywordValue::kRequired, apply_reference},
    {"metadata", KeywordValue::kRequired, apply_metadata},
    {"flow", KeywordValue::kRequired, apply_flow},
    {"noalert", KeywordValue::kNone, apply_noalert},
};

const Keyword* find_in(std::span<const Keyword> table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Keyword& k) { return k.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

const Keyword* find_keyword(std::string_view name) {
  const Keyword* found = find_in(kKeywords, name);
  return found != nullptr ? found : find_in(payload_keywords(), name);
}

std::string_view trimmed_option(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Result<std::string> quoted_text(std::string_view value) {
  value = trimmed_option(value);
  if (value.size() < 2 || value.front() != '"' || value.back() != '"')
    return fail("needs a text in double quotes");
  value = value.substr(1, value.size() - 2);
  std::string out;
  for (size_t i = 0; i < value.size(); i++) {
    if (value[i] == '"') return fail("has a double quote without \\ before it");
    if (value[i] == '\\' && i + 1 < value.size()) i++;
    out += value[i];
  }
  return out;
}

}  // namespace sluice::inspect
