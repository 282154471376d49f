// SPDX-License-Identifier: Apache-2.0
// Builds ClientHellos for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::inspect::tls::testing {

inline std::string be16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string with_length16(const std::string& text) { return be16(text.size()) + text; }
inline std::string with_length8(const std::string& text) {
  return std::string(1, static_cast<char>(text.size())) + text;
}

inline std::string list_of(const std::vector<uint16_t>& values) {
  std::string text;
  for (const uint16_t value : values) text += be16(value);
  return text;
}

struct HelloParts {
  uint16_t version = 0x0303;
  std::vector<uint16_t> ciphers = {0x1301};
  std::vector<std::pair<uint16_t, std::string>> extensions;
  bool extension_block = true;

  HelloParts& add(uint16_t type, const std::string& body = {}) {
    extensions.emplace_back(type, body);
    return *this;
  }
  HelloParts& add_all(const std::vector<uint16_t>& types) {
    for (const uint16_t type : types) add(type);
    return *this;
  }
  HelloParts& server_name(const std::string& name) {
    return add(0, with_length16(std::string(1, '\0') + with_length16(name)));
  }
  HelloParts& alpn(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) list += with_length8(name);
    return add(16, with_length16(list));
  }
  HelloParts& supported_versions(const std::vector<uint16_t>& versions) {
    return add(43, with_length8(list_of(versions)));
  }
  HelloParts& signature_algorithms(const std::vector<uint16_t>& algorithms) {
    return add(13, with_length16(list_of(algorithms)));
  }

  // The handshake message.
  std::string message() const {
    std::string body = be16(version) + std::string(32, 'r') + with_length8(std::string(32, 's'));
    body += with_length16(list_of(ciphers)) + with_length8(std::string(1, '\0'));
    std::string list;
    for (const auto& [type, content] : extensions) list += be16(type) + with_length16(content);
    if (extension_block) body += with_length16(list);
    return std::string("\x01") + static_cast<char>(body.size() >> 16) + be16(body.size() & 0xffff) +
           body;
  }
};

// The message in records of at most `size` bytes.
inline std::string records(std::string_view message, size_t size = 16384) {
  std::string out;
  for (; !message.empty(); message.remove_prefix(std::min(size, message.size())))
    out += std::string("\x16\x03\x01") + with_length16(std::string(message.substr(0, size)));
  return out;
}

}  // namespace sluice::inspect::tls::testing
