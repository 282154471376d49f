// SPDX-License-Identifier: Apache-2.0
// Texts and numbers as rules write them.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tunnels/result.h"

namespace sluice::inspect {

std::string_view trimmed_option(std::string_view text);

// A whole file; `what` for messages: "rules". A pipe is refused: nobody may ever write to it, and
// who reads it again finds it empty.
Result<std::string> read_text_file(const std::string& path, size_t size_max, std::string_view what);
// The same piece by piece.
Result<> read_text_file(const std::string& path, size_t size_max, std::string_view what,
                        const std::function<Result<>(std::string_view)>& take);
// The next line, without blanks at its end.
std::string_view take_line(std::string_view& text);

// Lines that say something, each with those that it continues on (\ at the end), out of a text that
// comes in pieces. Of one that is longer than `length_max` no more than one byte beyond that is
// kept, so that it can be told.
class WholeLines {
 public:
  // Gets each with the number of its first line; an error ends the reading.
  using Take = std::function<Result<>(std::string_view text, int number)>;
  WholeLines(size_t length_max, Take take) : length_max_(length_max), take_(std::move(take)) {}

  Result<> feed(std::string_view piece);
  // There is no more.
  Result<> end();

 private:
  Result<> end_of_line();
  Result<> give();
  void keep(std::string& text, std::string_view more) const {
    text += more.substr(0, length_max_ + 1 - std::min(text.size(), length_max_ + 1));
  }

  const size_t length_max_;
  const Take take_;
  std::string whole_;  // the lines before this one that it continues
  std::string line_;
  int number_ = 1;
  int first_ = 1;  // of the whole one
};
// `"text"` without its quotes and escapes.
Result<std::string> quoted_text(std::string_view value);
// Cuts the text at the commas, parts trimmed.
std::vector<std::string_view> comma_parts(std::string_view text);
// The part up to the next `separator`, trimmed, and takes it off `rest`.
std::string_view take_part(std::string_view& rest, char separator);

// -1: none.
int hex_digit(char c);
// Pairs of hex digits, blanks between pairs.
Result<> append_hex(std::string_view text, std::string& out);
// What becomes of characters that are no base64; padding ends the text in any case.
enum class Base64Mode : uint8_t {
  kRfc2045,  // they are skipped (its section 6.8)
  kRfc4648,  // they end the text
  kStrict,   // there are none, and the text is whole; else nothing is decoded
};
// What can be decoded from the beginning.
std::vector<uint8_t> base64_decoded(std::span<const uint8_t> text,
                                    Base64Mode mode = Base64Mode::kRfc2045);

template <class Number>
Result<Number> option_number(std::string_view text, Number least, Number most) {
  Number out{};
  text = trimmed_option(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || out < least ||
      out > most)
    return fail("'" + std::string(text) + "' is not a number from " + std::to_string(least) +
                " to " + std::to_string(most));
  return out;
}

}  // namespace sluice::inspect
