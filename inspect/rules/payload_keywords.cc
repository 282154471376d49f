// SPDX-License-Identifier: Apache-2.0
// content and its modifiers, pcre, dsize. A modifier belongs to the content before it.
#include <algorithm>
#include <cctype>

#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

// As in Suricata; longer patterns are written as two, the second with distance:0 and within.
constexpr size_t kContentMax = 255;
constexpr size_t kPayloadMatchesMax = 64;
constexpr uint32_t kPositionMax = 65535;
constexpr int32_t kDistanceMax = 1024 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The bytes between two bars: pairs of hex digits, blanks between pairs.
Result<> append_hex(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      i++;
      continue;
    }
    const int high = hex_digit(text[i]);
    const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    if (high < 0 || low < 0) return fail("bytes between | are not pairs of hex digits");
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return {};
}

Result<std::string> content_bytes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (c == '|') {
      const size_t end = text.find('|', i + 1);
      if (end == std::string_view::npos) return fail("| without a second one");
      SLUICE_TRY_VOID(append_hex(text.substr(i + 1, end - i - 1), out));
      i = end;
    } else if (c == '\\') {
      i++;
      if (i == text.size() || std::string_view("\\\";:").find(text[i]) == std::string_view::npos)
        return fail("\\ escapes only \\ \" ; :");
      out += text[i];
    } else if (c == '"') {
      return fail("has a double quote without \\ before it");
    } else {
      out += c;
    }
  }
  if (out.empty()) return fail("empty");
  if (out.size() > kContentMax) return fail("longer than 255 bytes");
  return out;
}

// Takes a leading ! and the quotes off.
Result<std::string_view> negatable_quoted(std::string_view value, bool& negated) {
  value = trimmed_option(value);
  negated = value.starts_with('!');
  if (negated) value = trimmed_option(value.substr(1));
  if (value.size() < 2 || value.front() != '"' || value.back() != '"')
    return fail("needs a text in double quotes");
  return value.substr(1, value.size() - 2);
}

Result<> add_match(Rule& rule, PayloadMatch match) {
  if (rule.payload.size() == kPayloadMatchesMax)
    return fail("more than 64 content and pcre in one rule");
  rule.payload.push_back(std::move(match));
  return {};
}

Result<> apply_content(RuleDraft& draft, std::string_view value) {
  Content content;
  SLUICE_TRY(const std::string_view text, negatable_quoted(value, content.negated));
  SLUICE_TRY(content.bytes, content_bytes(text));
  return add_match(draft.rule, std::move(content));
}

Result<bool> pcre_flag(char flag, Regex::Options& options) {
  switch (flag) {
    case 'i':
      options.caseless = true;
      return false;
    case 's':
      options.dot_all = true;
      return false;
    case 'm':
      options.multi_line = true;
      return false;
    case 'x':
      options.extended = true;
      return false;
    case 'A':
      options.anchored = true;
      return false;
    case 'E':
      options.dollar_end = true;
      return false;
    case 'G':
      options.ungreedy = true;
      return false;
    case 'R':
      return true;
    default:
      return fail(std::string("flag '") + flag + "' is not supported");
  }
}

Result<> apply_pcre(RuleDraft& draft, std::string_view value) {
  bool negated = false;
  bool relative = false;
  SLUICE_TRY(const std::string_view text, negatable_quoted(value, negated));
  const size_t last = text.rfind('/');
  if (!text.starts_with('/') || last == 0) return fail("needs /pattern/flags");
  Regex::Options options;
  for (const char flag : text.substr(last + 1)) {
    SLUICE_TRY(const bool is_relative, pcre_flag(flag, options));
    relative |= is_relative;
  }
  SLUICE_TRY(Regex regex, Regex::compile(text.substr(1, last - 1), options));
  return add_match(draft.rule, Pcre{std::move(regex), negated, relative});
}

Result<Content*> content_before(RuleDraft& draft) {
  if (draft.rule.payload.empty()) return fail("no content before it");
  auto* content = std::get_if<Content>(&draft.rule.payload.back());
  if (content == nullptr) return fail("does not apply to pcre");
  return content;
}

Result<> apply_nocase(RuleDraft& draft, std::string_view) {
  SLUICE_TRY(Content * content, content_before(draft));
  content->nocase = true;
  std::transform(content->bytes.begin(), content->bytes.end(), content->bytes.begin(),
                 [](unsigned char c) {
                   return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
                 });
  return {};
}

Result<> apply_offset(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->offset, option_number<uint32_t>(value, 0, kPositionMax));
  content->positioned = true;
  return {};
}

Result<> apply_depth(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->depth, option_number<uint32_t>(value, 1, kPositionMax));
  if (*content->depth < content->bytes.size()) return fail("smaller than the content itself");
  content->positioned = true;
  return {};
}

Result<> apply_distance(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->distance, option_number<int32_t>(value, -kDistanceMax, kDistanceMax));
  content->relative = true;
  return {};
}

Result<> apply_within(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->within, option_number<uint32_t>(value, 1, kDistanceMax));
  if (*content->within < content->bytes.size()) return fail("smaller than the content itself");
  content->relative = true;
  return {};
}

Result<> apply_startswith(RuleDraft& draft, std::string_view) {
  SLUICE_TRY(Content * content, content_before(draft));
  if (content->positioned) return fail("does not go with offset or depth");
  content->depth = static_cast<uint32_t>(content->bytes.size());
  content->positioned = true;
  return {};
}

Result<> apply_endswith(RuleDraft& draft, std::string_view) {
  SLUICE_TRY(Content * content, content_before(draft));
  content->ends = true;
  return {};
}

Result<> apply_rawbytes(RuleDraft& draft, std::string_view) {
  // Payloads are never anything but raw here, so there is nothing to change.
  SLUICE_TRY([[maybe_unused]] Content * content, content_before(draft));
  return {};
}

Result<> apply_fast_pattern(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  if (content->negated) return fail("a negated content cannot be it");
  const auto marked = [](const PayloadMatch& match) {
    const auto* other = std::get_if<Content>(&match);
    return other != nullptr && other->fast_pattern;
  };
  if (std::any_of(draft.rule.payload.begin(), draft.rule.payload.end(), marked))
    return fail("more than one in the rule");
  content->fast_pattern = true;
  if (value.empty() || value == "only") return {};
  const size_t comma = value.find(',');
  if (comma == std::string_view::npos) return fail("takes nothing, 'only' or offset,length");
  SLUICE_TRY(content->chop_offset, option_number<uint16_t>(value.substr(0, comma), 0, kContentMax));
  SLUICE_TRY(content->chop_length,
             option_number<uint16_t>(value.substr(comma + 1), 1, kContentMax));
  if (content->chop_offset + content->chop_length > static_cast<int>(content->bytes.size()))
    return fail("offset and length reach past the content");
  return {};
}

// N, !N, <N, >N, N<>M (between, both excluded).
Result<> apply_dsize(RuleDraft& draft, std::string_view value) {
  if (draft.rule.payload_size) return fail("given twice");
  PayloadSize size;
  value = trimmed_option(value);
  const size_t between = value.find("<>");
  if (between != std::string_view::npos) {
    SLUICE_TRY(const auto low, option_number<uint32_t>(value.substr(0, between), 0, kPositionMax));
    SLUICE_TRY(const auto high,
               option_number<uint32_t>(value.substr(between + 2), 0, kPositionMax));
    if (high < low + 2) return fail("nothing lies between");
    size.least = low + 1;
    size.most = high - 1;
  } else if (value.starts_with('<')) {
    SLUICE_TRY(const auto limit, option_number<uint32_t>(value.substr(1), 1, kPositionMax));
    size.most = limit - 1;
  } else if (value.starts_with('>')) {
    SLUICE_TRY(const auto limit, option_number<uint32_t>(value.substr(1), 0, kPositionMax));
    size.least = limit + 1;
  } else {
    size.outside = value.starts_with('!');
    SLUICE_TRY(size.least,
               option_number<uint32_t>(value.substr(size.outside ? 1 : 0), 0, kPositionMax));
    size.most = size.least;
  }
  draft.rule.payload_size = size;
  return {};
}

constexpr Keyword kKeywords[] = {
    {"content", KeywordValue::kRequired, apply_content},
    {"nocase", KeywordValue::kNone, apply_nocase},
    {"offset", KeywordValue::kRequired, apply_offset},
    {"depth", KeywordValue::kRequired, apply_depth},
    {"distance", KeywordValue::kRequired, apply_distance},
    {"within", KeywordValue::kRequired, apply_within},
    {"startswith", KeywordValue::kNone, apply_startswith},
    {"endswith", KeywordValue::kNone, apply_endswith},
    {"rawbytes", KeywordValue::kNone, apply_rawbytes},
    {"fast_pattern", KeywordValue::kOptional, apply_fast_pattern},
    {"pcre", KeywordValue::kRequired, apply_pcre},
    {"dsize", KeywordValue::kRequired, apply_dsize},
};

}  // namespace

std::span<const Keyword> payload_keywords() { return kKeywords; }

Result<> finish_payload(Rule& rule) {
  bool positioned = false;
  for (const PayloadMatch& match : rule.payload) {
    const auto* content = std::get_if<Content>(&match);
    if (content == nullptr) continue;
    if (content->positioned && content->relative)
      return fail("offset, depth or startswith together with distance or within on one content");
    positioned |= content->positioned;
  }
  const bool tcp = rule.protocol == 0 || rule.protocol == tunnels::kProtocolTcp;
  const bool only_stream = rule.flow.only_stream || rule.tcp_stream;
  const bool only_packet =
      rule.flow.no_stream || rule.tcp_packet || rule.payload_size || rule.payload.empty();
  if (only_stream && !tcp) return fail("flow:only_stream needs TCP");
  if (only_stream && only_packet)
    return fail(
        "asks for the stream and for what only packets have (dsize, no_stream, tcp-pkt, no "
        "content)");
  rule.tcp_scope = only_packet                  ? TcpScope::kPacket
                   : only_stream || !positioned ? TcpScope::kStream
                                                : TcpScope::kBoth;
  return {};
}

}  // namespace sluice::inspect
