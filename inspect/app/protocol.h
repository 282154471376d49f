// SPDX-License-Identifier: Apache-2.0
// The application protocols that are understood, by the names that rules and events use.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::inspect {

enum class AppProtocol : uint8_t {
  kUnknown,  // not known yet
  kFailed,   // none of those below
  kHttp1,
  kHttp2,
  kTls,
  kDns,
  kSmtp,
  kFtp,
  kFtpData,
  kSsh,
  kImap,
  kSmb,
  kCount,
};

// EVE's app_proto: "http", "http2", "tls", "dns", "smtp", "ftp", "ftp-data", "ssh", "imap", "smb",
// "failed"; "unknown" while it is not known.
std::string_view app_protocol_name(AppProtocol protocol);

}  // namespace sluice::inspect
