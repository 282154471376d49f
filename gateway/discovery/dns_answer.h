// SPDX-License-Identifier: Apache-2.0
// The records of a DNS answer that tell targets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gateway/control/address.h"
#include "gateway/control/discover.h"
#include "tunnels/result.h"

namespace sluice::gateway {

inline constexpr size_t kDnsRecordsMax = 4096;  // of one answer that are looked at

struct SrvRecord {
  std::string host;  // without the last dot
  uint16_t port = 0;
  uint16_t priority = 0;
  bool operator==(const SrvRecord&) const = default;
};

struct DnsAnswer {
  std::vector<IpAddress> addresses;  // A or AAAA
  std::vector<SrvRecord> services;   // SRV: those of the lowest priority that have a host
  uint32_t ttl_s = UINT32_MAX;       // the least of the answer section, CNAMEs included
};

// A whole DNS message as it came from the network.
Result<DnsAnswer> parse_dns_answer(std::span<const uint8_t> message, DnsRecord wanted);

}  // namespace sluice::gateway
