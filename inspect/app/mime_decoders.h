// SPDX-License-Identifier: Apache-2.0
// The two encodings of mail bodies (RFC 2045, 6.7 and 6.8), decoded while they pass by, however
// they are cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::inspect {

class Base64Decoder {
 public:
  // Appends what it can. What is no letter of base64 is passed over, as mail programs do. False:
  // there was such a thing.
  bool decode(std::string_view text, std::string& out);

 private:
  uint32_t bits_ = 0;
  uint8_t letters_ = 0;  // in bits_
};

class QuotedPrintableDecoder {
 public:
  // A part of a line, without its end. False: an escape that is none; it stays as it is.
  bool decode(std::string_view text, std::string& out);
  // The line ends here; true: the text's line does too, otherwise '=' has joined it with the next.
  bool end_line(std::string& out);

 private:
  enum class State : uint8_t { kText, kEscape, kSecondDigit };

  State state_ = State::kText;
  size_t blanks_ = 0;  // behind a '='
  char first_ = 0;     // digit of an escape
};

// The value of a hexadecimal digit; -1: it is none.
int hex_value(char c);

}  // namespace sluice::inspect
