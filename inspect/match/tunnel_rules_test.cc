// SPDX-License-Identifier: Apache-2.0
// Packets in tunnels are inspected, and what carries them shares their verdict.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

const Ends kTunnel{"192.0.2.1", "192.0.2.2", 0, 0};

Bytes in_gre(const Bytes& inner) {
  Bytes header = {0, 0, 8, 0};
  header.insert(header.end(), inner.begin(), inner.end());
  return ip_packet(kTunnel, 47, header);
}

TEST(TunnelRules, ADropKeepsBackWhatCarriesThePacket) {
  Harness h("drop tcp any any -> any 80 (content:\"evil\"; sid:1;)");
  EXPECT_TRUE(h.send(in_gre(tcp({}, kSyn, 1000, 0))));
  EXPECT_TRUE(h.send(in_gre(tcp(Ends().turned(), kSyn | kAck, 5000, 1001))));
  EXPECT_TRUE(h.send(in_gre(tcp({}, kAck, 1001, 5001, "ev"))));
  EXPECT_FALSE(h.send(in_gre(tcp({}, kAck, 1003, 5001, "il"))));
  EXPECT_FALSE(h.send(in_gre(tcp({}, kAck, 1005, 5001, "more"))));
  EXPECT_EQ(h.alerts(), Sids{1});
  const InspectorCounters& counters = h.inspector().counters();
  EXPECT_EQ(counters.tunnelled, 5u);
  EXPECT_EQ(counters.packets, 5u);
  EXPECT_EQ(counters.passed, 3u);
  EXPECT_EQ(counters.dropped_by_rules + counters.dropped_by_flow, 2u);
  for (const auto& event : h.events()) {
    EXPECT_EQ(event.at("src_ip"), "10.0.0.1");
    EXPECT_EQ(event.at("tunnel").at("src_ip"), "192.0.2.1");
    EXPECT_EQ(event.at("tunnel").at("proto"), "GRE");
    EXPECT_EQ(event.at("tunnel").at("depth"), 1);
    EXPECT_EQ(event.at("pkt_src"), "gre tunnel");
  }
}

TEST(TunnelRules, ATunnelAddsNothingToAConnectionOutside) {
  Harness h("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
  h.connect({});
  EXPECT_TRUE(h.send(in_gre(tcp({}, kAck, 1001, 5001, "good"))));
  EXPECT_FALSE(h.data({}, 0, "evil")) << "the first copy of these bytes, for their receiver";
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(TunnelRules, ARejectInATunnelTellsNobody) {
  Harness h("reject tcp any any -> any any (content:\"evil\"; sid:1;)");
  EXPECT_FALSE(h.send(in_gre(tcp({}, kAck, 1001, 5001, "evil"))));
  EXPECT_EQ(h.responses().count(), 0u);
}

TEST(TunnelRules, UrgentDataInATunnelStayHere) {
  Harness h("drop tcp any any -> any any (content:\"evil\"; sid:1;)");
  constexpr uint8_t kUrgent = 0x20;
  EXPECT_TRUE(h.send(in_gre(tcp({}, kSyn, 1000, 0))));
  EXPECT_FALSE(h.send(in_gre(tcp({}, kAck | kUrgent, 1001, 5001, "ev-il"))));
  EXPECT_EQ(h.inspector().counters().dropped_malformed, 1u);
}

TEST(TunnelRules, FragmentsInsideAreOfTheTunnel) {
  Harness h("drop udp any any -> any any (content:\"evil and more\"; sid:1;)");
  const Bytes whole = udp({}, "evil and more of it");
  EXPECT_TRUE(h.send(in_gre(fragment(whole, 0, 16, 7))));
  EXPECT_TRUE(h.send(fragment(udp({}, "good and more of it"), 0, 16, 7)));
  EXPECT_FALSE(h.send(in_gre(fragment(whole, 16, 100, 7))));
  EXPECT_TRUE(h.send(fragment(udp({}, "good and more of it"), 16, 100, 7)));
}

Bytes in_vxlan(uint8_t network, const Ends& ends, const Bytes& inner) {
  std::string vxlan("\x08\0\0\0\0\0", 6);
  vxlan += static_cast<char>(network);
  vxlan += std::string(1 + 12, '\0') + std::string("\x08\0", 2);
  return udp(ends, vxlan + std::string(inner.begin(), inner.end()));
}

TEST(TunnelRules, EventsTellHowThePacketCame) {
  const Ends six{"fd00::1", "fd00::2"};
  const Bytes inner = udp({}, "evil");
  const std::pair<Bytes, const char*> kWays[] = {
      {in_gre(inner), "gre tunnel"},
      {ip_packet(kTunnel, 4, inner), "ipv4 tunnel"},
      {ip_packet(kTunnel, 41, udp(six, "evil")), "ipv4 tunnel"},
      {ip_packet(six, 4, inner), "ipv6 tunnel"},
      {in_vxlan(1, {"192.0.2.1", "192.0.2.2", 5000, 4789}, inner), "vxlan encapsulation"},
      {inner, "geneve encapsulation"}};
  for (const auto& [packet, way] : kWays) {
    Harness h("alert udp any any -> any !4789 (content:\"evil\"; sid:1;)");
    h.send(packet);
    ASSERT_EQ(h.alerts(), Sids{1}) << way;
    EXPECT_EQ(h.events().back().at("pkt_src"), way);
  }
}

// Tenants use the same addresses; who opens a tunnel takes all of its senders to the same hosts.
TEST(TunnelRules, FragmentsAreOfTheNetworkThatTheTunnelLeadsTo) {
  const Ends one{"192.0.2.1", "192.0.2.2", 5000, 4789};
  const Ends elsewhere{"192.0.2.1", "192.0.2.9", 5000, 4789};
  const Ends sender{"192.0.2.7", "192.0.2.2", 6000, 4789};
  const auto first = [](const char* text) { return fragment(udp({}, text), 0, 16, 7); };
  Harness h("drop udp any any -> any any (content:\"evil and more\"; sid:1;)");
  EXPECT_TRUE(h.send(in_vxlan(1, one, first("good and more of it"))));
  EXPECT_TRUE(h.send(in_vxlan(2, one, first("fine and more of it"))));
  EXPECT_TRUE(h.send(in_vxlan(1, elsewhere, first("nice and more of it"))));
  EXPECT_FALSE(h.send(in_vxlan(1, sender, first("evil and more of it"))));
  const auto in_gre_with_key = [](char key, const Bytes& inner) {
    Bytes header = {0x20, 0, 8, 0, 0, 0, 0, static_cast<uint8_t>(key)};
    header.insert(header.end(), inner.begin(), inner.end());
    return ip_packet(kTunnel, 47, header);
  };
  EXPECT_TRUE(h.send(in_gre_with_key(1, first("good and more of it"))));
  EXPECT_TRUE(h.send(in_gre_with_key(2, first("fine and more of it"))));
  EXPECT_FALSE(h.send(in_gre_with_key(1, first("evil and more of it"))));
  EXPECT_EQ(h.inspector().defragmenter().counters().overlaps, 2u);
  EXPECT_EQ(h.inspector().defragmenter().counters().fragments[0], 7u) << "those in tunnels count";
}

TEST(TunnelRules, WhatIsNoPacketPassesAsBefore) {
  Harness h("drop udp any any -> any any (content:\"evil\"; sid:1;)");
  EXPECT_TRUE(h.send(in_gre({0x45, 0, 0, 99})));
  EXPECT_TRUE(h.send(in_gre({})));
  Bytes deep = udp({}, "evil");
  for (int i = 0; i <= kTunnelDepthMax; i++) deep = in_gre(deep);
  EXPECT_TRUE(h.send(deep)) << "deeper than it is looked";
  EXPECT_EQ(h.inspector().counters().passed, 3u);
}

TEST(TunnelRules, APassForTheTunnelIsNoneForWhatIsInIt) {
  Harness h(
      "pass ip any any -> any any (ip_proto:47; sid:1;)\n"
      "drop udp any any -> any any (content:\"evil\"; sid:2;)");
  EXPECT_TRUE(h.send(in_gre(udp({}, "good"))));
  EXPECT_FALSE(h.send(in_gre(udp({}, "evil"))));
  EXPECT_EQ(h.inspector().counters().passed + h.inspector().counters().passed_by_flow, 1u);
}

}  // namespace
}  // namespace sluice::inspect
