// SPDX-License-Identifier: Apache-2.0
#include "tunnels/integers.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice::tunnels {
namespace {

TEST(Integers, LoadsAreBigEndianAtAnyAlignment) {
  const std::array<uint8_t, 9> bytes = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(load_be16(&bytes[1]), 0x0102);
  EXPECT_EQ(load_be32(&bytes[1]), 0x01020304u);
  EXPECT_EQ(load_be64(&bytes[1]), 0x0102030405060708u);
}

TEST(Integers, StoresWriteTheirBytesAndNoOthers) {
  std::array<uint8_t, 16> bytes{};
  store_be16(&bytes[1], 0xa1a2);
  store_be32(&bytes[3], 0xb1b2b3b4);
  store_be64(&bytes[7], 0xc1c2c3c4c5c6c7c8);
  const std::array<uint8_t, 16> expected = {0,    0xa1, 0xa2, 0xb1, 0xb2, 0xb3, 0xb4, 0xc1,
                                            0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0};
  EXPECT_EQ(bytes, expected);
}

TEST(Integers, RawLoadsKeepPacketOrder) {
  std::array<uint8_t, 8> bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  std::array<uint8_t, 8> copy{};
  store_u64(copy.data(), load_u64(bytes.data()));
  EXPECT_EQ(copy, bytes);
  EXPECT_EQ(swap_be32(load_u32(bytes.data())), 0x01020304u);
}

}  // namespace
}  // namespace sluice::tunnels
