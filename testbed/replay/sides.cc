// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/sides.h"

#include <algorithm>
#include <charconv>

#include "tunnels/integers.h"

namespace sluice::testbed {

bool Prefix::holds(const uint32_t (&words)[4], uint8_t version) const {
  if (version != address.version) return false;
  unsigned left = length;
  for (int i = 0; i < 4 && left != 0; i++) {
    const unsigned bits = std::min(left, 32u);
    const uint32_t mask = ~uint32_t{0} << (32 - bits);
    if ((tunnels::swap_be32(words[i] ^ address.words[i]) & mask) != 0) return false;
    left -= bits;
  }
  return true;
}

Result<Prefix> parse_prefix(const std::string& text) {
  const size_t slash = text.find('/');
  auto address = gateway::parse_ip_address(text.substr(0, slash));
  if (!address) return fail("not a prefix like 10.1.0.0/16 or fd00::/8", text);
  const unsigned length_max = address->version == 4 ? 32 : 128;
  if (slash == std::string::npos) return Prefix{*address, static_cast<uint8_t>(length_max)};
  unsigned length = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, length);
  if (error != std::errc{} || stop != end || length > length_max)
    return fail("the prefix length must be between 0 and " + std::to_string(length_max), text);
  return Prefix{*address, static_cast<uint8_t>(length)};
}

std::optional<Side> Sides::of(const tunnels::tuple& t) const {
  const auto among = [&](const std::vector<Prefix>& prefixes, const uint32_t(&words)[4]) {
    return std::ranges::any_of(prefixes,
                               [&](const Prefix& p) { return p.holds(words, t.version); });
  };
  if (among(outside, t.source)) return Side::kOutside;
  if (among(inside, t.source)) return Side::kInside;
  if (among(inside, t.destination)) return Side::kOutside;
  if (among(outside, t.destination)) return Side::kInside;
  return std::nullopt;
}

}  // namespace sluice::testbed
