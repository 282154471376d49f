// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GENEVE header: what is accepted lies inside the input, and encodes to a header
// that decodes to the same values, but for a hint.
#include <cstring>

#include "tunnels/geneve.h"
#include "tunnels/result.h"

using namespace sluice::tunnels;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const geneve_profile profile = SLUICE_GENEVE_AWS;
  geneve header{};
  if (geneve_decode(data, data + size, &profile, &header) != kDropNone) return 0;
  SLUICE_CHECK(header.header_length <= size);
  SLUICE_CHECK(header.header_length >= profile.header_length);
  SLUICE_CHECK(header.header_length == kGeneveBaseLength + (data[0] & 63u) * 4);

  uint8_t again[40];
  geneve_encode(again, &profile, &header);
  geneve second{};
  SLUICE_CHECK(geneve_decode(again, again + sizeof(again), &profile, &second) == kDropNone);
  header.header_length = profile.header_length;
  header.hint = 0;  // an appliance's, never encoded
  SLUICE_CHECK(std::memcmp(&header, &second, sizeof(header)) == 0);
  return 0;
}
