// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/buffer_form.h"

#include <algorithm>
#include <optional>
#include <string>

namespace sluice::inspect {
namespace {

using Letters = BufferForm::Letters;
using Blanks = BufferForm::Blanks;
using Shape = BufferForm::Shape;

constexpr size_t kMd5Text = 32;
constexpr size_t kSha1Pairs = 59;
constexpr size_t kJa4Text = 36;

constexpr BufferForm kMd5{Letters::kLower, true, Blanks::kAny, Shape::kHex, kMd5Text};

constexpr struct {
  Buffer buffer;
  BufferForm form;
} kForms[] = {
    {Buffer::kHttpMethod, {.blanks = Blanks::kNotAtTheEnds}},
    {Buffer::kHttpProtocol, {.blanks = Blanks::kNone}},
    {Buffer::kHttpHost, {.letters = Letters::kLower}},
    {Buffer::kTlsCertSerial, {Letters::kUpper, true, Blanks::kAny, Shape::kHexPairs}},
    {Buffer::kTlsCertFingerprint,
     {Letters::kLower, true, Blanks::kAny, Shape::kHexPairs, kSha1Pairs}},
    {Buffer::kTlsRandom, {.size_max = 32}},
    {Buffer::kTlsRandomTime, {.size_max = 4}},
    {Buffer::kTlsRandomBytes, {.size_max = 28}},
    {Buffer::kJa3Hash, kMd5},
    {Buffer::kJa3sHash, kMd5},
    {Buffer::kJa4Hash, {.size_max = kJa4Text}},
    {Buffer::kSshHassh, kMd5},
    {Buffer::kSshHasshServer, kMd5},
};

BufferForm after(BufferForm form, const Transform& transform) {
  using Kind = Transform::Kind;
  switch (transform.kind) {
    case Kind::kToLowercase:
    case Kind::kToUppercase:
      form.letters = transform.kind == Kind::kToLowercase ? Letters::kLower : Letters::kUpper;
      form.letters_follow = false;
      return form;
    case Kind::kStripWhitespace:
      form.blanks = Blanks::kNone;
      return form;
    case Kind::kCompressWhitespace:
      form.blanks = std::max(form.blanks, Blanks::kSingle);
      return form;
    case Kind::kHeaderLowercase:
      if (form.letters == Letters::kUpper) form.letters = Letters::kAny;
      return form;
    case Kind::kDotPrefix:
      form.shape = Shape::kAny;
      if (form.size_max != SIZE_MAX) form.size_max++;
      return form;
    case Kind::kStripPseudoHeaders:
    case Kind::kDomain:
    case Kind::kTopLevelDomain:
      return form;
    case Kind::kMd5:
      return {.size_max = 16};
    case Kind::kSha1:
      return {.size_max = 20};
    case Kind::kSha256:
      return {.size_max = 32};
    case Kind::kUrlDecode:
    case Kind::kFromBase64:
    case Kind::kXor:
      return {.size_max = form.size_max};
  }
  return {};
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_hex(char c) { return hex_digit(c) >= 0; }

// Whether the text is part of "aa:bb:cc...".
bool is_of_pairs(std::string_view text) {
  for (size_t colon = 0; colon < 3; colon++) {
    size_t i = 0;
    while (i < text.size() && (i % 3 == colon ? text[i] == ':' : is_hex(text[i]))) i++;
    if (i == text.size()) return true;
  }
  return false;
}

bool has_shape(std::string_view text, Shape shape) {
  if (shape == Shape::kHexPairs) return is_of_pairs(text);
  return shape == Shape::kAny || std::ranges::all_of(text, is_hex);
}

bool has_blanks(std::string_view text, Blanks blanks) {
  switch (blanks) {
    case Blanks::kAny:
      return true;
    case Blanks::kNotAtTheEnds:
      return !is_blank(text.front()) && !is_blank(text.back());
    case Blanks::kSingle:
      return std::ranges::adjacent_find(
                 text, [](char a, char b) { return is_blank(a) && is_blank(b); }) == text.end();
    case Blanks::kNone:
      return std::ranges::none_of(text, is_blank);
  }
  return true;
}

// Bytes that are no letters have no case.
bool has_letters(const Content& content, Letters letters) {
  if (content.nocase || letters == Letters::kAny) return true;
  return std::ranges::none_of(content.bytes, letters == Letters::kLower ? is_upper : is_lower);
}

void follow_letters(Content& content, const BufferForm& form) {
  if (!form.letters_follow || content.nocase) return;
  for (char& c : content.bytes) {
    if (form.letters == Letters::kLower ? is_upper(c) : is_lower(c))
      c = static_cast<char>(c ^ 0x20);
  }
}

// What the content is that the buffer never is; nothing: it may be there.
std::optional<std::string> fault(const Content& content, const BufferForm& form) {
  if (!has_letters(content, form.letters)) {
    return form.letters == Letters::kLower ? "has capitals where all letters are lower case"
                                           : "has lower-case letters where all are capitals";
  }
  if (!has_blanks(content.bytes, form.blanks)) {
    return form.blanks == Blanks::kNone     ? "has blanks where there are none"
           : form.blanks == Blanks::kSingle ? "has blanks in a row where there are none"
                                            : "begins or ends with a blank where nothing does";
  }
  if (!has_shape(content.bytes, form.shape))
    return form.shape == Shape::kHex ? "is not of hex digits"
                                     : "is not of pairs of hex digits with colons between";
  if (content.bytes.size() > form.size_max)
    return "has more than " + std::to_string(form.size_max) + " bytes, which is all there ever is";
  return std::nullopt;
}

// The fewest bytes that a buffer with a match of this content has, if the match before it ends no
// earlier than at `before`.
size_t needed(const Content& content, size_t before) {
  const auto size = static_cast<int64_t>(content.bytes.size());
  const Operand& place = content.relative ? content.distance : content.offset;
  const int64_t from =
      (content.relative ? static_cast<int64_t>(before) : 0) + (place.variable ? 0 : place.value);
  // A variable may lead back.
  const bool known = !(content.relative && place.variable);
  return static_cast<size_t>(known ? std::max(size, from + size) : size);
}

// The most bytes that the sizes in the part allow.
size_t size_limit(const RulePart& part, size_t most) {
  for (const BufferMatch& match : part.matches) {
    const auto* const size = std::get_if<BufferSize>(&match);
    if (size != nullptr && !size->range.outside) most = std::min<size_t>(most, size->range.most);
  }
  return most;
}

Result<> check_sizes(const RulePart& part, size_t most) {
  for (const BufferMatch& match : part.matches) {
    const auto* const size = std::get_if<BufferSize>(&match);
    if (size != nullptr && !size->range.outside && size->range.least > most)
      return fail("sizes of which no buffer has both");
  }
  size_t before = 0;
  for (const BufferMatch& match : part.matches) {
    const auto* const content = std::get_if<Content>(&match);
    // What else moves the place may move it back.
    if (content == nullptr) before = 0;
    if (content == nullptr || content->negated) continue;
    before = needed(*content, before);
    if (before > most)
      return fail("content that ends at byte " + std::to_string(before) +
                  " or later never is in a buffer of at most " + std::to_string(most) + " bytes");
  }
  return {};
}

std::string shown(std::string_view bytes) {
  std::string out(bytes);
  std::ranges::replace_if(
      out, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '.');
  return out;
}

// Where the class that begins at `at` ends.
size_t class_end(std::string_view pattern, size_t at) {
  at++;
  if (at < pattern.size() && pattern[at] == '^') at++;
  if (at < pattern.size() && pattern[at] == ']') at++;
  while (at < pattern.size() && pattern[at] != ']') {
    const size_t named =
        pattern.substr(at).starts_with("[:") ? pattern.find(":]", at + 2) : std::string_view::npos;
    if (named != std::string_view::npos)
      at = named + 2;
    else
      at += pattern[at] == '\\' ? 2 : 1;
  }
  return at;
}

// Whether a match surely has a capital that the pattern names. Not sure: alternatives, what may be
// missing, and what changes or names things.
bool asks_for_capital(std::string_view pattern) {
  bool asks = false;
  for (size_t i = 0; i < pattern.size(); i++) {
    const std::string_view rest = pattern.substr(i);
    const char next = rest.size() > 1 ? rest[1] : '\0';
    if (rest[0] == '|' || rest.starts_with("(*")) return false;
    if (rest.starts_with("(?") && !rest.starts_with("(?:")) return false;
    if (rest[0] == '\\') {
      if (std::string_view("pPkgcNQx").find(next) != std::string_view::npos) return false;
      i++;
    } else if (rest[0] == '[') {
      i = class_end(pattern, i);
    } else if (rest[0] == ')') {
      if (std::string_view("?*{").find(next) != std::string_view::npos && next != '\0')
        return false;
    } else if (is_upper(rest[0])) {
      asks |= next == '\0' || std::string_view("?*{").find(next) == std::string_view::npos;
    }
  }
  return asks;
}

}  // namespace

BufferForm form_of(Buffer buffer, std::span<const Transform> transforms) {
  const auto* const found =
      std::ranges::find_if(kForms, [&](const auto& entry) { return entry.buffer == buffer; });
  BufferForm form = found == std::end(kForms) ? BufferForm{} : found->form;
  for (const Transform& transform : transforms) form = after(form, transform);
  return form;
}

Result<> fit_contents(RulePart& part, uint32_t size_max) {
  const BufferForm form = form_of(part.buffer, part.transforms);
  const std::string name(info_of(part.buffer).name);
  for (BufferMatch& match : part.matches) {
    auto* const content = std::get_if<Content>(&match);
    if (content == nullptr) continue;
    follow_letters(*content, form);
    if (const auto what = fault(*content, form))
      return fail(name + ": content '" + shown(content->bytes) + "' " + *what);
  }
  const auto fits = check_sizes(part, size_limit(part, size_max));
  return fits ? Result<>{} : fail(name + ": " + fits.error().text());
}

Result<> check_regex(std::string_view pattern, const BufferForm& form) {
  if (form.letters != Letters::kLower || !asks_for_capital(pattern)) return {};
  return fail("asks for a capital where all letters are lower case");
}

}  // namespace sluice::inspect
