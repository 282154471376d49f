// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "inspect/app/session.h"

namespace sluice::inspect {

std::span<const ProtocolEntry> all_protocols() {
  static const std::array kAll = {http_entry(),    http2_entry(), tls_entry(),  ssh_entry(),
                                  smtp_entry(),    ftp_entry(),   imap_entry(), dns_entry(),
                                  dns_tcp_entry(), smb_entry()};
  return kAll;
}

bool is_understood(AppProtocol protocol) {
  if (protocol == AppProtocol::kFailed || protocol == AppProtocol::kUnknown) return true;
  const auto all = all_protocols();
  return std::any_of(all.begin(), all.end(),
                     [&](const ProtocolEntry& entry) { return entry.protocol == protocol; });
}

}  // namespace sluice::inspect
