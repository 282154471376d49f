// SPDX-License-Identifier: Apache-2.0
// content and its modifiers, pcre, dsize; buffers and their transformations. A modifier belongs to
// the content before it.
#include <algorithm>

#include "inspect/rules/buffer_form.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {
namespace {

// As in Suricata; longer patterns are written as two, the second with distance:0 and within.
constexpr size_t kContentMax = 255;
constexpr uint32_t kPositionMax = 65535;
constexpr int32_t kDistanceMax = 1024 * 1024;

Result<std::string> content_bytes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (c == '|') {
      const size_t end = text.find('|', i + 1);
      if (end == std::string_view::npos) return fail("| without a second one");
      if (!append_hex(text.substr(i + 1, end - i - 1), out))
        return fail("bytes between | are not pairs of hex digits");
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

Result<Content> read_content(std::string_view value) {
  Content content;
  SLUICE_TRY(const std::string_view text, negatable_quoted(value, content.negated));
  SLUICE_TRY(content.bytes, content_bytes(text));
  return content;
}

Result<> apply_content(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content content, read_content(value));
  return draft.add(std::move(content));
}

// Contents of base64_data are behind a sticky buffer too.
bool is_sticky(const RuleDraft& draft) { return draft.sticky || draft.in_base64; }

// Moves the match that was just added, be it to the payload or behind a content that a modifier has
// moved, into the part about a buffer.
Result<> move_added(RuleDraft& draft, Buffer buffer) {
  std::vector<BufferMatch>& added = draft.matches_of(*draft.last_part);
  BufferMatch moved = std::move(added.back());
  added.pop_back();
  draft.last_part = draft.part_of(buffer);
  draft.rule.parts[*draft.last_part].matches.push_back(std::move(moved));
  return {};
}

Result<> apply_uricontent(RuleDraft& draft, std::string_view value) {
  if (is_sticky(draft)) return fail("does not go with sticky buffers");
  SLUICE_TRY_VOID(apply_content(draft, value));
  return move_added(draft, Buffer::kHttpUri);
}

// http_uri and the like: the content before belongs to that buffer.
Result<> apply_modifier(RuleDraft& draft, std::string_view) {
  if (is_sticky(draft)) return fail("does not go with sticky buffers");
  const Content* last = draft.last_content();
  if (last == nullptr || draft.rule.parts[*draft.last_part].buffer != Buffer::kPayload)
    return fail("no content before it");
  Content moved = *last;
  auto& payload = draft.matches();
  payload.erase(std::find_if(payload.begin(), payload.end(), [&](const BufferMatch& match) {
    return std::get_if<Content>(&match) == last;
  }));
  draft.last_part = draft.part_of(find_buffer_of_modifier(draft.keyword)->buffer);
  draft.rule.parts[*draft.last_part].matches.emplace_back(std::move(moved));
  return {};
}

// http.uri and the like: what follows looks there.
Result<> apply_sticky(RuleDraft& draft, std::string_view) {
  const BufferInfo* info = find_buffer(draft.keyword);
  draft.in_base64 = false;
  draft.last_part.reset();
  if (info->buffer == Buffer::kPayload) {
    draft.sticky.reset();
    return {};
  }
  if (draft.rule.parts.size() == kPartsMax) return fail("more than 32 buffers in one rule");
  draft.rule.parts.push_back({info->buffer, {}, {}});
  draft.sticky = draft.rule.parts.size() - 1;
  return {};
}

Result<> apply_transform(RuleDraft& draft, std::string_view value) {
  if (!draft.sticky) return fail("needs a sticky buffer before it");
  SLUICE_TRY(Transform transform, parse_transform(draft.keyword, value));
  std::vector<RulePart>& parts = draft.rule.parts;
  if (parts[*draft.sticky].transforms.size() == kTransformsMax) return fail("more than 8 in a row");
  // What stands before it looks at the buffer without it.
  if (!parts[*draft.sticky].matches.empty()) {
    if (parts.size() == kPartsMax) return fail("more than 32 buffers in one rule");
    RulePart changed{parts[*draft.sticky].buffer, parts[*draft.sticky].transforms, {}};
    parts.push_back(std::move(changed));
    draft.sticky = parts.size() - 1;
    draft.in_base64 = false;
    draft.last_part.reset();
  }
  parts[*draft.sticky].transforms.push_back(std::move(transform));
  return {};
}

struct PcreFlags {
  Regex::Options options;
  bool relative = false;
  std::optional<Buffer> buffer;
};

constexpr std::pair<char, bool Regex::Options::*> kOptionFlags[] = {
    {'i', &Regex::Options::caseless},   {'s', &Regex::Options::dot_all},
    {'m', &Regex::Options::multi_line}, {'x', &Regex::Options::extended},
    {'A', &Regex::Options::anchored},   {'E', &Regex::Options::dollar_end},
    {'G', &Regex::Options::ungreedy},
};

constexpr std::pair<char, Buffer> kBufferFlags[] = {
    {'U', Buffer::kHttpUri},         {'I', Buffer::kHttpUriRaw},
    {'P', Buffer::kHttpRequestBody}, {'Q', Buffer::kHttpResponseBody},
    {'H', Buffer::kHttpHeader},      {'D', Buffer::kHttpHeaderRaw},
    {'M', Buffer::kHttpMethod},      {'C', Buffer::kHttpCookie},
    {'S', Buffer::kHttpStatusCode},  {'Y', Buffer::kHttpStatusMessage},
    {'V', Buffer::kHttpUserAgent},   {'W', Buffer::kHttpHost},
    {'Z', Buffer::kHttpHostRaw},
};

Result<> read_pcre_flag(char flag, PcreFlags& out) {
  for (const auto& [letter, option] : kOptionFlags) {
    if (letter == flag) {
      out.options.*option = true;
      return {};
    }
  }
  for (const auto& [letter, buffer] : kBufferFlags) {
    if (letter != flag) continue;
    if (out.buffer && *out.buffer != buffer) return fail("flags of two buffers");
    out.buffer = buffer;
    return {};
  }
  if (flag == 'R') {
    out.relative = true;
    return {};
  }
  // B: raw bytes, which is what there is. O: other limits, of which there is one set here.
  if (flag == 'B' || flag == 'O') return {};
  return fail(std::string("flag '") + flag + "' is not supported");
}

// [!]"/pattern/flags"; as in Suricata the quotes may be missing.
Result<std::string_view> pattern_text(std::string_view value, bool& negated) {
  negated = value.starts_with('!');
  const std::string_view text = trimmed_option(value.substr(negated ? 1 : 0));
  if (text.starts_with('/')) return text;
  return negatable_quoted(value, negated);
}

// Of the bytes that the next match looks at.
BufferForm form_here(const RuleDraft& draft) {
  if (!draft.sticky || draft.in_base64) return {};
  const RulePart& part = draft.rule.parts[*draft.sticky];
  return form_of(part.buffer, part.transforms);
}

Result<> apply_pcre(RuleDraft& draft, std::string_view value) {
  bool negated = false;
  SLUICE_TRY(const std::string_view text, pattern_text(value, negated));
  const size_t last = text.rfind('/');
  if (!text.starts_with('/') || last == 0) return fail("needs /pattern/flags");
  PcreFlags flags;
  std::string_view letters = text.substr(last + 1);
  if (letters.find(',') != std::string_view::npos) return fail("captures are not supported");
  for (const char flag : letters) SLUICE_TRY_VOID(read_pcre_flag(flag, flags));
  const std::string_view pattern = text.substr(1, last - 1);
  SLUICE_TRY(Regex regex, Regex::compile(pattern, flags.options));
  if (!negated && !flags.options.caseless && !flags.options.extended)
    SLUICE_TRY_VOID(
        check_regex(pattern, flags.buffer ? form_of(*flags.buffer, {}) : form_here(draft)));
  if (flags.buffer && draft.in_base64) return fail("a buffer's flag does not go with base64_data");
  SLUICE_TRY_VOID(draft.add(Pcre{std::move(regex), negated, flags.relative}));
  return flags.buffer ? move_added(draft, *flags.buffer) : Result<>{};
}

Result<Content*> content_before(RuleDraft& draft) {
  Content* content = draft.last_content();
  if (content == nullptr) return fail("no content before it");
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

// A content that cannot fit is a mistake, not a rule.
bool is_smaller(const Operand& limit, size_t length) {
  return !limit.variable && limit.value < static_cast<int64_t>(length);
}

Result<> apply_offset(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  if (content->starts) return fail("does not go with startswith");
  SLUICE_TRY(content->offset, operand(draft, value, 0, kPositionMax));
  content->positioned = true;
  return {};
}

Result<> apply_depth(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  if (content->starts) return fail("does not go with startswith");
  SLUICE_TRY(content->depth, operand(draft, value, 1, kPositionMax));
  if (is_smaller(*content->depth, content->bytes.size()))
    return fail("smaller than the content itself");
  content->positioned = true;
  return {};
}

Result<> apply_distance(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->distance, operand(draft, value, -kDistanceMax, kDistanceMax));
  content->relative = true;
  return {};
}

Result<> apply_within(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(Content * content, content_before(draft));
  SLUICE_TRY(content->within, operand(draft, value, 1, kDistanceMax));
  if (is_smaller(*content->within, content->bytes.size()))
    return fail("smaller than the content itself");
  content->relative = true;
  return {};
}

Result<> apply_startswith(RuleDraft& draft, std::string_view) {
  SLUICE_TRY(Content * content, content_before(draft));
  if (content->positioned) return fail("does not go with offset or depth");
  content->depth = Operand{static_cast<int64_t>(content->bytes.size()), {}};
  content->positioned = content->starts = true;
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
  for (const RulePart& part : draft.rule.parts) {
    for (const BufferMatch& match : part.matches) {
      const auto* other = std::get_if<Content>(&match);
      if (other != nullptr && other->fast_pattern) return fail("more than one in the rule");
    }
  }
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

class PayloadSize final : public Condition {
 public:
  PayloadSize(const SizeRange& range, bool negated) : range_(range), negated_(negated) {}
  // As in Suricata, "another size than" asks for a payload.
  bool holds(const RuleContext& context) const override {
    const size_t size = context.view.payload.size();
    return range_.contains(size) && !(negated_ && size == 0);
  }
  bool about_packet() const override { return true; }

 private:
  const SizeRange range_;
  const bool negated_;
};

Result<> apply_dsize(RuleDraft& draft, std::string_view value) {
  SLUICE_TRY(const SizeRange range, size_range(value, kPositionMax));
  draft.rule.conditions.push_back(std::make_shared<PayloadSize>(range, value.starts_with('!')));
  if (!range.outside) draft.payload_size_max = std::min(draft.payload_size_max, range.most);
  return {};
}

constexpr Keyword kKeywords[] = {
    {"content", KeywordValue::kRequired, apply_content, "these bytes occur; ! : they do not"},
    {"uricontent", KeywordValue::kRequired, apply_uricontent, "content of http.uri"},
    {"nocase", KeywordValue::kNone, apply_nocase, "the content in any case"},
    {"offset", KeywordValue::kRequired, apply_offset, "the content begins there or later"},
    {"depth", KeywordValue::kRequired, apply_depth, "the content lies within so many bytes"},
    {"distance", KeywordValue::kRequired, apply_distance, "the content follows the match before"},
    {"within", KeywordValue::kRequired, apply_within, "... within so many bytes"},
    {"startswith", KeywordValue::kNone, apply_startswith, "the content is the beginning"},
    {"endswith", KeywordValue::kNone, apply_endswith, "the content is the end"},
    {"rawbytes", KeywordValue::kNone, apply_rawbytes, "nothing: bytes are always raw"},
    {"fast_pattern", KeywordValue::kOptional, apply_fast_pattern,
     "the content to search for first"},
    {"pcre", KeywordValue::kRequired, apply_pcre,
     "the regular expression matches; ! : it does not"},
    {"dsize", KeywordValue::kRequired, apply_dsize, "the size of the packet's payload"},
};

constexpr Keyword kSticky = {{}, KeywordValue::kNone, apply_sticky, {}};
constexpr Keyword kModifier = {{}, KeywordValue::kNone, apply_modifier, {}};
constexpr Keyword kTransform = {{}, KeywordValue::kOptional, apply_transform, {}};

}  // namespace

std::span<const Keyword> payload_keywords() { return kKeywords; }

const Keyword* find_buffer_keyword(std::string_view name) {
  if (find_buffer(name) != nullptr) return &kSticky;
  if (find_buffer_of_modifier(name) != nullptr) return &kModifier;
  return is_transform(name) ? &kTransform : nullptr;
}

}  // namespace sluice::inspect
