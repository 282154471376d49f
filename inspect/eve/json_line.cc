// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/json_line.h"

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

// Where the characters from `at` on that stand for themselves end.
size_t plain_end(std::string_view text, size_t at, size_t end) {
  while (at + 8 <= end && plain8(text.data() + at)) at += 8;
  while (at < end && plain(static_cast<uint8_t>(text[at]))) at++;
  return at;
}

template <class Number>
void append_number(std::string& text, Number value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  text.append(digits, end.ptr);
}

void append_escaped(std::string& text, uint8_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      text += "\\\"";
      return;
    case '\\':
      text += "\\\\";
      return;
    case '\n':
      text += "\\n";
      return;
    case '\r':
      text += "\\r";
      return;
    case '\t':
      text += "\\t";
      return;
    default:
      text += "\\u00";
      text += kHex[c >> 4];
      text += kHex[c & 15];
  }
}

// Lowest and highest second byte after `first` (RFC 3629 section 4): no overlong forms, no
// surrogates, nothing above U+10FFFF.
bool second_byte_ok(uint8_t first, uint8_t second) {
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
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

void JsonLine::begin() { text_.assign("{"); }

std::string_view JsonLine::finish() {
  text_ += "}\n";
  return text_;
}

void JsonLine::comma() {
  if (text_.back() != '{' && text_.back() != '[') text_ += ',';
}

void JsonLine::name(std::string_view key) {
  comma();
  quote(key);
  text_ += ':';
}

void JsonLine::quote(std::string_view text) {
  text_ += '"';
  const size_t end = text.size() < kJsonStringMax ? text.size() : kJsonStringMax;
  for (size_t i = 0; i < end;) {
    const size_t run = plain_end(text, i, end);
    text_.append(text.substr(i, run - i));
    if (run == end) break;
    i = run;
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x80) {
      append_escaped(text_, c);
      i++;
      continue;
    }
    const size_t length = utf8_length(text.substr(i));
    if (length != 0 && i + length > end) break;
    text_.append(length == 0 ? "\xef\xbf\xbd" : text.substr(i, length));
    i += length == 0 ? 1 : length;
  }
  text_ += '"';
}

void JsonLine::string(std::string_view key, std::string_view value) {
  name(key);
  quote(value);
}

void JsonLine::number(std::string_view key, int64_t value) {
  name(key);
  append_number(text_, value);
}

void JsonLine::unsigned_number(std::string_view key, uint64_t value) {
  name(key);
  append_number(text_, value);
}

void JsonLine::base64(std::string_view key, std::span<const uint8_t> bytes) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  bytes = bytes.first(std::min(bytes.size(), kJsonBytesMax));
  name(key);
  text_ += '"';
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const auto group = bytes.subspan(at, std::min<size_t>(3, bytes.size() - at));
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++) bits = bits << 8 | (i < group.size() ? group[i] : 0u);
    for (size_t i = 0; i < 4; i++)
      text_ += i <= group.size() ? kLetters[bits >> (18 - 6 * i) & 63] : '=';
  }
  text_ += '"';
}

void JsonLine::boolean(std::string_view key, bool value) {
  name(key);
  text_ += value ? "true" : "false";
}

void JsonLine::members(std::string_view text) {
  if (text.empty()) return;
  comma();
  text_ += text;
}

void JsonLine::open(std::string_view key) {
  name(key);
  text_ += '{';
}

void JsonLine::close() { text_ += '}'; }

void JsonLine::open_array(std::string_view key) {
  name(key);
  text_ += '[';
}

void JsonLine::element(std::string_view value) {
  comma();
  quote(value);
}

void JsonLine::number_element(int64_t value) {
  comma();
  append_number(text_, value);
}

void JsonLine::element_open() {
  comma();
  text_ += '{';
}

void JsonLine::close_array() { text_ += ']'; }

}  // namespace sluice::inspect
