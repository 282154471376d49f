// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/mime_header.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "inspect/app/mime_decoders.h"

namespace sluice::inspect {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Takes a parameter's value off `text`: in quotes or up to the next ";".
std::string take_value(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  std::string value;
  if (!text.starts_with('"')) {
    const std::string_view plain = text.substr(0, text.find(';'));
    text.remove_prefix(plain.size());
    return std::string(trimmed(plain));
  }
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; i++) {
    if (text[i] == '\\' && i + 1 < text.size()) i++;
    value += text[i];
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  return value;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); i++) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                        hex_value(text[i + 2]) >= 0;
    if (escape) {
      decoded += static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// UTF-8'en'the%20value
std::string extended(std::string_view value, bool first) {
  const size_t charset = first ? value.find('\'') : std::string_view::npos;
  const size_t language =
      charset == std::string_view::npos ? charset : value.find('\'', charset + 1);
  if (language != std::string_view::npos) value.remove_prefix(language + 1);
  return percent_decoded(value);
}

// =?utf-8?Q?some_text?= at the beginning of `text`; false: there is none.
bool take_word(std::string_view& text, std::string& out) {
  if (!text.starts_with("=?")) return false;
  const size_t charset = text.find('?', 2);
  if (charset == std::string_view::npos || text.substr(charset).size() < 3) return false;
  const char encoding = static_cast<char>(text[charset + 1] | 0x20);
  const size_t end = text.find("?=", charset + 3);
  if (text[charset + 2] != '?' || end == std::string_view::npos) return false;
  if (encoding != 'b' && encoding != 'q') return false;
  std::string encoded(text.substr(charset + 3, end - charset - 3));
  if (encoding == 'b') {
    Base64Decoder().decode(encoded, out);
  } else {
    std::ranges::replace(encoded, '_', ' ');
    QuotedPrintableDecoder decoder;
    decoder.decode(encoded, out);
    decoder.end_line(out);
  }
  text.remove_prefix(end + 2);
  return true;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
  return lower;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::string mime_value(std::string_view header_value) {
  std::string_view value = trimmed(header_value.substr(0, header_value.find_first_of(";(")));
  if (value.size() > 1 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  return lower_case(value);
}

std::string mime_words(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t begin = std::min(text.find("=?"), text.size());
    // Blanks between two words are not part of the text.
    if (out.empty() || trimmed(text.substr(0, begin)) != "") out += text.substr(0, begin);
    text.remove_prefix(begin);
    if (!take_word(text, out) && !text.empty()) {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string mime_parameter(std::string_view text, std::string_view name) {
  std::map<size_t, std::string> pieces;
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    text.remove_prefix(1);  // ";"
    const size_t end = text.find_first_of(";=");
    std::string key = lower_case(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end);
    if (text.front() == ';') continue;
    text.remove_prefix(1);
    std::string value = take_value(text);
    if (!key.starts_with(name)) continue;
    key.erase(0, name.size());
    const bool encoded = key.ends_with('*');
    if (encoded) key.pop_back();
    size_t number = 0;
    if (!key.empty()) {
      const char* const last = key.data() + key.size();
      if (key[0] != '*' || std::from_chars(key.data() + 1, last, number).ptr != last) continue;
    }
    if (number >= kMimePiecesMax) continue;
    pieces.emplace(number, encoded ? extended(value, number == 0) : std::move(value));
  }
  std::string whole;
  for (const auto& [number, piece] : pieces) whole += piece;
  whole.resize(std::min(whole.size(), kMimeValueMax));
  return whole;
}

}  // namespace sluice::inspect
