// SPDX-License-Identifier: Apache-2.0
// What events and rules say about an X.509 certificate, by OpenSSL.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tunnels/result.h"

namespace sluice::inspect::tls {

inline constexpr size_t kSubjectAltNamesMax = 256;

struct Certificate {
  std::string subject;      // "C=US, O=Example, CN=www.example.org"
  std::string issuer;       // of the same form
  std::string serial;       // "00:97:E6"
  std::string fingerprint;  // SHA-1, "3a:0b:3b:..."
  std::string not_before;   // "2015-02-12T18:07:27", UTC; empty: not a time
  std::string not_after;
  std::vector<std::string> alt_names;  // hosts, addresses, mailboxes and URIs
};

// Costs tens of microseconds: not for who does not look at it.
Result<Certificate> read_certificate(std::span<const uint8_t> der);

}  // namespace sluice::inspect::tls
