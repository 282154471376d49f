// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/mime_decoders.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::inspect {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 64;
constexpr uint8_t kEnd = 65;  // "=", which fills up the last four letters

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  for (size_t i = 0; i < kAlphabet.size(); i++)
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  values['='] = kEnd;
  return values;
}
constexpr std::array<uint8_t, 256> kValues = make_values();

constexpr size_t kLineMax = 76;  // RFC 2045, 6.7 (5)

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool Base64Decoder::decode(std::string_view text, std::string& out) {
  bool good = true;
  for (const char c : text) {
    const uint8_t value = kValues[static_cast<uint8_t>(c)];
    if (value == kEnd) {  // three letters make two bytes, two make one
      if (letters_ >= 2) out += static_cast<char>(bits_ >> (letters_ == 3 ? 10 : 4));
      if (letters_ == 3) out += static_cast<char>(bits_ >> 2);
      letters_ = 0;
      bits_ = 0;
      continue;
    }
    if (value == kNone) {
      good = good && is_blank(c);
      continue;
    }
    bits_ = bits_ << 6 | value;
    if (++letters_ < 4) continue;
    out += static_cast<char>(bits_ >> 16);
    out += static_cast<char>(bits_ >> 8);
    out += static_cast<char>(bits_);
    letters_ = 0;
    bits_ = 0;
  }
  return good;
}

bool QuotedPrintableDecoder::decode(std::string_view text, std::string& out) {
  bool good = true;
  for (const char c : text) {
    switch (state_) {
      case State::kText:
        if (c == '=')
          state_ = State::kEscape;
        else
          out += c;
        break;
      case State::kEscape:
        if (is_blank(c)) {  // before the line's end
          blanks_ = std::min(blanks_ + 1, kLineMax);
        } else if (hex_value(c) < 0 || blanks_ != 0) {
          good = false;
          out += '=' + std::string(std::exchange(blanks_, 0), ' ') + c;
          state_ = State::kText;
        } else {
          first_ = c;
          state_ = State::kSecondDigit;
        }
        break;
      case State::kSecondDigit:
        if (hex_value(c) < 0) {
          good = false;
          out += {'=', first_, c};
        } else {
          out += static_cast<char>(hex_value(first_) << 4 | hex_value(c));
        }
        state_ = State::kText;
        break;
    }
  }
  return good;
}

bool QuotedPrintableDecoder::end_line(std::string& out) {
  const bool joined = state_ == State::kEscape;
  blanks_ = 0;
  if (state_ == State::kSecondDigit) out += {'=', first_};
  state_ = State::kText;
  return !joined;
}

}  // namespace sluice::inspect
