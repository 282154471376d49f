// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/parser.h"

#include <algorithm>
#include <array>

#include "inspect/app/session.h"
#include "inspect/rules/keywords.h"
#include "inspect/rules/requirements.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// The next word of the header; blanks inside brackets belong to it.
std::string_view take_word(std::string_view& text) {
  text = trimmed_option(text);
  int depth = 0;
  size_t end = 0;
  for (; end < text.size(); end++) {
    if (text[end] == '[') depth++;
    if (text[end] == ']') depth--;
    if (depth <= 0 && kBlanks.find(text[end]) != std::string_view::npos) break;
  }
  const std::string_view word = text.substr(0, end);
  text = trimmed_option(text.substr(end));
  return word;
}

Result<> parse_action(std::string_view word, Rule& rule) {
  struct Entry {
    std::string_view name;
    Action action;
    RejectWhom whom;
  };
  static constexpr Entry kActions[] = {
      {"alert", Action::kAlert, RejectWhom::kBoth},
      {"drop", Action::kDrop, RejectWhom::kBoth},
      {"pass", Action::kPass, RejectWhom::kBoth},
      {"reject", Action::kReject, RejectWhom::kBoth},
      {"rejectboth", Action::kReject, RejectWhom::kBoth},
      {"rejectsrc", Action::kReject, RejectWhom::kSource},
      {"rejectdst", Action::kReject, RejectWhom::kDestination},
  };
  for (const Entry& entry : kActions) {
    if (entry.name != word) continue;
    rule.action = entry.action;
    rule.reject_whom = entry.whom;
    return {};
  }
  return fail("action " + quoted(word) +
              " is not supported (alert, drop, reject, rejectsrc, rejectdst, rejectboth, pass)");
}

// The protocols under IP; the others are application protocols.
Result<> parse_protocol(std::string_view word, Rule& rule) {
  struct Entry {
    std::string_view name;
    uint8_t protocol, ip_version;
  };
  static constexpr Entry kProtocols[] = {
      {"ip", 0, 0},
      {"pkthdr", 0, 0},
      {"ip4", 0, 4},
      {"ipv4", 0, 4},
      {"ip6", 0, 6},
      {"ipv6", 0, 6},
      {"tcp", tunnels::kProtocolTcp, 0},
      {"tcp-pkt", tunnels::kProtocolTcp, 0},
      {"tcp-stream", tunnels::kProtocolTcp, 0},
      {"udp", tunnels::kProtocolUdp, 0},
      {"icmp", tunnels::kProtocolIcmp, 0},
      {"icmpv4", tunnels::kProtocolIcmp, 4},
      {"icmpv6", tunnels::kProtocolIcmp, 6},
  };
  for (const Entry& entry : kProtocols) {
    if (entry.name != word) continue;
    rule.protocol = entry.protocol;
    rule.ip_version = entry.ip_version;
    rule.packet_header = word == "pkthdr";
    rule.tcp_packet = word == "tcp-pkt";
    rule.tcp_stream = word == "tcp-stream";
    return {};
  }
  const auto app = app_protocols_of(word);
  if (!app) return fail("protocol " + quoted(word) + " is not supported");
  rule.app_protocols = *app;
  return {};
}

Result<> parse_header(std::string_view text, const Variables& variables, Rule& rule) {
  std::array<std::string_view, 7> words;
  for (auto& word : words) word = take_word(text);
  if (words.back().empty() || !text.empty())
    return fail("the header is not 'action protocol source port -> destination port'");
  SLUICE_TRY_VOID(parse_action(words[0], rule));
  SLUICE_TRY_VOID(parse_protocol(words[1], rule));
  SLUICE_TRY(rule.source, parse_addresses(words[2], variables));
  SLUICE_TRY(rule.source_port, parse_ports(words[3], variables));
  if (words[4] != "->" && words[4] != "<>" && words[4] != "=>")
    return fail("direction " + quoted(words[4]) + " is not supported (->, <>, =>)");
  rule.both_ways = words[4] == "<>";
  rule.both_sides = words[4] == "=>";
  SLUICE_TRY(rule.destination, parse_addresses(words[5], variables));
  SLUICE_TRY(rule.destination_port, parse_ports(words[6], variables));
  return {};
}

// The length of the first option: up to a ; outside quotes. \ takes the next character with it.
size_t option_length(std::string_view text) {
  bool in_quotes = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\') {
      i++;
    } else if (text[i] == '"') {
      in_quotes = !in_quotes;
    } else if (text[i] == ';' && !in_quotes) {
      return i;
    }
  }
  return std::string_view::npos;
}

// Of two of these one would be in vain. The last five are a content's.
Result<> check_once(std::string_view name, RuleDraft& draft) {
  static constexpr std::string_view kOnce[] = {"sid",    "rev",   "gid",      "dsize",  "msg",
                                               "nocase", "depth", "distance", "within", "offset"};
  constexpr uint32_t kOfRule = (1u << 5) - 1;
  if (name == "content" || name == "uricontent") draft.once_given &= kOfRule;
  const auto* const found = std::ranges::find(kOnce, name);
  if (found == std::end(kOnce)) return {};
  const uint32_t bit = 1u << (found - kOnce);
  if (draft.once_given & bit) return fail(std::string(name) + ": given twice");
  draft.once_given |= bit;
  return {};
}

Result<> apply_option(std::string_view option, RuleDraft& draft) {
  const size_t colon = option.find(':');
  const std::string_view name = trimmed_option(option.substr(0, colon));
  const Keyword* keyword = find_keyword(name);
  draft.keyword = name;
  if (keyword == nullptr) return fail("keyword " + quoted(name) + " is not supported");
  SLUICE_TRY_VOID(check_once(name, draft));
  const std::string_view value = colon == std::string_view::npos
                                     ? std::string_view{}
                                     : trimmed_option(option.substr(colon + 1));
  if (keyword->value == KeywordValue::kRequired && value.empty())
    return fail(std::string(name) + ": needs a value");
  if (keyword->value == KeywordValue::kNone && colon != std::string_view::npos)
    return fail(std::string(name) + ": takes no value");
  const auto applied = keyword->apply(draft, value);
  if (!applied) return fail(std::string(name) + ": " + applied.error().text());
  return {};
}

template <class Take>
Result<> each_option(std::string_view text, Take take) {
  for (size_t count = 0; !(text = trimmed_option(text)).empty(); count++) {
    if (count == kRuleOptionsMax) return fail("more than 256 options");
    const size_t length = option_length(text);
    if (length == std::string_view::npos) return fail("an option is not closed with ;");
    SLUICE_TRY_VOID(take(text.substr(0, length)));
    text = text.substr(length + 1);
  }
  return {};
}

// What stands in the parentheses at its end.
Result<std::string_view> options_of(std::string_view rule) {
  const size_t open = rule.find('(');
  if (open == std::string_view::npos || rule.back() != ')') return fail("no (options) at the end");
  return rule.substr(open + 1, rule.size() - open - 2);
}

}  // namespace

Result<std::vector<AppProtocol>> app_protocols_of(std::string_view name) {
  std::vector<AppProtocol> out;
  if (name == "http" || name == "http1") out.push_back(AppProtocol::kHttp1);
  if (name == "http") out.push_back(AppProtocol::kHttp2);
  if (name == "ssl") out.push_back(AppProtocol::kTls);
  for (size_t i = 0; out.empty() && i < static_cast<size_t>(AppProtocol::kCount); i++) {
    if (app_protocol_name(static_cast<AppProtocol>(i)) == name)
      out.push_back(static_cast<AppProtocol>(i));
  }
  if (out.empty() || !is_understood(out.front()))
    return fail("application protocol " + quoted(name) + " is not supported");
  return out;
}

Result<std::string> unmet_requirement_of(std::string_view rule) {
  constexpr std::string_view kName = "requires";
  std::string unmet;
  rule = trimmed_option(rule);
  if (rule.size() > kRuleLengthMax || rule.find(kName) == std::string_view::npos) return unmet;
  SLUICE_TRY(const std::string_view options, options_of(rule));
  SLUICE_TRY_VOID(each_option(options, [&](std::string_view option) -> Result<> {
    const std::string_view name = take_part(option, ':');
    if (name != kName || !unmet.empty()) return {};
    SLUICE_TRY(unmet, unmet_requirement(trimmed_option(option)));
    return {};
  }));
  return unmet;
}

Result<Rule> parse_rule(std::string_view text, const Variables& variables,
                        const Classification& classification, Names& names,
                        const RuleSources& sources) {
  if (text.size() > kRuleLengthMax) return fail("rule longer than 16384 bytes");
  text = trimmed_option(text);
  SLUICE_TRY(const std::string_view options, options_of(text));
  Rule rule;
  SLUICE_TRY_VOID(parse_header(text.substr(0, text.find('(')), variables, rule));
  RuleDraft draft{rule, classification, names, sources};
  SLUICE_TRY_VOID(each_option(options, [&](auto option) { return apply_option(option, draft); }));
  if (!draft.sid_given) return fail("no sid");
  SLUICE_TRY_VOID(finish_rule(draft));
  return rule;
}

}  // namespace sluice::inspect
