// SPDX-License-Identifier: Apache-2.0
#include "appliances/sdk/capture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace sluice::sdk {
namespace {

using Bytes = std::vector<uint8_t>;

const Bytes kIp = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 47, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
const Bytes kMacs(12, 2);

Bytes operator+(const Bytes& a, const Bytes& b) {
  Bytes sum = a;
  sum.insert(sum.end(), b.begin(), b.end());
  return sum;
}

// A pcap file (microseconds, this machine's byte order) with one frame a second.
Bytes pcap_file(uint32_t link_type, const std::vector<Bytes>& frames) {
  Bytes file;
  const auto word = [&](uint32_t value) {
    uint8_t bytes[4];
    std::memcpy(bytes, &value, 4);
    file.insert(file.end(), bytes, bytes + 4);
  };
  for (const uint32_t value : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, link_type}) word(value);
  uint32_t second = 1000;
  for (const Bytes& frame : frames) {
    for (const uint32_t value : {second++, 5u, uint32_t(frame.size()), uint32_t(frame.size())})
      word(value);
    file.insert(file.end(), frame.begin(), frame.end());
  }
  return file;
}

struct Watcher : Appliance {
  std::vector<Bytes> packets;
  std::vector<int64_t> times;
  std::vector<CapturedFrame> frames;  // without their headers
  std::vector<Bytes> headers;
  unsigned ticks = 0, finishes = 0;
  Answer handle(Packet& packet, Injector&) override {
    packets.emplace_back(packet.ip.begin(), packet.ip.end());
    times.push_back(packet.time_us);
    frames.push_back(*packet.frame);
    headers.emplace_back(packet.frame->header.begin(), packet.frame->header.end());
    return Answer::kReturn;
  }
  void tick(int64_t) override { ticks++; }
  void finish(int64_t) override { finishes++; }
};

Result<> run_bytes(const Bytes& bytes, Watcher& watcher) {
  const std::string file =
      testing::TempDir() + "capture_test_" + std::to_string(getpid()) + ".pcap";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  Result<> result = run_capture(file, watcher);
  std::remove(file.c_str());
  return result;
}

TEST(Capture, ShowsIpOfEveryLinkTypeWithTheCapturesTimes) {
  const struct {
    uint32_t link_type;
    Bytes frame;
  } cases[] = {
      {1, kMacs + Bytes{8, 0} + kIp},
      {1, kMacs + Bytes{0x81, 0, 0, 5, 8, 0} + kIp},
      {1, kMacs + Bytes{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0} + kIp},
      {1, kMacs + Bytes{0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x21} + kIp},
      {1, kMacs + Bytes{0x88, 0x64, 0x11, 0, 0, 1, 0, 21, 0x21} + kIp},
      {101, kIp},
      {113, Bytes(14) + Bytes{8, 0} + kIp},
      {276, Bytes{8, 0} + Bytes(18) + kIp},
      {0, Bytes{2, 0, 0, 0} + kIp},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.link_type);
    Watcher watcher;
    const auto result = run_bytes(pcap_file(c.link_type, {c.frame, c.frame}), watcher);
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(watcher.packets, (std::vector<Bytes>{kIp, kIp}));
    EXPECT_EQ(watcher.times, (std::vector<int64_t>{1000'000'005, 1001'000'005}));
    EXPECT_EQ(watcher.ticks, 2u);
    EXPECT_EQ(watcher.finishes, 1u);
  }
}

TEST(Capture, TellsOfTheFrameAroundThePacket) {
  const Bytes tagged = kMacs + Bytes{0x88, 0xa8, 0x10, 5, 0x81, 0, 0x20, 6, 8, 0};
  const Bytes plain = kMacs + Bytes{8, 0};
  Watcher watcher;
  ASSERT_TRUE(run_bytes(pcap_file(1, {tagged + kIp, plain + Bytes(2), plain + kIp}), watcher));
  ASSERT_EQ(watcher.frames.size(), 3u);
  EXPECT_EQ(watcher.headers[0], tagged);
  EXPECT_EQ(watcher.frames[0].number, 1u);
  EXPECT_EQ(watcher.frames[0].vlans[0], 5);
  EXPECT_EQ(watcher.frames[0].vlans[1], 6);
  EXPECT_EQ(watcher.frames[0].length, tagged.size() + kIp.size());
  EXPECT_EQ(watcher.frames[0].link_type, 1);
  EXPECT_EQ(watcher.frames[2].number, 3u);
  EXPECT_EQ(watcher.frames[2].vlans[0], 0);
}

TEST(Capture, PassesOverFramesWithoutIp) {
  Watcher watcher;
  ASSERT_TRUE(run_bytes(
      pcap_file(1, {kMacs + Bytes{8, 6} + Bytes(28), Bytes(3), kMacs + Bytes{8, 0}}), watcher));
  const Bytes pppoe = kMacs + Bytes{0x88, 0x64, 0x11, 0, 0, 1};
  ASSERT_TRUE(run_bytes(pcap_file(1, {pppoe, pppoe + Bytes{0, 4, 0xc0, 0x21}}), watcher));
  ASSERT_TRUE(run_bytes(pcap_file(113, {Bytes(5)}), watcher));
  ASSERT_TRUE(run_bytes(pcap_file(0, {Bytes(2)}), watcher));
  EXPECT_TRUE(watcher.packets.empty());
}

// Or it would look as if nothing had been found in it.
TEST(Capture, AFileThatHoldsNoIpIsSpokenOf) {
  const Bytes mpls = kMacs + Bytes{0x88, 0x47, 0, 1, 0x31, 0xff} + kIp;
  const auto said = [](const Bytes& file) {
    Watcher watcher;
    testing::internal::CaptureStderr();
    EXPECT_TRUE(run_bytes(file, watcher));
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_NE(said(pcap_file(1, {mpls, mpls})).find(": none of its 2 frames holds IP that is read\n"),
            std::string::npos);
  EXPECT_EQ(said(pcap_file(1, {mpls, kMacs + Bytes{8, 0} + kIp})), "");
  EXPECT_EQ(said(pcap_file(1, {})), "");
}

TEST(Capture, FilesOfADirectoryAreOneCapture) {
  const std::string directory =
      testing::TempDir() + "capture_test_" + std::to_string(getpid()) + ".d";
  std::filesystem::create_directories(directory + "/below");
  const auto write = [&](const char* name, uint32_t link_type, const Bytes& frame) {
    const Bytes bytes = pcap_file(link_type, {frame});
    std::ofstream(directory + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  };
  Watcher empty;
  const auto nothing = run_capture(directory, empty);
  ASSERT_FALSE(nothing);
  EXPECT_NE(nothing.error().text().find("there is no capture"), std::string::npos);
  EXPECT_EQ(empty.finishes, 0u);
  write("/b.pcap", 113, Bytes(14) + Bytes{8, 0} + kIp);
  write("/a.pcap", 1, kMacs + Bytes{8, 0} + kIp);
  write("/.hidden", 105, kIp);
  Watcher watcher;
  const auto both = run_capture(directory, watcher);
  EXPECT_TRUE(both) << both.error().text();
  ASSERT_EQ(watcher.frames.size(), 2u);
  EXPECT_EQ(watcher.frames[0].link_type, 1);
  EXPECT_EQ(watcher.frames[1].link_type, 113);
  EXPECT_EQ(watcher.frames[1].number, 2u);
  EXPECT_EQ(watcher.finishes, 1u);
  // What is no capture is said, not passed over.
  write("/c.pcap", 105, kIp);
  EXPECT_FALSE(run_capture(directory, watcher));
  std::filesystem::remove_all(directory);
}

TEST(Capture, BadFilesAreErrorsOfOneLine) {
  Watcher watcher;
  EXPECT_FALSE(run_capture("/nonexistent.pcap", watcher));
  EXPECT_FALSE(run_bytes(Bytes(100, 'x'), watcher));
  EXPECT_FALSE(run_bytes({}, watcher));
  const auto wifi = run_bytes(pcap_file(105, {}), watcher);
  ASSERT_FALSE(wifi);
  EXPECT_NE(wifi.error().text().find("captures of link type 105 are not read"), std::string::npos);
  // Cut inside a packet: what came before counts, the rest is an error.
  Bytes cut = pcap_file(101, {kIp, kIp});
  cut.resize(cut.size() - 5);
  const auto result = run_bytes(cut, watcher);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text().find('\n'), std::string::npos);
  EXPECT_EQ(watcher.packets.size(), 1u);
}

}  // namespace
}  // namespace sluice::sdk
