// SPDX-License-Identifier: Apache-2.0
#include "tunnels/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace sluice::tunnels {
namespace {

uint16_t checksum_of(const std::vector<uint8_t>& bytes) {
  return swap_be16(
      checksum_fold(checksum_add(0, bytes.data(), static_cast<uint32_t>(bytes.size()))));
}

// A second way to the same number: RFC 1071 section 1, one big-endian word at a time.
uint16_t checksum_by_hand(const std::vector<uint8_t>& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<uint16_t>(~sum);
}

// Equal as one's complement numbers, of which zero has two.
bool same_sum(uint16_t a, uint16_t b) { return a % 0xffff == b % 0xffff; }

// RFC 1071 section 3: the bytes 00 01 f2 03 f4 f5 f6 f7 sum to ddf2.
TEST(Checksum, Rfc1071Example) {
  const std::vector<uint8_t> bytes = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  const uint64_t sum = checksum_add(0, bytes.data(), 8);
  EXPECT_EQ(swap_be16(checksum_reduce(sum)), 0xddf2);
  EXPECT_EQ(checksum_of(bytes), static_cast<uint16_t>(~0xddf2));
}

TEST(Checksum, AHeaderThatCarriesItsChecksumSumsToZero) {
  std::vector<uint8_t> ip = {0x45, 0, 0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                             0,    0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};
  EXPECT_EQ(checksum_of(ip), 0xb861);
  store_be16(&ip[10], 0xb861);
  EXPECT_EQ(checksum_of(ip), 0);
}

TEST(Checksum, OddLengthIsPaddedWithZero) {
  EXPECT_EQ(checksum_of({0xab}), static_cast<uint16_t>(~0xab00));
  EXPECT_EQ(checksum_of({1, 2, 3}), static_cast<uint16_t>(~(0x0102 + 0x0300)));
}

TEST(Checksum, AgreesWithTheByteWiseDefinition) {
  std::mt19937 random(1);
  for (size_t length = 0; length < 200; length++) {
    std::vector<uint8_t> bytes(length);
    for (auto& b : bytes) b = static_cast<uint8_t>(random());
    EXPECT_TRUE(same_sum(checksum_of(bytes), checksum_by_hand(bytes))) << length;
  }
}

TEST(Checksum, SumsOfPartsAddUp) {
  const std::vector<uint8_t> bytes(1500, 0xff);
  const uint64_t head = checksum_add(0, bytes.data(), 700);
  EXPECT_EQ(checksum_fold(checksum_add(head, bytes.data() + 700, 800)),
            checksum_fold(checksum_add(0, bytes.data(), 1500)));
}

// RFC 1624 section 4: HC dd2f, m 5555 becomes 3285, HC' 0000 (equation 2 would give ffff).
TEST(Checksum, Rfc1624Example) { EXPECT_EQ(checksum_replace16(0xdd2f, 0x5555, 0x3285), 0x0000); }

TEST(Checksum, IncrementalUpdateEqualsAFreshSum) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; round++) {
    std::vector<uint8_t> bytes(60);
    for (auto& b : bytes) b = static_cast<uint8_t>(random());
    store_u16(&bytes[10], 0);
    const uint16_t before = checksum_fold(checksum_add(0, bytes.data(), 60));

    const size_t at = 12 + 4 * (random() % 12);
    const uint32_t old_word = load_u32(&bytes[at]);
    const auto new_word = static_cast<uint32_t>(random());
    store_u32(&bytes[at], new_word);
    EXPECT_EQ(checksum_replace32(before, old_word, new_word),
              checksum_fold(checksum_add(0, bytes.data(), 60)));

    const uint16_t middle = checksum_fold(checksum_add(0, bytes.data(), 60));
    const uint16_t old_half = load_u16(&bytes[at]);
    const auto new_half = static_cast<uint16_t>(random());
    store_u16(&bytes[at], new_half);
    EXPECT_EQ(checksum_replace16(middle, old_half, new_half),
              checksum_fold(checksum_add(0, bytes.data(), 60)));
  }
}

}  // namespace
}  // namespace sluice::tunnels
