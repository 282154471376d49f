// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
// The encapsulation profiles that the gateway knows: what an appliance finds in the GENEVE header,
// as rows of a table. docs/features/profiles.md tells them to people.
#pragma once

#include "tunnels/geneve.h"

SLUICE_BEGIN

enum {
  kProfileAws = 0,     // AWS Gateway Load Balancer
  kProfileGoogle = 1,  // Google Network Security Integration
  kProfilePlain = 2,   // the base header alone
  kProfiles = 3,
};

enum {
  kGeneveNetworkMask = 0x0fffffff,
  kGeneveVniMask = 0xffffff,
};

// The network that an endpoint is in a profile which names networks: what of its id fits.
SLUICE_INLINE __u32 geneve_network(__u64 endpoint_id) {
  return (__u32)endpoint_id & kGeneveNetworkMask;
}

// Before a header is encoded: says endpoint and direction in the way of the profile. `leaving`: the
// packet comes from the inside.
SLUICE_INLINE void geneve_say(const struct geneve_profile* profile, struct geneve* header,
                              __u32 leaving) {
  if (profile->flags & kGeneveVniIsEndpoint)
    header->vni = (__u32)header->endpoint_id & kGeneveVniMask;
  if (profile->flags & kGeneveHasNetwork)
    header->flow_cookie = geneve_network(header->endpoint_id) << 4 | (leaving & 1);
}

// After one was decoded: the endpoint that it says. What is no cookie is none; `network` is the
// word of a profile that names networks, else 0.
SLUICE_INLINE __u32 geneve_hear(const struct geneve_profile* profile, struct geneve* header) {
  __u32 network = 0;
  if (profile->flags & kGeneveVniIsEndpoint) header->endpoint_id = header->vni;
  if (profile->flags & kGeneveHasNetwork) network = header->flow_cookie >> 4;
  if (!(profile->flags & kGeneveHasCookie)) header->flow_cookie = 0;
  return network;
}

SLUICE_END

#ifdef __cplusplus
#include <cstdint>
#include <span>
#include <string_view>
namespace sluice::tunnels {

inline constexpr geneve_profile kGeneveProfiles[kProfiles] = {
    SLUICE_GENEVE_AWS,
    {0x0132,
     3,
     kGeneveHasNetwork | kGeneveHasAttachment,
     40,
     {{1, 1, kGeneveWord, 0},
      {2, 2, kGeneveEndpointId, 0},
      {3, 2, kGeneveAttachmentId, 0},
      {0, 0, 0, 0}}},
    {0, 0, kGeneveVniIsEndpoint, 8, {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}},
};

// "aws"
std::string_view profile_name(unsigned profile);
// The profile that a header seems to be of: that of the first option's class which is one's, or
// plain. What is in it is not looked at.
unsigned profile_of_header(std::span<const uint8_t> bytes);

}  // namespace sluice::tunnels
#endif
