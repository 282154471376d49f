// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/community_id.h"

#include <openssl/evp.h>

#include <array>
#include <compare>
#include <cstring>
#include <vector>

namespace sluice::inspect {
namespace {

struct End {
  std::array<uint8_t, 16> address{};
  std::array<uint8_t, 2> port{};
  auto operator<=>(const End&) const = default;
};

End end_of(const uint32_t (&address)[4], uint16_t port) {
  End end;
  std::memcpy(end.address.data(), address, sizeof(address));
  std::memcpy(end.port.data(), &port, sizeof(port));
  return end;
}

bool has_ports(uint8_t protocol) {
  return protocol == tunnels::kProtocolTcp || protocol == tunnels::kProtocolUdp;
}

std::string base64(const std::vector<uint8_t>& bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(out.data()), bytes.data(),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

}  // namespace

std::string community_id(const tunnels::tuple& tuple, uint16_t seed) {
  if (tuple.version == 0 || tuple.protocol == tunnels::kProtocolIcmp ||
      tuple.protocol == tunnels::kProtocolIcmpv6)
    return {};
  End first = end_of(tuple.source, tuple.source_port);
  End second = end_of(tuple.destination, tuple.destination_port);
  if (second < first) std::swap(first, second);
  std::vector<uint8_t> input = {static_cast<uint8_t>(seed >> 8), static_cast<uint8_t>(seed)};
  const size_t address_length = tuple.version == 4 ? 4 : 16;
  for (const End& end : {first, second})
    input.insert(input.end(), end.address.begin(),
                 end.address.begin() + static_cast<std::ptrdiff_t>(address_length));
  input.push_back(tuple.protocol);
  input.push_back(0);
  if (has_ports(tuple.protocol)) {
    for (const End& end : {first, second})
      input.insert(input.end(), end.port.begin(), end.port.end());
  }
  std::vector<uint8_t> digest(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  if (EVP_Digest(input.data(), input.size(), digest.data(), &length, EVP_sha1(), nullptr) != 1)
    return {};
  digest.resize(length);
  return "1:" + base64(digest);
}

}  // namespace sluice::inspect
