// SPDX-License-Identifier: Apache-2.0
// nDPI's own list files, as ndpiReader takes them.
//
//   protocols      tcp:81,udp:5061-5062@SIP · host:"example.com"@Name · ip:10.0.0.0/8@Name ·
//                  ip_risk_mask:10.0.0.0/8=0 · host_risk_mask:"example.com"=0 ·
//                  trusted_issuer_dn:"CN=..."
//   categories     host or IPv4 network, TAB, category number
//   risky_domains  one domain, or the end of one, a line
//   ja3            MD5 in hex, then anything after a comma
//   sha1           anything, comma, SHA-1 of a certificate in hex, comma, anything
//
// Empty lines and lines that begin with # are comments in all of them. nDPI itself passes over what
// it does not understand, or reads half of it; here such a line is an error.
#pragma once

#include <string>

#include "tunnels/result.h"

struct ndpi_detection_module_struct;

namespace sluice::inspect {

inline constexpr size_t kListBytesMax = 64u << 20;

// An empty name is no file.
struct ListFiles {
  std::string protocols;
  std::string categories;
  std::string risky_domains;
  std::string ja3;
  std::string sha1;
};

// One line's complaint, empty if nDPI will understand it. For tests; load_lists() uses them.
enum class ListKind { kProtocols, kCategories, kRiskyDomains, kJa3, kSha1 };
std::string list_line_error(ListKind kind, std::string_view line);

// Gives all files to a module that is not finalised yet. An error names file, line and reason.
Result<> load_lists(ndpi_detection_module_struct* module, const ListFiles& files);

}  // namespace sluice::inspect
