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
