// SPDX-License-Identifier: Apache-2.0
// JA3 and JA3S, Salesforce's fingerprints of TLS clients and servers: numbers out of their hellos
// as they are ordered there, and the MD5 of that text.
//
//   771,4866-255,0-11-10-35-13,29-23-25-24,0-1-2
//   |   |        |             |           point formats
//   |   |        |             groups; these two lists of clients only
//   |   |        extensions
//   |   ciphers; of a server the one that it takes
//   version
#pragma once

#include <string>

#include "inspect/tls/client_hello.h"
#include "inspect/tls/server_hello.h"

namespace sluice::inspect::tls {

std::string ja3_string(const ClientHello& hello);
std::string ja3s_string(const ServerHello& hello);
// 32 hexadecimal digits; of any text.
std::string md5_text(std::string_view text);

}  // namespace sluice::inspect::tls
