// SPDX-License-Identifier: Apache-2.0
// A TLS ClientHello (RFC 8446, 4.1.2), read from hostile bytes without copying them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "tunnels/result.h"

namespace sluice::inspect::tls {

// A handshake message: type, 24 bits of length, body. Browsers send 500 to 2000 bytes; nothing that
// its lists can hold is longer than this, and OpenSSL takes all of it.
inline constexpr size_t kHelloLengthMax = (2 << 16) + 512;
// Extensions whose types are listed, for fingerprints; those behind them are read as well.
inline constexpr size_t kHelloExtensionsMax = 128;

// Extensions that mean something here.
inline constexpr uint16_t kExtensionServerName = 0;
inline constexpr uint16_t kExtensionSupportedGroups = 10;
inline constexpr uint16_t kExtensionPointFormats = 11;
inline constexpr uint16_t kExtensionSignatureAlgorithms = 13;
inline constexpr uint16_t kExtensionAlpn = 16;
inline constexpr uint16_t kExtensionPreSharedKey = 41;
inline constexpr uint16_t kExtensionSupportedVersions = 43;
inline constexpr uint16_t kExtensionEncryptedHello = 0xfe0d;       // ECH
inline constexpr uint16_t kExtensionEncryptedServerName = 0xffce;  // its forerunner

enum class HelloFault : uint8_t {
  kTruncated,      // the message, or something in it, is longer than what holds it
  kNotAHello,      // another handshake message
  kTooLong,        // longer than kHelloLengthMax
  kTrailingBytes,  // something behind the extensions
};

// What is wrong with the extension of server names.
enum class ServerNameFault : uint8_t { kNone, kLength, kType, kRepeated };

// Views into the message: good as long as its bytes are.
struct ClientHello {
  uint16_t version = 0;                 // legacy_version
  std::span<const uint8_t> random;      // 32 bytes
  std::span<const uint8_t> session_id;  // as the client offers it; may be empty
  std::span<const uint8_t> ciphers;     // two bytes each
  std::array<uint16_t, kHelloExtensionsMax> extension_types;
  size_t extensions = 0;         // how many of them are listed
  bool has_server_name = false;  // the extension is there
  std::string_view server_name;  // its host name; empty if it has none
  ServerNameFault server_name_fault = ServerNameFault::kNone;
  std::string_view first_alpn;
  std::span<const uint8_t> alpn;                  // the list: a length of one byte, a name
  std::span<const uint8_t> groups;                // two bytes each; JA3 calls them curves
  std::span<const uint8_t> point_formats;         // one byte each
  std::span<const uint8_t> supported_versions;    // two bytes each; of the extension
  std::span<const uint8_t> signature_algorithms;  // two bytes each
  // The name that counts is, or may be, encrypted: server_name is only the outer one. Browsers send
  // such an extension with random content too, when there is nothing to hide.
  bool encrypted_hello = false;
};

// `message` begins with the handshake message; what follows it is not looked at.
Result<ClientHello, HelloFault> read_client_hello(std::span<const uint8_t> message);

// Takes the next name off a list of ALPN names; empty: there is none, or it is broken.
std::string_view next_alpn(std::span<const uint8_t>& list);

// 0x0a0a, 0x1a1a ... (RFC 8701): values without a meaning that a client puts in to keep servers
// tolerant.
bool is_grease(uint16_t value);

// The highest version that the client offers, as on the wire: 0x0304 is TLS 1.3.
uint16_t highest_version(const ClientHello& hello);

}  // namespace sluice::inspect::tls
