// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/json_line.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::inspect {
namespace {

bool plain(uint8_t c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// Whether eight characters are plain, all at once: a bit of `odd` is set for each that is not (and
// maybe for others behind one).
bool plain8(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x80 * kOnes;
  uint64_t eight = 0;
  std::memcpy(&eight, text, sizeof(eight));
  const auto zeros = [](uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  const uint64_t odd = (eight - 0x20 * kOnes) | eight | (eight + kOnes) |
                       zeros(eight ^ '"' * kOnes) | zeros(eight ^ '\\' * kOnes);
  return (odd & kHigh) == 0;
}

// Copies the characters up to the first one that does not stand for itself; so many are they.
size_t copy_plain(char* to, std::string_view text) {
  const size_t size = text.size();
  size_t at = 0;
  for (; at + 8 <= size && plain8(text.data() + at); at += 8)
    std::memcpy(to + at, text.data() + at, 8);
  if (size - at < 8 && size >= 8 && plain8(text.data() + size - 8)) {  // some of them once more
    std::memcpy(to + size - 8, text.data() + size - 8, 8);
    return size;
  }
  for (; at < size && plain(static_cast<uint8_t>(text[at])); at++) to[at] = text[at];
  return at;
}

constexpr size_t kDigitsMax = 24;
// A character at its worst: \u001f.
constexpr size_t kEscapedMax = 6;

char* copy(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* escape(char* at, uint8_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      return copy(at, "\\\"");
    case '\\':
      return copy(at, "\\\\");
    case '\n':
      return copy(at, "\\n");
    case '\r':
      return copy(at, "\\r");
    case '\t':
      return copy(at, "\\t");
    default:
      at = copy(at, "\\u00");
      *at++ = kHex[c >> 4];
      *at++ = kHex[c & 15];
      return at;
  }
}

// Lowest and highest second byte after `first` (RFC 3629 section 4): no overlong forms, no
// surrogates, nothing above U+10FFFF.
bool second_byte_ok(uint8_t first, uint8_t second) {
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}

// Room that a string takes at most; longer ones are cut.
size_t quoted_max(std::string_view text) {
  return kEscapedMax * std::min(text.size(), kJsonStringMax) + 2;
}

// Writes it as JSON does; where that ends.
char* quoted(char* at, std::string_view text) {
  const size_t end = std::min(text.size(), kJsonStringMax);
  *at++ = '"';
  for (size_t i = 0; i < end;) {
    const size_t run = copy_plain(at, text.substr(i, end - i));
    at += run;
    i += run;
    if (i == end) break;
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x80) {
      at = escape(at, c);
      i++;
      continue;
    }
    const size_t length = utf8_length(text.substr(i));
    if (length != 0 && i + length > end) break;
    at = copy(at, length == 0 ? "\xef\xbf\xbd" : text.substr(i, length));
    i += length == 0 ? 1 : length;
  }
  *at++ = '"';
  return at;
}

template <class Number>
char* digits(char* at, Number value) {
  return std::to_chars(at, at + kDigitsMax, value).ptr;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                        : first >= 0xe0 && first <= 0xef ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
  if (length == 0 || text.size() < length || !second_byte_ok(first, at(1))) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

void JsonLine::grow(size_t characters) { text_.resize(2 * text_.size() + characters); }

void JsonLine::put(std::string_view text) { advance_to(copy(room(text.size()), text)); }

void JsonLine::begin() {
  length_ = 0;
  put('{');
}

std::string_view JsonLine::finish() {
  put("}\n");
  return {text_.data(), length_};
}

void JsonLine::comma() {
  if (text_[length_ - 1] != '{' && text_[length_ - 1] != '[') put(',');
}

// What stands before a value; behind it there is room for so many characters.
char* JsonLine::name(JsonKey key, size_t characters) {
  comma();
  const std::string_view text = key.text();
  char* at = room(quoted_max(text) + 1 + characters);
  if (key.is_plain()) {
    *at++ = '"';
    at = copy(at, text);
    *at++ = '"';
  } else {
    at = quoted(at, text);
  }
  *at++ = ':';
  return at;
}

void JsonLine::string(JsonKey key, std::string_view value) {
  advance_to(quoted(name(key, quoted_max(value)), value));
}

void JsonLine::number(JsonKey key, int64_t value) {
  advance_to(digits(name(key, kDigitsMax), value));
}

void JsonLine::unsigned_number(JsonKey key, uint64_t value) {
  advance_to(digits(name(key, kDigitsMax), value));
}

void JsonLine::base64(JsonKey key, std::span<const uint8_t> bytes) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  bytes = bytes.first(std::min(bytes.size(), kJsonBytesMax));
  char* out = name(key, bytes.size() / 3 * 4 + 6);
  *out++ = '"';
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const auto group = bytes.subspan(at, std::min<size_t>(3, bytes.size() - at));
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++) bits = bits << 8 | (i < group.size() ? group[i] : 0u);
    for (size_t i = 0; i < 4; i++)
      *out++ = i <= group.size() ? kLetters[bits >> (18 - 6 * i) & 63] : '=';
  }
  *out++ = '"';
  advance_to(out);
}

void JsonLine::boolean(JsonKey key, bool value) {
  const std::string_view text = value ? "true" : "false";
  advance_to(copy(name(key, text.size()), text));
}

void JsonLine::members(std::string_view text) {
  if (text.empty()) return;
  comma();
  put(text);
}

void JsonLine::open(JsonKey key) { advance_to(copy(name(key, 1), "{")); }

void JsonLine::close() { put('}'); }

void JsonLine::open_array(JsonKey key) { advance_to(copy(name(key, 1), "[")); }

void JsonLine::element(std::string_view value) {
  comma();
  advance_to(quoted(room(quoted_max(value)), value));
}

void JsonLine::number_element(int64_t value) {
  comma();
  advance_to(digits(room(kDigitsMax), value));
}

void JsonLine::element_open() {
  comma();
  put('{');
}

void JsonLine::close_array() { put(']'); }

}  // namespace sluice::inspect
