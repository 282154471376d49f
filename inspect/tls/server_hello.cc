// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/server_hello.h"

#include <algorithm>

#include "tunnels/bytes.h"

namespace sluice::inspect::tls {
namespace {

using tunnels::Reader;

constexpr uint8_t kHandshakeServerHello = 2;
constexpr size_t kRandomLength = 32;
constexpr uint16_t kVersionTls13 = 0x0304;
constexpr uint16_t kDraft = 0x7f00;                  // and its number
constexpr uint16_t kDraftWithOldForm = 0x7f00 + 22;  // from it on the hello has TLS 1.2's form

// The random of a HelloRetryRequest: the SHA-256 of that word.
constexpr uint8_t kRetryRandom[kRandomLength] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

void read_extension(uint16_t type, std::span<const uint8_t> body, ServerHello& hello) {
  Reader reader(body);
  if (type == kExtensionSupportedVersions) {
    const uint16_t version = reader.be16();
    if (reader.ok()) hello.version = version;
  } else if (type == kExtensionPreSharedKey) {
    hello.pre_shared_key = true;
  } else if (type == kExtensionAlpn) {
    auto names = reader.bytes(reader.be16());
    hello.alpn = next_alpn(names);
  }
}

Result<ServerHello, HelloFault> read_extensions(Reader body, ServerHello hello) {
  if (body.remaining() == 0) return hello;
  Reader list(body.bytes(body.be16()));
  if (!body.ok()) return tl::make_unexpected(HelloFault::kTruncated);
  if (body.remaining() != 0) return tl::make_unexpected(HelloFault::kTrailingBytes);
  while (list.remaining() != 0) {
    const uint16_t type = list.be16();
    const auto extension = list.bytes(list.be16());
    if (!list.ok()) return tl::make_unexpected(HelloFault::kTruncated);
    if (hello.extensions < kHelloExtensionsMax) hello.extension_types[hello.extensions++] = type;
    read_extension(type, extension, hello);
  }
  return hello;
}

}  // namespace

Result<ServerHello, HelloFault> read_server_hello(std::span<const uint8_t> message) {
  Reader reader(message);
  const uint8_t type = reader.u8();
  if (reader.ok() && type != kHandshakeServerHello)
    return tl::make_unexpected(HelloFault::kNotAHello);
  const uint32_t length = reader.be24();
  if (reader.ok() && length > kHelloLengthMax) return tl::make_unexpected(HelloFault::kTooLong);
  Reader body(reader.bytes(length));
  ServerHello hello{};
  hello.legacy_version = hello.version = body.be16();
  hello.random = body.bytes(kRandomLength);
  const bool old_draft = hello.version >= kDraft && hello.version < kDraftWithOldForm;
  if (!old_draft) hello.session_id = body.bytes(body.u8());
  hello.cipher = body.be16();
  if (!old_draft) body.u8();  // compression
  if (!reader.ok() || !body.ok()) return tl::make_unexpected(HelloFault::kTruncated);
  hello.retry = std::ranges::equal(hello.random, kRetryRandom);
  return read_extensions(body, hello);
}

std::string version_text(uint16_t version) {
  switch (version) {
    case 0:
      return "UNDETERMINED";
    case 0x0002:
      return "SSLv2";
    case 0x0300:
      return "SSLv3";
    case 0x0301:
      return "TLSv1";
    case 0x0302:
      return "TLS 1.1";
    case 0x0303:
      return "TLS 1.2";
    case kVersionTls13:
      return "TLS 1.3";
    default:
      break;
  }
  if ((version & 0xff00) == kDraft) return "TLS 1.3 draft-" + std::to_string(version & 0xff);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 12; shift >= 0; shift -= 4) text += kHex[version >> shift & 15];
  return text;
}

bool is_tls13(uint16_t version) { return version == kVersionTls13 || (version & 0xff00) == kDraft; }

}  // namespace sluice::inspect::tls
