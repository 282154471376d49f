// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/client_hello.h"

#include <algorithm>

#include "tunnels/bytes.h"

namespace sluice::inspect::tls {

namespace {

using tunnels::Reader;

constexpr uint8_t kHandshakeClientHello = 1;
constexpr size_t kRandomLength = 32;
constexpr uint8_t kNameTypeHost = 0;

std::string_view text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An even number of bytes, as lists of two-byte values are.
std::span<const uint8_t> pairs(std::span<const uint8_t> bytes) {
  return bytes.first(bytes.size() & ~size_t{1});
}

void read_server_name(Reader reader, ClientHello& hello) {
  if (hello.has_server_name) hello.server_name_fault = ServerNameFault::kRepeated;
  hello.has_server_name = true;
  Reader names(reader.bytes(reader.be16()));
  const uint8_t type = names.u8();
  const auto name = names.bytes(names.be16());
  if (!names.ok() || name.empty())
    hello.server_name_fault = ServerNameFault::kLength;
  else if (type != kNameTypeHost)
    hello.server_name_fault = ServerNameFault::kType;
  else
    hello.server_name = text(name);
}

// What is malformed inside of an extension leaves its value empty: the connection may still be one
// that a server accepts.
void read_extension(uint16_t type, std::span<const uint8_t> body, ClientHello& hello) {
  Reader reader(body);
  switch (type) {
    case kExtensionServerName:
      read_server_name(reader, hello);
      return;
    case kExtensionAlpn: {
      hello.alpn = reader.bytes(reader.be16());
      auto names = hello.alpn;
      hello.first_alpn = next_alpn(names);
      return;
    }
    case kExtensionSupportedGroups:
      hello.groups = pairs(reader.bytes(reader.be16()));
      return;
    case kExtensionPointFormats:
      hello.point_formats = reader.bytes(reader.u8());
      return;
    case kExtensionSupportedVersions:
      hello.supported_versions = pairs(reader.bytes(reader.u8()));
      return;
    case kExtensionSignatureAlgorithms:
      hello.signature_algorithms = pairs(reader.bytes(reader.be16()));
      return;
    case kExtensionEncryptedHello:
    case kExtensionEncryptedServerName:
      hello.encrypted_hello = true;
      return;
    default:
      return;
  }
}

Result<ClientHello, HelloFault> read_extensions(Reader body, ClientHello hello) {
  if (body.remaining() == 0) return hello;  // a client of TLS 1.0 may send none
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

Result<ClientHello, HelloFault> read_client_hello(std::span<const uint8_t> message) {
  Reader reader(message);
  const uint8_t type = reader.u8();
  if (reader.ok() && type != kHandshakeClientHello)
    return tl::make_unexpected(HelloFault::kNotAHello);
  const uint32_t length = reader.be24();
  if (reader.ok() && length > kHelloLengthMax) return tl::make_unexpected(HelloFault::kTooLong);
  Reader body(reader.bytes(length));
  ClientHello hello{};
  hello.version = body.be16();
  hello.random = body.bytes(kRandomLength);
  hello.session_id = body.bytes(body.u8());
  hello.ciphers = pairs(body.bytes(body.be16()));
  body.skip(body.u8());  // compression methods
  if (!reader.ok() || !body.ok()) return tl::make_unexpected(HelloFault::kTruncated);
  return read_extensions(body, hello);
}

std::string_view next_alpn(std::span<const uint8_t>& list) {
  Reader reader(list);
  const auto name = text(reader.bytes(reader.u8()));
  list = reader.rest();
  return name;
}

bool is_grease(uint16_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

uint16_t highest_version(const ClientHello& hello) {
  uint16_t highest = 0;
  for (size_t i = 0; i < hello.supported_versions.size(); i += 2) {
    const uint16_t version = tunnels::load_be16(&hello.supported_versions[i]);
    if (!is_grease(version)) highest = std::max(highest, version);
  }
  return highest != 0 ? highest : hello.version;
}

}  // namespace sluice::inspect::tls
