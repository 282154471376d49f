// SPDX-License-Identifier: Apache-2.0
// For tests: appliances whose tunnel is over IPv6.
#pragma once

#include <algorithm>

#include "gateway/datapath/path_fixture.h"

namespace sluice::gateway::fixture {

// fd09::1 is the gateway, and fd09::b and the next ones are the appliances.
struct Ipv6Words {
  uint32_t words[4];
};
inline Ipv6Words fd09(uint8_t last) {
  const uint8_t bytes[16] = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  Ipv6Words out;
  for (size_t i = 0; i < 4; i++) out.words[i] = load_u32(&bytes[i * 4]);
  return out;
}

// Gives an appliance an IPv6 address instead of its own, and a profile.
inline void move_to_ipv6(Tables& tables, uint16_t index, uint8_t profile = kProfileAws) {
  const Ipv6Words gateway = fd09(1), own = fd09(static_cast<uint8_t>(11 + index));
  std::ranges::copy(gateway.words, tables.settings[0].tunnel_address6);
  for (uint32_t i = 0; i < kSourcesMax; i++)
    if (source& s = tables.sources[i]; s.in_use && (s.target & (kAppliancesMax - 1)) == index)
      s = {0, kNone16, 1};
  uint32_t place = source6_home(own.words);
  while (tables.sources6[place].in_use &&
         !std::ranges::equal(tables.sources6[place].address, own.words))
    place = (place + 1) % kSourcesMax;
  source6& s = tables.sources6[place];
  std::ranges::copy(own.words, s.address);
  s.target = static_cast<uint16_t>(index | profile << kSourceProfile);
  s.in_use = 1;
  target& t = tables.targets[index];
  std::ranges::copy(own.words, t.address);
  t.version = 6;
  t.profile = profile;
  t.flags = kTargetInUse | kTargetResolved | kTargetAppliance | kTargetProfiled;
  t.mtu = static_cast<uint16_t>(kMtu - encapsulation_overhead(profile, 6));
  build_target_header6(t.header, {2, 9, 0, 0, 0, 1}, {2, 9, 0, 0, 1, static_cast<uint8_t>(index)},
                       gateway.words, own.words);
}

}  // namespace sluice::gateway::fixture
