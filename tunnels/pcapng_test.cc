// SPDX-License-Identifier: Apache-2.0
#include "tunnels/pcapng.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::tunnels {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

TEST(Pcapng, HeadToTheByte) {
  EXPECT_EQ(
      pcapng_head("sluice"),
      bytes({0x0a, 0x0d, 0x0d, 0x0a, 44,   0,    0,    0,    0x4d, 0x3c, 0x2b, 0x1a, 1, 0,   0,
             0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4,    0,    6,    0, 's', 'l',
             'u',  'i',  'c',  'e',  0,    0,    0,    0,    0,    0,    44,   0,    0, 0}));
}

TEST(Pcapng, InterfaceToTheByte) {
  EXPECT_EQ(
      pcapng_interface({"eth0", "out", 96}),
      bytes({1, 0, 0, 0, 48,  0,   0,   0, 1, 0, 0, 0, 96, 0, 0, 0, 2, 0, 4, 0, 'e', 't', 'h', '0',
             3, 0, 3, 0, 'o', 'u', 't', 0, 9, 0, 1, 0, 9,  0, 0, 0, 0, 0, 0, 0, 48,  0,   0,   0}));
}

TEST(Pcapng, PacketToTheByte) {
  const std::vector<uint8_t> frame = {1, 2, 3, 4, 5};
  PcapngPacket packet{.interface = 1, .time_ns = 0x0102030405060708, .length = 60, .bytes = frame};
  packet.outbound = true;
  packet.comment = "why";
  EXPECT_EQ(pcapng_packet(packet),
            bytes({6,   0,   0,   0, 60, 0, 0, 0, 1, 0, 0, 0, 4, 3, 2, 1, 8,  7, 6, 5,
                   5,   0,   0,   0, 60, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 1,  0, 3, 0,
                   'w', 'h', 'y', 0, 2,  0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0}));
  packet.outbound = false;
  packet.lost = 3;
  packet.comment.clear();
  EXPECT_EQ(pcapng_packet(packet),
            bytes({6, 0, 0,  0, 64, 0, 0, 0, 1, 0, 0, 0, 4, 3, 2, 1, 8,  7, 6, 5, 5, 0,
                   0, 0, 60, 0, 0,  0, 1, 2, 3, 4, 5, 0, 0, 0, 2, 0, 4,  0, 1, 0, 0, 0,
                   4, 0, 8,  0, 3,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0}));
}

TEST(Pcapng, StatisticsToTheByte) {
  EXPECT_EQ(
      pcapng_statistics({2, 5, 9, 4}),
      bytes({5, 0, 0, 0, 52, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 4, 0, 8,  0, 9, 0,
             0, 0, 0, 0, 0,  0, 5, 0, 8, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0}));
}

TEST(Pcapng, LongTextIsCut) {
  PcapngPacket packet;
  packet.comment = std::string(kPcapngTextMax + 1, 'x');
  EXPECT_EQ(pcapng_packet(packet).size(), 32 + 4 + kPcapngTextMax + 8 + 4);
}

std::string capture() {
  PcapngPacket packet;
  packet.comment = "c";
  return pcapng_head("p") + pcapng_interface({}) + pcapng_packet(packet) + pcapng_packet(packet) +
         pcapng_statistics({0, 1, 7, 5}) + pcapng_statistics({1, 1, 7, 6});
}

TEST(Pcapng, BlocksAreFoundHoweverTheBytesCome) {
  const std::string whole = capture();
  for (size_t cut = 0; cut <= whole.size(); cut++) {
    PcapngBlocks blocks;
    std::string out;
    const auto take = [&](std::string_view block) { out += block; };
    ASSERT_TRUE(blocks.read(std::string_view(whole).substr(0, cut), take));
    EXPECT_LE(out.size(), cut);
    EXPECT_TRUE(whole.starts_with(out));
    ASSERT_TRUE(blocks.read(std::string_view(whole).substr(cut), take));
    EXPECT_EQ(out, whole);
    EXPECT_EQ(blocks.packets(), 2u);
    EXPECT_EQ(blocks.lost(), 11u);
  }
}

TEST(Pcapng, WhatIsNoCaptureIsRefused) {
  const auto nowhere = [](std::string_view) {};
  const std::string packet = pcapng_packet({});
  std::string lies = packet;
  lies[4] = 8;
  EXPECT_FALSE(PcapngBlocks().read(lies, nowhere));
  lies[4] = static_cast<char>(packet.size() + 1);
  EXPECT_FALSE(PcapngBlocks().read(lies, nowhere));
  lies = packet;
  lies[7] = 1;
  EXPECT_FALSE(PcapngBlocks().read(lies, nowhere));
  lies = packet;
  lies[packet.size() - 4]++;
  EXPECT_FALSE(PcapngBlocks().read(lies, nowhere));
  // Options that lead out of their block.
  std::string statistics = pcapng_statistics({0, 1, 7, 5});
  statistics[22] = statistics[23] = static_cast<char>(0xff);
  PcapngBlocks blocks;
  EXPECT_TRUE(blocks.read(statistics, nowhere));
  EXPECT_EQ(blocks.lost(), 0u);
}

}  // namespace
}  // namespace sluice::tunnels
