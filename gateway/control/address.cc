// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "tunnels/flow_key.h"

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

std::string Prefix::text() const { return address.text() + "/" + std::to_string(length); }

bool Prefix::contains(const IpAddress& other) const {
  if (other.version != address.version) return false;
  const auto* mine = reinterpret_cast<const uint8_t*>(address.words);
  const auto* its = reinterpret_cast<const uint8_t*>(other.words);
  for (int bit = 0; bit < length; bit++) {
    const int mask = 0x80 >> bit % 8;
    if ((mine[bit / 8] & mask) != (its[bit / 8] & mask)) return false;
  }
  return true;
}

Result<Prefix> parse_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  Prefix out;
  auto address = parse_ip_address(text.substr(0, slash));
  const char* end = text.data() + text.size();
  const char* digits = slash == std::string::npos ? end : text.data() + slash + 1;
  const auto [stop, error] = std::from_chars(digits, end, out.length);
  const int most = address && address->version == 6 ? 128 : 32;
  if (!address || error != std::errc() || stop != end || out.length > most)
    return fail("'" + text.substr(0, 60) + "' is no network such as 10.0.0.0/16");
  out.address = *address;
  auto* bytes = reinterpret_cast<uint8_t*>(out.address.words);
  for (int bit = out.length; bit < most; bit++)
    if (bytes[bit / 8] & 0x80 >> bit % 8)
      return fail("'" + text + "' has bits after its prefix length");
  return out;
}

bool is_host_address(const IpAddress& address) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(address.words);
  const bool zero = std::all_of(bytes, bytes + 16, [](uint8_t b) { return b == 0; });
  const bool multicast = address.version == 4 ? bytes[0] >= 224 : bytes[0] == 0xff;
  const bool loopback = address.version == 4 && bytes[0] == 127;
  return !zero && !multicast && !loopback;
}

bool is_tunnel_address6(const IpAddress& address) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(address.words);
  if (address.version != 6 || !is_host_address(address)) return false;
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  // ::1, ::ffff:10.0.0.1, and whatever else is in ::/64.
  const bool special = std::all_of(bytes, bytes + 8, [](uint8_t b) { return b == 0; });
  return !link_local && !special;
}

IpAddress ip_address(const uint32_t words[4], uint8_t version) {
  IpAddress out;
  out.version = version;
  std::memcpy(out.words, words, version == 4 ? 4 : 16);
  return out;
}

IpAddress ip_address(const tunnels::flow_key& key, uint32_t end) {
  uint32_t words[4];
  flow_key_address(&key, end, words);
  return ip_address(words, key.version);
}

}  // namespace sluice::gateway
