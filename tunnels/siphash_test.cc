// SPDX-License-Identifier: Apache-2.0
#include "tunnels/siphash.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

namespace sluice::tunnels {
namespace {

// The key of the SipHash paper's appendix A: bytes 00 01 ... 0f.
constexpr siphash_key kPaperKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

// SipHash-c-d of any bytes, straight from the paper's figure 2.1, as the reference.
uint64_t reference(int c, int d, const siphash_key& key, const std::vector<uint8_t>& message) {
  uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d,
                   key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
  const auto rounds = [&v](int count) {
    while (count-- > 0) {
      v[0] += v[1], v[2] += v[3];
      v[1] = std::rotl(v[1], 13) ^ v[0], v[3] = std::rotl(v[3], 16) ^ v[2];
      v[0] = std::rotl(v[0], 32);
      v[2] += v[1], v[0] += v[3];
      v[1] = std::rotl(v[1], 17) ^ v[2], v[3] = std::rotl(v[3], 21) ^ v[0];
      v[2] = std::rotl(v[2], 32);
    }
  };
  std::vector<uint8_t> padded = message;
  while (padded.size() % 8 != 7) padded.push_back(0);
  padded.push_back(static_cast<uint8_t>(message.size()));
  for (size_t i = 0; i < padded.size(); i += 8) {
    uint64_t word = 0;
    for (size_t k = 0; k < 8; k++) word |= uint64_t{padded[i + k]} << 8 * k;
    v[3] ^= word;
    rounds(c);
    v[0] ^= word;
  }
  v[2] ^= 0xff;
  rounds(d);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

std::vector<uint8_t> counting(size_t length) {
  std::vector<uint8_t> message(length);
  for (size_t i = 0; i < length; i++) message[i] = static_cast<uint8_t>(i);
  return message;
}

uint64_t hash(const siphash_key& key, const std::vector<uint8_t>& message) {
  siphash_state s;
  siphash_init(&s, &key);
  uint64_t word = 0;
  for (size_t i = 0; i < message.size(); i++) {
    word |= uint64_t{message[i]} << 8 * (i % 8);
    if (i % 8 != 7) continue;
    siphash_word(&s, word);
    word = 0;
  }
  return siphash_finish(&s, word, static_cast<uint32_t>(message.size()));
}

// Appendix A of the paper: SipHash-2-4 of 00 01 ... 0e is a129ca6149be45e5. It proves the
// reference.
TEST(SipHash, ReferenceGivesThePapersVector) {
  EXPECT_EQ(reference(2, 4, kPaperKey, counting(15)), 0xa129ca6149be45e5u);
}

// From an implementation that we did not write: CPython 3.11 hashes bytes with SipHash-1-3, and
// with PYTHONHASHSEED=0 its key is zero. PYTHONHASHSEED=0 python3 -c
// 'print(hex(hash(bytes(range(15))) % 2**64))'
TEST(SipHash, KnownVectors) {
  const siphash_key zero = {0, 0};
  EXPECT_EQ(hash(zero, counting(15)), 0xf30eb725bb91c9eau);
  EXPECT_EQ(hash(zero, counting(39)), 0x6c76b6d34bb6d26bu);
}

TEST(SipHash, AgreesWithTheReferenceAtEveryLength) {
  for (size_t length = 0; length < 64; length++)
    EXPECT_EQ(hash(kPaperKey, counting(length)), reference(1, 3, kPaperKey, counting(length)))
        << length;
}

}  // namespace
}  // namespace sluice::tunnels
