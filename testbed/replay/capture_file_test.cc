// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/capture_file.h"

#include <gtest/gtest.h>
#include <pcap/dlt.h>

#include <filesystem>
#include <fstream>

#include "testbed/replay/link_header.h"
#include "tunnels/frames_for_test.h"

namespace sluice::testbed {
namespace {

namespace frames = tunnels::frames;
using frames::Bytes;

class CaptureFileTest : public testing::Test {
 protected:
  CaptureFileTest() : path_(testing::TempDir() + "capture_file_test.pcap") {}
  ~CaptureFileTest() override { std::filesystem::remove(path_); }

  void put(const Bytes& bytes) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  Bytes get() {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write_two_frames() {
    auto writer = CaptureWriter::create(path_);
    ASSERT_TRUE(writer) << writer.error().text();
    writer->write(1'700'000'000'123'456'789, first_);
    writer->write(1'700'000'001'000'000'000, second_);
    ASSERT_TRUE(writer->finish());
  }

  std::string path_;
  const Bytes first_ =
      frames::ethernet(tunnels::kEtherTypeIpv4, {},
                       frames::ipv4(tunnels::kProtocolUdp, frames::udp(1, 2, {1, 2, 3})));
  const Bytes second_ = frames::ethernet(tunnels::kEtherTypeIpv6, {0x8100},
                                         frames::ipv6(tunnels::kProtocolTcp, frames::tcp(1, 2)));
};

TEST_F(CaptureFileTest, ReadsWhatItWrote) {
  write_two_frames();
  auto reader = CaptureReader::open(path_);
  ASSERT_TRUE(reader) << reader.error().text();
  CapturedFrame frame;
  ASSERT_TRUE(*reader->next(frame));
  EXPECT_EQ(frame.time_ns, 1'700'000'000'123'456'789);
  EXPECT_EQ(Bytes(frame.bytes.begin(), frame.bytes.end()), first_);
  ASSERT_TRUE(*reader->next(frame));
  EXPECT_EQ(Bytes(frame.bytes.begin(), frame.bytes.end()), second_);
  EXPECT_FALSE(*reader->next(frame));
  EXPECT_EQ(reader->counts().frames, 2u);
  EXPECT_EQ(reader->counts().truncated, 0u);
}

// Every length gives an error that names the file, or the frames that were whole.
TEST_F(CaptureFileTest, CutAtEveryByte) {
  write_two_frames();
  const Bytes whole = get();
  const size_t first_end = 24 + 16 + first_.size();
  for (size_t length = 0; length < whole.size(); length++) {
    put(frames::first(whole, length));
    auto reader = CaptureReader::open(path_);
    EXPECT_EQ(reader.has_value(), length >= 24) << length;
    if (!reader) {
      EXPECT_TRUE(reader.error().text().starts_with(path_ + ": ")) << reader.error().text();
      continue;
    }
    CapturedFrame frame;
    Result<bool> more = true;
    while (more && *more) more = reader->next(frame);
    EXPECT_EQ(more.has_value(), length == 24 || length == first_end) << length;
    if (!more) {
      EXPECT_TRUE(more.error().text().starts_with(path_ + ": "));
    }
    EXPECT_EQ(reader->counts().frames, length >= first_end ? 1u : 0u) << length;
  }
}

TEST_F(CaptureFileTest, WhatIsNoCaptureIsNamed) {
  const auto missing = CaptureReader::open("/nowhere/x.pcap");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(), "/nowhere/x.pcap: No such file or directory");
  put({'h', 'e', 'l', 'l', 'o', ',', ' ', 'y', 'o', 'u', '\n'});
  const auto text = CaptureReader::open(path_);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().text(), path_ + ": not a capture file: unknown file format");
  EXPECT_FALSE(CaptureWriter::create("/nowhere/x.pcap"));
}

Bytes file_header(uint32_t link_type) {
  Bytes out = {0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0};
  frames::append16(out, static_cast<uint16_t>(link_type >> 16));
  frames::append16(out, static_cast<uint16_t>(link_type));
  return out;
}

void append_frame(Bytes& out, const Bytes& frame, uint16_t length_on_wire) {
  frames::append(out, {0, 0, 0, 7, 0, 0, 0, 5, 0, 0});
  frames::append16(out, static_cast<uint16_t>(frame.size()));
  frames::append(out, {0, 0});
  frames::append16(out, length_on_wire);
  frames::append(out, frame);
}

TEST_F(CaptureFileTest, CountsTruncatedAndLeavesOutTooLong) {
  Bytes file = file_header(1);
  append_frame(file, first_, 1500);
  append_frame(file, Bytes(kFrameLengthMax + 1), kFrameLengthMax + 1);
  append_frame(file, Bytes(kFrameLengthMax), kFrameLengthMax);
  put(file);
  auto reader = CaptureReader::open(path_);
  ASSERT_TRUE(reader);
  CapturedFrame frame;
  ASSERT_TRUE(*reader->next(frame));
  EXPECT_EQ(frame.bytes.size(), first_.size());
  EXPECT_EQ(frame.time_ns, 7'000'005'000);
  ASSERT_TRUE(*reader->next(frame));
  EXPECT_EQ(frame.bytes.size(), kFrameLengthMax);
  EXPECT_FALSE(*reader->next(frame));
  EXPECT_EQ(reader->counts().frames, 3u);
  EXPECT_EQ(reader->counts().truncated, 1u);
  EXPECT_EQ(reader->counts().too_long, 1u);
}

TEST_F(CaptureFileTest, OtherLinkTypesAreRefusedByName) {
  put(file_header(105));
  const auto reader = CaptureReader::open(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().text(), path_ + ": frames of link type 105 (802.11) cannot be replayed");
}

TEST_F(CaptureFileTest, RawIpBecomesEthernet) {
  const Bytes ip = frames::ipv4(tunnels::kProtocolUdp, frames::udp(1, 2));
  for (uint32_t link_type : {101u, 228u}) {
    Bytes file = file_header(link_type);
    append_frame(file, ip, static_cast<uint16_t>(ip.size()));
    append_frame(file, {0x00, 0x11}, 2);  // neither 4 nor 6
    put(file);
    auto reader = CaptureReader::open(path_);
    ASSERT_TRUE(reader) << reader.error().text();
    CapturedFrame frame;
    ASSERT_TRUE(*reader->next(frame));
    Bytes expected = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
    frames::append(expected, ip);
    EXPECT_EQ(Bytes(frame.bytes.begin(), frame.bytes.end()), expected);
    EXPECT_FALSE(*reader->next(frame));
    EXPECT_EQ(reader->counts().not_ethernet, 1u);
  }
}

struct LinkCase {
  int link_type;
  Bytes header;
  Bytes source;  // of the Ethernet header
};

TEST(LinkHeader, CookedAndLoopbackFrames) {
  const Bytes made = {2, 0, 0, 0, 0, 1};
  const Bytes ip = frames::ipv6(tunnels::kProtocolUdp, frames::udp(1, 2));
  const LinkCase cases[] = {
      {DLT_LINUX_SLL, {0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x86, 0xdd}, {1, 2, 3, 4, 5, 6}},
      {DLT_LINUX_SLL, {0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd}, made},
      {DLT_LINUX_SLL2,
       {0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0},
       {1, 2, 3, 4, 5, 6}},
      {DLT_NULL, {30, 0, 0, 0}, made},
      {DLT_LOOP, {0, 0, 0, 24}, made},
      {DLT_RAW, {}, made},
  };
  for (const LinkCase& c : cases) {
    Bytes frame = c.header;
    frames::append(frame, ip);
    Bytes out;
    ASSERT_TRUE(convert_to_ethernet(c.link_type, frame, out)) << c.link_type;
    Bytes expected = {2, 0, 0, 0, 0, 2};
    frames::append(expected, c.source);
    frames::append16(expected, tunnels::kEtherTypeIpv6);
    frames::append(expected, ip);
    EXPECT_EQ(out, expected) << c.link_type;
    for (size_t length = 0; length < c.header.size(); length++)
      EXPECT_FALSE(convert_to_ethernet(c.link_type, frames::first(frame, length), out));
  }
  Bytes out;
  // Linux's own numbers below 0x0600 (here 802.2) have no EtherType.
  EXPECT_FALSE(convert_to_ethernet(
      DLT_LINUX_SLL, Bytes{0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0, 4, 0x42, 0x42}, out));
  EXPECT_FALSE(link_type_is_known(DLT_IEEE802_11));
}

}  // namespace
}  // namespace sluice::testbed
