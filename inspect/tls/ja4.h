// SPDX-License-Identifier: Apache-2.0
// JA4, FoxIO's fingerprint of TLS clients: which software says hello, whatever name it asks for and
// in whatever order it puts its extensions.
//
//   t13d1516h2_8daaf6152771_e5627efa2ab1
//   |||| | |  |            what it can: extensions sorted (without server name and ALPN) and
//   |||| | |  |            signature algorithms in their order, hashed
//   |||| | |  ciphers, sorted, hashed
//   |||| | first ALPN, its first and last character; 00: none
//   |||| number of extensions
//   ||number of ciphers; before it d: with a server name, i: without
//   |highest version
//   t: TCP, q: QUIC
#pragma once

#include <string>

#include "inspect/tls/client_hello.h"

namespace sluice::inspect::tls {

enum class Transport : uint8_t { kTcp, kQuic };

std::string ja4(const ClientHello& hello, Transport transport = Transport::kTcp);

}  // namespace sluice::inspect::tls
