// SPDX-License-Identifier: Apache-2.0
// Rules about what nDPI says.
#include "inspect/match/traffic_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness, traffic

const Ends kResolver{"10.0.0.1", "10.0.0.53", 40000, 53};

TEST(NdpiRules, AreAskedWhenNdpiHasLearnedSomething) {
  Harness h(
      "alert ip any any -> any any (ndpi-protocol:DNS; sid:1;)\n"
      "alert ip any any -> any any (ndpi-protocol:!DNS; sid:2;)\n"
      "alert ip any any -> any any (ndpi-protocol:HTTP,TLS; sid:3;)\n"
      "alert udp any any -> any any (content:\"example\"; ndpi-protocol:DNS; sid:4;)\n");
  dns_traffic(h);
  const Sids alerts = h.alerts();
  EXPECT_GE(std::ranges::count(alerts, 1), 1);
  EXPECT_GE(std::ranges::count(alerts, 4), 1);
  EXPECT_FALSE(std::ranges::count(alerts, 2));
  EXPECT_FALSE(std::ranges::count(alerts, 3));
}

TEST(NdpiRules, ADropHoldsForTheFlow) {
  Harness h("drop ip any any -> any any (ndpi-protocol:DNS; sid:1;)");
  bool passed = true;
  for (uint16_t id = 1; id <= 30 && passed; id++)
    passed = h.send(udp(kResolver, dns_query("www.example.org", id)));
  EXPECT_FALSE(passed);
  EXPECT_FALSE(h.send(udp(kResolver.turned(), "x")));
  EXPECT_EQ(h.alerts(), (Sids{1}));
}

TEST(NdpiRules, APassHoldsForTheFlow) {
  Harness h(
      "pass ip any any -> any any (ndpi-protocol:DNS; sid:1;)\n"
      "alert udp any any -> any any (content:\"evil\"; sid:2;)\n");
  for (uint16_t id = 1; id <= 30; id++) h.send(udp(kResolver, dns_query("www.example.org", id)));
  h.send(udp(kResolver, "evil"));
  EXPECT_TRUE(h.alerts().empty());
}

TEST(NdpiRules, AReloadBringsThem) {
  Harness h("alert udp any any -> any any (content:\"nowhere\"; sid:1;)");
  EXPECT_FALSE(h.engine()->asks_for_classification());
  h.reload("alert ip any any -> any any (ndpi-protocol:DNS; sid:2;)");
  dns_traffic(h);
  EXPECT_FALSE(h.alerts().empty());
}

TEST(NdpiRules, WhatElseTheyAskIsAskedOfEachPacket) {
  Harness h("drop udp any any -> any any (ndpi-protocol:DNS; dsize:>60; sid:1;)");
  for (uint16_t id = 1; id <= 30; id++)
    EXPECT_TRUE(h.send(udp(kResolver, dns_query("www.example.org", id)))) << id;
  EXPECT_FALSE(h.send(udp(kResolver, dns_query(std::string(60, 'a') + ".example.org", 31))));
}

// nDPI knows it by the first banner, which is the server's.
TEST(NdpiRules, HoldInBothDirections) {
  Harness h(
      "alert tcp any any -> any 22 (ndpi-protocol:SSH; sid:1;)\n"
      "alert tcp any any -> any any (ndpi-protocol:SSH; flow:established,to_server; sid:2;)\n");
  Talk talk(h, 22);
  talk.server("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_TRUE(h.alerts().empty());
  talk.client("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(NdpiRules, AReloadAsksTheNewOnesOfFlowsThatAreKnown) {
  const std::string first = "alert udp any any -> any any (ndpi-protocol:DNS; sid:1;)\n";
  Harness h(first);
  for (int i = 0; i < 30; i++) dns_traffic(h);
  h.forget_events();
  h.reload(first + "alert udp any any -> any any (ndpi-protocol:DNS; flow:to_server; sid:2;)\n");
  for (int i = 0; i < 3; i++) dns_traffic(h);
  EXPECT_EQ(h.alerts(), (Sids{2}));
}

TEST(NdpiRules, AreAnsweredBeforeTheParserTells) {
  Harness h(
      "drop dns any any -> any any (dns.query; content:\"example\"; ndpi-protocol:DNS; sid:1;)");
  EXPECT_FALSE(h.send(udp(kResolver, dns_query("www.example.org"))));
}

TEST(NdpiRules, UnknownNamesRefuseTheRule) {
  EngineOptions options;
  options.rule_texts = {{"t",
                         "alert ip any any -> any any (ndpi-protocol:TLS.YouTub; sid:1;)\n"
                         "alert ip any any -> any any (ndpi-risk:no such; sid:2;)\n"}};
  const auto engine = Engine::create(options);
  ASSERT_TRUE(engine);
  ASSERT_EQ((*engine)->refused().size(), 2u);
  EXPECT_EQ((*engine)->refused()[0].reason,
            "ndpi-protocol: unknown application 'YouTub', did you mean 'YouTube'?");
  EXPECT_TRUE((*engine)->refused()[1].reason.starts_with("ndpi-risk: unknown risk 'no such'"));
}

}  // namespace
}  // namespace sluice::inspect
