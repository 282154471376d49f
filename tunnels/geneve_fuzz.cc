// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GENEVE header, in every profile: what is accepted lies inside the input, and
// encodes to a header that decodes to the same values, but for a hint.
#include <cstring>

#include "tunnels/geneve_profiles.h"
#include "tunnels/result.h"

using namespace sluice::tunnels;

namespace {

void check(const geneve_profile& profile, const uint8_t* data, size_t size) {
  geneve header{};
  if (geneve_decode(data, data + size, &profile, &header) != kDropNone) return;
  SLUICE_CHECK(header.header_length <= size);
  SLUICE_CHECK(header.header_length >= profile.header_length);
  SLUICE_CHECK(header.header_length == kGeneveBaseLength + (data[0] & 63u) * 4);

  uint8_t again[40];
  SLUICE_CHECK(profile.header_length <= sizeof(again));
  geneve_encode(again, &profile, &header);
  geneve second{};
  SLUICE_CHECK(geneve_decode(again, again + profile.header_length, &profile, &second) == kDropNone);
  header.header_length = profile.header_length;
  header.hint = 0;  // an appliance's, never encoded
  SLUICE_CHECK(std::memcmp(&header, &second, sizeof(header)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const geneve_profile& profile : kGeneveProfiles) check(profile, data, size);
  SLUICE_CHECK(profile_of_header({data, size}) < kProfiles);
  return 0;
}
