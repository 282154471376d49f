// SPDX-License-Identifier: Apache-2.0
// For tests: appliances that speak another encapsulation profile.
#pragma once

#include "gateway/datapath/path_fixture.h"

namespace sluice::gateway::fixture {

// Its lower 24 bits are the VNI of the profile plain, and the lower 28 Google's network.
constexpr uint64_t kSmallEndpoint = 0xa1b2c3;

// Makes an appliance speak a profile.
inline void speak(Tables& tables, uint16_t index, uint8_t profile) {
  target& t = tables.targets[index];
  t.profile = profile;
  t.flags = kTargetInUse | kTargetResolved | kTargetAppliance |
            (profile == kProfileAws ? 0 : kTargetProfiled);
  t.mtu = static_cast<uint16_t>(kMtu - encapsulation_overhead(profile));
  for (uint32_t i = 0; i < kSourcesMax; i++)
    if (source& s = tables.sources[i]; s.in_use && s.address == t.address[0])
      s.target = static_cast<uint16_t>(index | profile << kSourceProfile);
}

inline size_t header_length_of(uint8_t profile) {
  return kOuterLength4 + kGeneveProfiles[profile].header_length;
}

}  // namespace sluice::gateway::fixture
