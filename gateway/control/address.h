// SPDX-License-Identifier: Apache-2.0
// An IP address in the form that the tables hold it.
#pragma once

#include <compare>
#include <cstdint>
#include <cstring>
#include <string>

#include "tunnels/result.h"

namespace sluice::tunnels {
struct flow_key;
}

namespace sluice::gateway {

struct IpAddress {
  uint32_t words[4] = {0, 0, 0, 0};  // packet byte order; IPv4 in the first word
  uint8_t version = 4;               // 4 or 6

  bool operator==(const IpAddress&) const = default;
  // By bytes, so that the order is the same on every machine.
  std::strong_ordering operator<=>(const IpAddress& other) const {
    if (version != other.version) return version <=> other.version;
    return std::memcmp(words, other.words, sizeof(words)) <=> 0;
  }
  std::string text() const;
};

// "10.0.0.1" or "fd00::1", without prefix length or zone.
Result<IpAddress> parse_ip_address(const std::string& text);

// "10.0.0.0/16": the address is the first of its network.
struct Prefix {
  IpAddress address;
  uint8_t length = 0;
  bool contains(const IpAddress& other) const;
  bool operator==(const Prefix&) const = default;
  std::string text() const;  // "10.0.0.0/16"
};
Result<Prefix> parse_prefix(const std::string& text);

// Not multicast, loopback or all zero.
bool is_host_address(const IpAddress& address);

// Of an end of a tunnel over IPv6: a host's, and not link-local (that means something on one
// interface only), mapped or loopback.
bool is_tunnel_address6(const IpAddress& address);

// From the words of a table.
IpAddress ip_address(const uint32_t words[4], uint8_t version);
// Of an end of a flow, 0 or 1.
IpAddress ip_address(const tunnels::flow_key& key, uint32_t end);

}  // namespace sluice::gateway
