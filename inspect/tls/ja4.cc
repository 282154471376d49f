// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/ja4.h"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "tunnels/integers.h"

namespace sluice::inspect::tls {

namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr size_t kHashBytes = 6;

using Values = std::vector<uint16_t>;

Values values_of(std::span<const uint8_t> pairs) {
  Values values;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const uint16_t value = tunnels::load_be16(&pairs[i]);
    if (!is_grease(value)) values.push_back(value);
  }
  return values;
}

Values extensions_of(const ClientHello& hello) {
  Values values;
  for (const uint16_t type : std::span(hello.extension_types).first(hello.extensions))
    if (!is_grease(type)) values.push_back(type);
  return values;
}

std::string version_text(uint16_t version) {
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

std::string count_text(size_t count) {
  count = std::min<size_t>(count, 99);
  return {static_cast<char>('0' + count / 10), static_cast<char>('0' + count % 10)};
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The ends of the name; of its hexadecimal form if one of them is no letter or digit.
std::string alpn_text(std::string_view alpn) {
  if (alpn.empty()) return "00";
  const char first = alpn.front();
  const char last = alpn.back();
  if (is_alphanumeric(first) && is_alphanumeric(last)) return {first, last};
  return {kHex[static_cast<uint8_t>(first) >> 4], kHex[static_cast<uint8_t>(last) & 15]};
}

// "002f,0035"
std::string joined(const Values& values) {
  std::string text;
  for (const uint16_t value : values) {
    if (!text.empty()) text += ',';
    for (int shift = 12; shift >= 0; shift -= 4) text += kHex[value >> shift & 15];
  }
  return text;
}

// The first twelve digits of the SHA-256; zeros for nothing.
std::string hash_text(const std::string& text) {
  if (text.empty()) return std::string(2 * kHashBytes, '0');
  uint8_t digest[EVP_MAX_MD_SIZE];
  SLUICE_CHECK(EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha256(), nullptr) == 1);
  std::string hex;
  for (size_t i = 0; i < kHashBytes; i++) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

}  // namespace

std::string ja4(const ClientHello& hello, Transport transport) {
  Values ciphers = values_of(hello.ciphers);
  Values extensions = extensions_of(hello);
  std::string text = transport == Transport::kQuic ? "q" : "t";
  text += version_text(highest_version(hello));
  text += hello.has_server_name ? 'd' : 'i';
  text += count_text(ciphers.size()) + count_text(extensions.size());
  text += alpn_text(hello.first_alpn);

  std::ranges::sort(ciphers);
  text += "_" + hash_text(joined(ciphers));

  std::erase(extensions, kExtensionServerName);
  std::erase(extensions, kExtensionAlpn);
  std::ranges::sort(extensions);
  std::string abilities = joined(extensions);
  const std::string algorithms = joined(values_of(hello.signature_algorithms));
  if (!algorithms.empty()) abilities += "_" + algorithms;
  return text + "_" + hash_text(abilities);
}

}  // namespace sluice::inspect::tls
