// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/mark.h"

#include "tunnels/checksum.h"
#include "tunnels/integers.h"

namespace sluice::dpi {

void set_dscp(std::span<uint8_t> ip, uint8_t dscp) {
  using namespace tunnels;
  const uint16_t before = load_u16(ip.data());
  if (ip[0] >> 4 == 4) {
    ip[1] = static_cast<uint8_t>(dscp << 2 | (ip[1] & 3));
    store_u16(&ip[10], checksum_replace16(load_u16(&ip[10]), before, load_u16(ip.data())));
  } else {
    // Version, traffic class (DSCP and ECN), flow label: 4, 8 and 20 bits.
    const uint16_t word = load_be16(ip.data());
    store_be16(ip.data(), static_cast<uint16_t>((word & 0xf03f) | dscp << 6));
  }
}

}  // namespace sluice::dpi
