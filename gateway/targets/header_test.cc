// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/header.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tunnels/checksum.h"
#include "tunnels/geneve.h"

namespace sluice::gateway {
namespace {

TEST(TargetHeader, IsTheseBytes) {
  uint8_t header[kTargetHeaderLength];
  build_target_header(header, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, inet_addr("10.9.0.1"),
                      inet_addr("10.9.0.11"));
  const uint8_t expected[kTargetHeaderLength] = {
      2,    0,    0,    0,    0,  2, 2,    0,  0,  0,  0,    1,    0x08, 0x00,  // Ethernet
      0x45, 0,    0,    0,    0,  0, 0x40, 0,  64, 17, 0x26, 0xd0,              // IPv4
      10,   9,    0,    1,    10, 9, 0,    11,                                  //
      0,    0,    0x17, 0xc1, 0,  0, 0,    0,                                   // UDP
      0x08, 0,    0,    0,    0,  0, 0,    0,                                   // GENEVE
      0x01, 0x08, 0x01, 0x02, 0,  0, 0,    0,  0,  0,  0,    0,                 // endpoint id
      0x01, 0x08, 0x02, 0x02, 0,  0, 0,    0,  0,  0,  0,    0,                 // attachment id
      0x01, 0x08, 0x03, 0x01, 0,  0, 0,    0,                                   // flow cookie
  };
  for (size_t i = 0; i < kTargetHeaderLength; i++)
    EXPECT_EQ(header[i], expected[i]) << "byte " << i;
}

TEST(TargetHeader, OverIpv6ItIsTheseBytes) {
  uint8_t header[kTargetHeaderLength];
  uint32_t source[4], destination[4];
  ASSERT_EQ(inet_pton(AF_INET6, "fd09::1", source), 1);
  ASSERT_EQ(inet_pton(AF_INET6, "2001:db8::11", destination), 1);
  build_target_header6(header, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, source, destination);
  const uint8_t expected[kTargetHeaderLength] = {
      2,    0,    0,    0,    0, 2, 2,  0,  0, 0, 0, 1, 0x86, 0xdd,           // Ethernet
      0x60, 0,    0,    0,    0, 0, 17, 64,                                   // IPv6
      0xfd, 0x09, 0,    0,    0, 0, 0,  0,  0, 0, 0, 0, 0,    0,    0, 1,     //
      0x20, 0x01, 0x0d, 0xb8, 0, 0, 0,  0,  0, 0, 0, 0, 0,    0,    0, 0x11,  //
      0,    0,    0x17, 0xc1, 0, 0, 0,  0,                                    // UDP
  };
  for (size_t i = 0; i < kTargetHeaderLength; i++)
    EXPECT_EQ(header[i], expected[i]) << "byte " << i;
  EXPECT_EQ(encapsulation_overhead(kProfileAws, 6), 88u);
  EXPECT_EQ(encapsulation_overhead(kProfileGoogle, 6), 88u);
  EXPECT_EQ(encapsulation_overhead(kProfilePlain, 6), 56u);
}

TEST(TargetHeader, PatchedItIsWhatGeneveSays) {
  uint8_t header[kTargetHeaderLength];
  build_target_header(header, {}, {}, inet_addr("10.9.0.1"), inet_addr("10.9.0.11"));
  const uint16_t length = swap_be16(1568);
  store_u16(header + 16, length);
  store_u16(header + 24, checksum_replace16(load_u16(header + 24), 0, length));
  EXPECT_EQ(checksum_reduce(checksum_add(0, header + 14, 20)), 0xffff);

  store_be16(header + 44, 0x0800);
  store_be64(header + 54, 0x2b8ee1d4db0c51c4);
  store_be64(header + 66, 5);
  store_be32(header + 78, 0xc00c1e01);
  const geneve_profile profile = SLUICE_GENEVE_AWS;
  geneve fields{};
  fields.protocol = 0x0800;
  fields.endpoint_id = 0x2b8ee1d4db0c51c4;
  fields.attachment_id = 5;
  fields.flow_cookie = 0xc00c1e01;
  uint8_t encoded[40];
  geneve_encode(encoded, &profile, &fields);
  EXPECT_EQ(std::memcmp(header + 42, encoded, sizeof(encoded)), 0);
}

}  // namespace
}  // namespace sluice::gateway
