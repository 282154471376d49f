// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/ja3.h"

#include <openssl/evp.h>

#include <charconv>

#include "tunnels/integers.h"

namespace sluice::inspect::tls {
namespace {

// Numbers with '-' between them.
class List {
 public:
  explicit List(std::string& text) : text_(text) {}
  void add(unsigned value) {
    if (!empty_) text_ += '-';
    empty_ = false;
    char digits[12];
    text_.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }

 private:
  std::string& text_;
  bool empty_ = true;
};

void add_pairs(std::string& text, std::span<const uint8_t> pairs) {
  List list(text);
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const uint16_t value = tunnels::load_be16(&pairs[i]);
    if (!is_grease(value)) list.add(value);
  }
}

void add_extensions(std::string& text, std::span<const uint16_t> types) {
  List list(text);
  for (const uint16_t type : types)
    if (!is_grease(type)) list.add(type);
}

}  // namespace

std::string ja3_string(const ClientHello& hello) {
  std::string text = std::to_string(hello.version) + ",";
  add_pairs(text, hello.ciphers);
  text += ',';
  add_extensions(text, std::span(hello.extension_types).first(hello.extensions));
  text += ',';
  add_pairs(text, hello.groups);
  text += ',';
  List formats(text);
  for (const uint8_t format : hello.point_formats) formats.add(format);
  return text;
}

std::string ja3s_string(const ServerHello& hello) {
  std::string text =
      std::to_string(hello.legacy_version) + "," + std::to_string(hello.cipher) + ",";
  add_extensions(text, std::span(hello.extension_types).first(hello.extensions));
  return text;
}

std::string md5_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  SLUICE_CHECK(EVP_Digest(text.data(), text.size(), digest, &length, EVP_md5(), nullptr) == 1);
  std::string hex;
  for (unsigned i = 0; i < length; i++) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

}  // namespace sluice::inspect::tls
