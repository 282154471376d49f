// SPDX-License-Identifier: Apache-2.0
// Builds one JSON object on one line. Whatever bytes a string holds, the line is valid JSON and
// valid UTF-8: control characters are escaped, bytes that are no UTF-8 become U+FFFD.
//
//   line.begin();
//   line.string("host", hostile);
//   line.open("alert");
//   line.number("signature_id", 7);
//   line.close();
//   sink.write(line.finish());
//
// The buffer is kept between lines, so a line that is no longer than an earlier one allocates
// nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::inspect {

// A longer string is cut here (at a whole character).
inline constexpr size_t kJsonStringMax = 4096;

// More bytes are cut off; a whole IP packet is not.
inline constexpr size_t kJsonBytesMax = 65'536 + 64;

// The name of a member. One that stands in the source was looked at by the compiler, so that it
// need only be copied; others are escaped as strings are.
class JsonKey {
 public:
  template <size_t kSize>
  consteval JsonKey(const char (&text)[kSize]) : text_(text, kSize - 1), plain_(true) {
    for (const char c : text_)
      if (c < ' ' || c > '~' || c == '"' || c == '\\') this_name_must_be_escaped();
  }
  JsonKey(std::string_view text) : text_(text) {}
  JsonKey(const std::string& text) : text_(text) {}

  std::string_view text() const { return text_; }
  bool is_plain() const { return plain_; }

 private:
  static void this_name_must_be_escaped();  // what the compiler says

  std::string_view text_;
  bool plain_ = false;
};

class JsonLine {
 public:
  void begin();
  // Closes the outer object and ends the line; valid until the next begin().
  std::string_view finish();

  void string(JsonKey key, std::string_view value);
  void number(JsonKey key, int64_t value);
  void unsigned_number(JsonKey key, uint64_t value);
  // As base64; no more than kJsonBytesMax bytes of it.
  void base64(JsonKey key, std::span<const uint8_t> bytes);
  void boolean(JsonKey key, bool value);

  // Members that another line has written: "a":1,"b":{}. Empty: none.
  void members(std::string_view text);
  // What has been written so far; a later one begins with it.
  std::string_view written() const { return {text_.data(), length_}; }

  void open(JsonKey key);
  void close();
  void open_array(JsonKey key);
  void element(std::string_view value);
  void number_element(int64_t value);
  void element_open();
  void close_array();

 private:
  // Room for so many more characters; advance_to() says where they end.
  char* room(size_t characters) {
    if (text_.size() - length_ < characters) grow(characters);
    return text_.data() + length_;
  }
  void grow(size_t characters);
  void advance_to(const char* end) { length_ = static_cast<size_t>(end - text_.data()); }
  void put(std::string_view text);
  void put(char c) {
    *room(1) = c;
    length_++;
  }
  void comma();
  char* name(JsonKey key, size_t characters);

  std::string text_;  // the line, and room behind it
  size_t length_ = 0;
};

// The length of the UTF-8 character that `text` starts with (RFC 3629), 0 if it starts with none.
size_t utf8_length(std::string_view text);

}  // namespace sluice::inspect
