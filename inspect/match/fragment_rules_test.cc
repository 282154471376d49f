// SPDX-License-Identifier: Apache-2.0
// Rules that are asked about fragments as they come (fragbits, fragoffset).
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

const Ends kEnds{"10.0.0.1", "10.0.0.9", 5000, 9};

Bytes part(size_t number) { return fragment(udp(kEnds, "evil word"), number * 8, 8, 7); }

TEST(FragmentRules, EachFragmentIsOneAndTheDatagramNone) {
  Harness h(
      "alert ip any any -> 10.0.0.9 any (fragbits:M; sid:1;)\n"
      "alert udp any any -> any any (fragoffset:>0; sid:2;)\n"
      "alert udp any any -> any 9 (content:\"evil word\"; sid:3;)\n"
      "alert udp any any -> any 9 (fragoffset:0; fragbits:!M; sid:4;)\n"
      "alert tcp any any -> any any (fragoffset:>0; sid:5;)\n");
  EXPECT_TRUE(h.send(part(0)));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_TRUE(h.send(part(1)));
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 2}));
  EXPECT_TRUE(h.send(part(2)));
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 2, 2, 3, 4}));
  EXPECT_EQ(h.inspector().counters().passed, 3u);
}

TEST(FragmentRules, ADroppedFragmentIsMissing) {
  Harness h(
      "drop ip any any -> any any (fragoffset:1; sid:1;)\n"
      "alert udp any any -> any any (content:\"word\"; sid:2;)\n");
  EXPECT_TRUE(h.send(part(0)));
  EXPECT_FALSE(h.send(part(1)));
  EXPECT_TRUE(h.send(part(2)));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(h.drops(), std::vector<std::string>{"rules"});
  EXPECT_EQ(h.inspector().counters().dropped_by_rules, 1u);
}

// What such a rule does not drop is judged when the datagram is whole, by the default action too.
TEST(FragmentRules, WhatIsNotDroppedIsJudgedWithItsDatagram) {
  InspectorOptions options;
  options.default_action = DefaultAction::kDrop;
  for (const char* action : {"alert", "pass"}) {
    Harness h(std::string(action) + " ip any any -> any any (fragbits:M; sid:1;)\n", options);
    EXPECT_TRUE(h.send(part(0)));
    EXPECT_TRUE(h.send(part(1)));
    EXPECT_FALSE(h.send(part(2))) << action;
    EXPECT_EQ(h.drops(), std::vector<std::string>{"default packet policy"});
  }
}

// A later fragment has no headers, whatever its bytes look like.
TEST(FragmentRules, AFragmentHasNoPortsNoMessageAndNoFlow) {
  Harness h(
      "alert icmp any any -> any any (itype:8; fragoffset:>=0; sid:1;)\n"
      "alert ip any any -> any 9 (fragoffset:>=0; sid:2;)\n"
      "alert ip any any -> any any (fragoffset:>=0; flow:to_server; sid:3;)\n"
      "alert ip any any -> any any (fragoffset:>=0; flow:established; sid:4;)\n");
  const Bytes ping = icmp(kEnds, 8, 0, "1234" + std::string(24, '\x8'));
  EXPECT_TRUE(h.send(fragment(ping, 8, 8, 7)));
  EXPECT_TRUE(h.send(part(1)));
  EXPECT_EQ(h.alerts(), Sids{});
}

}  // namespace
}  // namespace sluice::inspect
