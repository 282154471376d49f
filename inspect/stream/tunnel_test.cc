// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/tunnel.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;

std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes kInner = testing::udp({"192.0.2.1", "192.0.2.2", 1000, 53}, "query");
const Bytes kInner6 = testing::udp({"fd00::1", "fd00::2", 1000, 53}, "query");
const testing::Ends kOuter{"10.0.0.1", "10.0.0.2", 7000, 2152};

Bytes gtpu(const Bytes& header, const Bytes& inner) {
  return testing::udp(kOuter, text(header + inner));
}
Bytes capwap(const Bytes& wifi) {
  const Bytes header = {0x00, 0x10, 0x02, 0x00, 0, 0, 0, 0};
  return testing::udp({"10.0.0.1", "10.0.0.2", 7000, 5247}, text(header + wifi));
}
Bytes wifi(Bytes control, size_t more = 0) {
  return control + Bytes(22 + more) + Bytes{0xaa, 0xaa, 3, 0, 0, 0, 8, 0} + kInner;
}

struct Case {
  const char* name;
  Bytes packet;
  Bytes inner;
};

struct Opened {
  bool entered;
  Bytes ip;
};
Opened open(const Bytes& packet) {
  std::span<const uint8_t> ip = packet;
  tunnels::packet parsed = testing::parsed(packet);
  const bool entered = enter_tunnels(ip, parsed);
  EXPECT_EQ(parsed.l3_length, ip.size());
  return {entered, {ip.begin(), ip.end()}};
}

TEST(Tunnel, FindsThePacketInside) {
  const Case cases[] = {
      {"4 in 4", testing::ip_packet(kOuter, 4, kInner), kInner},
      {"6 in 4", testing::ip_packet(kOuter, 41, kInner6), kInner6},
      {"6 in 6", testing::ip_packet({"fd01::1", "fd01::2"}, 41, kInner6), kInner6},
      {"bytes after it", testing::ip_packet(kOuter, 4, kInner + Bytes(3)), kInner},
      {"GTP-U", gtpu({0x30, 255, 0, 0, 0, 0, 0, 1}, kInner), kInner},
      {"GTP-U, sequence", gtpu({0x32, 255, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0}, kInner), kInner},
      {"GTP-U, extension", gtpu({0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0}, kInner),
       kInner},
      {"CAPWAP", capwap(wifi({0x08, 0x01})), kInner},
      {"CAPWAP, swapped", capwap(wifi({0x01, 0x08})), kInner},
      {"CAPWAP, QoS", capwap(wifi({0x88, 0x01}, 2)), kInner},
      {"CAPWAP, four addresses", capwap(wifi({0x08, 0x03}, 6)), kInner},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Opened opened = open(c.packet);
    EXPECT_TRUE(opened.entered);
    EXPECT_EQ(opened.ip, c.inner);
  }
}

const Bytes kFrame = Bytes(12) + Bytes{8, 0} + kInner;
const Bytes kTaggedFrame = Bytes(12) + Bytes{0x81, 0, 0, 7, 8, 0} + kInner;

Bytes gre(const Bytes& header, const Bytes& inner) {
  return testing::ip_packet(kOuter, 47, header + inner);
}
Bytes at_port(uint16_t port, const Bytes& header, const Bytes& inner) {
  return testing::udp({"10.0.0.1", "10.0.0.2", 7000, port}, text(header + inner));
}

Bytes payload(const Bytes& packet) {
  const auto found = tunnel_payload(packet, testing::parsed(packet));
  return {found.begin(), found.end()};
}

TEST(Tunnel, OpensOneForInspection) {
  const Case cases[] = {
      {"4 in 4", testing::ip_packet(kOuter, 4, kInner), kInner},
      {"GTP-U", gtpu({0x30, 255, 0, 0, 0, 0, 0, 1}, kInner), kInner},
      {"GRE", gre({0, 0, 8, 0}, kInner), kInner},
      {"GRE, IPv6", gre({0, 0, 0x86, 0xdd}, kInner6), kInner6},
      {"GRE, all fields", gre(Bytes{0xb0, 0, 8, 0} + Bytes(12), kInner), kInner},
      {"GRE, recursion", gre({1, 0, 8, 0}, kInner), kInner},
      {"GRE, strict source route", gre({8, 0, 8, 0}, kInner), kInner},
      {"GRE, Ethernet", gre({0, 0, 0x65, 0x58}, kFrame), kInner},
      {"VXLAN", at_port(4789, {8, 0, 0, 0, 0, 0, 1, 0}, kFrame), kInner},
      {"VXLAN, tagged", at_port(4789, {8, 0, 0, 0, 0, 0, 1, 0}, kTaggedFrame), kInner},
      {"GENEVE", at_port(6081, {0, 0, 8, 0, 0, 0, 1, 0}, kInner), kInner},
      {"GENEVE, an option", at_port(6081, {1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 0}, kFrame),
       kInner},
      {"GRE, version 1", gre({0x20, 1, 8, 0, 0, 0, 0, 0}, kInner), {}},
      {"GRE, routing", gre({0x40, 0, 8, 0, 0, 0, 0, 0}, kInner), {}},
      {"GRE, ARP", gre({0, 0, 8, 6}, kInner), {}},
      {"GRE, no payload", gre({0x80, 0, 8, 0, 1, 2, 3, 4}, {}), {}},
      {"VXLAN, no number", at_port(4789, {0, 0, 0, 0, 0, 0, 1, 0}, kFrame), {}},
      {"GENEVE, version 1", at_port(6081, {0x40, 0, 8, 0, 0, 0, 1, 0}, kInner), {}},
      {"GENEVE, too many options", at_port(6081, {0x3f, 0, 8, 0, 0, 0, 1, 0}, kInner), {}},
      {"none", kInner, {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(payload(c.packet), c.inner);
  }
}

TEST(Tunnel, LeavesAloneWhatIsNone) {
  const Bytes cases[] = {
      kInner,
      testing::ip_packet(kOuter, 4, Bytes(10)),
      testing::ip_packet(kOuter, 4, Bytes(kInner.begin(), kInner.end() - 1)),
      gtpu({0x30, 1, 0, 0, 0, 0, 0, 1}, kInner),
      gtpu({0x50, 255, 0, 0, 0, 0, 0, 1}, kInner),
      gtpu({0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 0}, {}),
      gtpu({0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 200}, kInner),
      gtpu({0x34, 255, 0, 0, 0, 0, 0, 1}, {}),
      capwap(wifi({0x40, 0x00})),
      capwap(wifi({0x08, 0x41})),
      testing::udp({"10.0.0.1", "10.0.0.2", 5247, 1}, std::string("\x01\xff\0\0", 4)),
  };
  for (const Bytes& packet : cases) {
    const Opened opened = open(packet);
    EXPECT_FALSE(opened.entered);
    EXPECT_EQ(opened.ip, packet);
  }
}

TEST(Tunnel, DepthIsLimited) {
  Bytes packet = kInner;
  for (int i = 0; i < kTunnelDepthMax + 2; i++) packet = testing::ip_packet(kOuter, 4, packet);
  const Opened opened = open(packet);
  EXPECT_TRUE(opened.entered);
  EXPECT_EQ(opened.ip.size(), kInner.size() + 2 * 20);
}

TEST(Tunnel, EveryCutIsHarmless) {
  for (const Bytes& whole : {gtpu({0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0}, kInner),
                             capwap(wifi({0x88, 0x01}, 2))}) {
    for (size_t length = 28; length <= whole.size(); length++) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      cut.shrink_to_fit();
      tunnels::store_be16(&cut[2], static_cast<uint16_t>(length));
      tunnels::packet packet;
      if (parse_ip_packet(cut, packet) != tunnels::kDropNone) continue;
      std::span<const uint8_t> ip = cut;
      EXPECT_EQ(enter_tunnels(ip, packet), length == whole.size());
    }
  }
  for (const Bytes& whole : {gre(Bytes{0xb0, 0, 0x65, 0x58} + Bytes(12), kTaggedFrame),
                             at_port(6081, {1, 0, 8, 0, 0, 0, 1, 0, 1, 2, 3, 0}, kInner)}) {
    for (size_t length = 28; length <= whole.size(); length++) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      cut.shrink_to_fit();
      tunnels::store_be16(&cut[2], static_cast<uint16_t>(length));
      tunnels::packet packet;
      if (parse_ip_packet(cut, packet) != tunnels::kDropNone) continue;
      EXPECT_LE(tunnel_payload(cut, packet).size(), kInner.size());
    }
  }
}

}  // namespace
}  // namespace sluice::inspect
