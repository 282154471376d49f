// SPDX-License-Identifier: Apache-2.0
#include "tunnels/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sluice::tunnels {
namespace {

TEST(Bytes, ReaderReadsWhatWriterWrote) {
  std::array<uint8_t, 21> bytes{};
  Writer writer(bytes);
  writer.u8(0x11);
  writer.be16(0x2233);
  writer.be32(0x44556677);
  writer.be64(0x8899aabbccddeeff);
  writer.zeros(2);
  writer.bytes(std::array<uint8_t, 4>{1, 2, 3, 4});
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.written(), bytes.size());

  Reader reader(bytes);
  EXPECT_EQ(reader.u8(), 0x11);
  EXPECT_EQ(reader.be16(), 0x2233);
  EXPECT_EQ(reader.be32(), 0x44556677u);
  EXPECT_EQ(reader.be64(), 0x8899aabbccddeeffu);
  reader.skip(2);
  EXPECT_EQ(reader.offset(), 17u);
  EXPECT_EQ(reader.be24(), 0x010203u);
  EXPECT_EQ(reader.rest().size(), 1u);
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_TRUE(reader.ok());
}

// The same sequence of reads against every shorter input, in a buffer of exactly that size.
TEST(Bytes, ReaderStopsAtEveryCut) {
  for (size_t length = 0; length < 18; length++) {
    const std::vector<uint8_t> bytes(length, 0x5a);
    Reader reader(bytes);
    reader.u8();
    reader.be16();
    reader.be24();
    reader.be32();
    reader.be64();
    EXPECT_FALSE(reader.ok()) << length;
    EXPECT_LE(reader.offset(), length);
  }
}

TEST(Bytes, AFailedReadMovesNothingAndLasts) {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  Reader reader(bytes);
  EXPECT_EQ(reader.be32(), 0u);
  EXPECT_EQ(reader.offset(), 0u);
  EXPECT_EQ(reader.u8(), 0u) << "a byte is there, but a reader that failed gives nothing more";
  EXPECT_TRUE(reader.bytes(1).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, HugeCountsDoNotWrap) {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  Reader reader(bytes);
  reader.u8();
  EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
  std::array<uint8_t, 3> out{};
  Writer writer(out);
  writer.u8(1);
  writer.zeros(SIZE_MAX);
  EXPECT_FALSE(writer.ok());
}

TEST(Bytes, AFailedWriteChangesNothingAndLasts) {
  std::array<uint8_t, 3> bytes = {9, 9, 9};
  Writer writer(bytes);
  writer.be32(1);
  writer.u8(1);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.written(), 0u);
  EXPECT_EQ(bytes, (std::array<uint8_t, 3>{9, 9, 9}));
}

TEST(Bytes, EmptyIsFine) {
  Reader reader({});
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_TRUE(reader.ok());
  Writer writer({});
  writer.bytes({});
  writer.zeros(0);
  EXPECT_TRUE(writer.ok());
}

}  // namespace
}  // namespace sluice::tunnels
