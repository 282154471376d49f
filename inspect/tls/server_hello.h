// SPDX-License-Identifier: Apache-2.0
// A TLS ServerHello (RFC 8446, 4.1.3; RFC 5246, 7.4.1.3), read from hostile bytes without copying
// them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "inspect/tls/client_hello.h"

namespace sluice::inspect::tls {

// Views into the message: good as long as its bytes are.
struct ServerHello {
  uint16_t legacy_version = 0;
  uint16_t version = 0;  // the one that counts
  std::span<const uint8_t> random;
  std::span<const uint8_t> session_id;
  uint16_t cipher = 0;
  std::array<uint16_t, kHelloExtensionsMax> extension_types;
  size_t extensions = 0;
  std::string_view alpn;        // the one that is taken
  bool pre_shared_key = false;  // TLS 1.3: goes on with an earlier session
  bool retry = false;           // TLS 1.3: asks for another ClientHello
};

// `message` begins with the handshake message; what follows it is not looked at.
Result<ServerHello, HelloFault> read_server_hello(std::span<const uint8_t> message);

// "TLS 1.2", "TLSv1", "SSLv3", "TLS 1.3 draft-19"; "UNDETERMINED" for 0.
std::string version_text(uint16_t version);
// TLS 1.3 and its drafts.
bool is_tls13(uint16_t version);

}  // namespace sluice::inspect::tls
