// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace sluice::gateway {

std::string IpAddress::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(version == 4 ? AF_INET : AF_INET6, words, text, sizeof(text));
  return text;
}

Result<IpAddress> parse_ip_address(const std::string& text) {
  IpAddress out;
  if (inet_pton(AF_INET, text.c_str(), out.words) == 1) return out;
  out.version = 6;
  if (inet_pton(AF_INET6, text.c_str(), out.words) == 1) return out;
  return fail("'" + text.substr(0, 60) + "' is no IPv4 or IPv6 address");
}

bool is_host_address(const IpAddress& address) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(address.words);
  const bool zero = std::all_of(bytes, bytes + 16, [](uint8_t b) { return b == 0; });
  const bool multicast = address.version == 4 ? bytes[0] >= 224 : bytes[0] == 0xff;
  const bool loopback = address.version == 4 && bytes[0] == 127;
  return !zero && !multicast && !loopback;
}

IpAddress ip_address(const uint32_t words[4], uint8_t version) {
  IpAddress out;
  out.version = version;
  std::memcpy(out.words, words, version == 4 ? 4 : 16);
  return out;
}

}  // namespace sluice::gateway
