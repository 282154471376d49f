// SPDX-License-Identifier: Apache-2.0
#include "tunnels/geneve_profiles.h"

#include <algorithm>

namespace sluice::tunnels {

std::string_view profile_name(unsigned profile) {
  constexpr std::string_view kNames[kProfiles] = {"aws", "google", "plain"};
  return profile < kProfiles ? kNames[profile] : "";
}

unsigned profile_of_header(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return kProfilePlain;
  const size_t end = std::min<size_t>(kGeneveBaseLength + (bytes[0] & 0x3f) * 4u, bytes.size());
  for (size_t at = kGeneveBaseLength; at + 4 <= end; at += 4 + (bytes[at + 3] & 0x1f) * 4u) {
    const uint16_t option_class = load_be16(&bytes[at]);
    for (unsigned profile = 0; profile < kProfiles; profile++)
      if (kGeneveProfiles[profile].options != 0 &&
          kGeneveProfiles[profile].option_class == option_class)
        return profile;
  }
  return kProfilePlain;
}

}  // namespace sluice::tunnels
