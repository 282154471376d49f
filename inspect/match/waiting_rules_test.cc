// SPDX-License-Identifier: Apache-2.0
// Rules on streams that wait: for how long, and what that costs.
#include <algorithm>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

// What a rule asks, a rule that brings it about, and one that does before anything else.
struct State {
  const char* asks;
  const char* comes;
  const char* before = nullptr;
};
constexpr State kStates[] = {
    {"flowbits:isset,s", "flowbits:set,s"},
    {"flowbits:isset,t|s", "flowbits:set,s"},
    {"flowbits:isnotset,s", "flowbits:unset,s", "flowbits:set,s"},
    {"flowint:s,>,1", "flowint:s,=,2"},
    {"flowint:s,isset", "flowint:s,=,1"},
    {"xbits:isset,s,track ip_src", "xbits:set,s,track ip_src"},
    {"xbits:isnotset,s,track ip_src", "xbits:unset,s,track ip_src", "xbits:set,s,track ip_src"},
    {"hostbits:isset,s", "hostbits:set,s"},
};

// `first`: rules before the one that does it.
std::string rules_of(const State& state, const std::string& first, const std::string& content) {
  std::string rules = first + "alert tcp any any -> any any (content:\"comes\"; " + state.comes +
                      "; noalert; sid:9;)\n";
  if (state.before != nullptr)
    rules = "alert tcp any any -> any any (content:\"before\"; " + std::string(state.before) +
            "; noalert; sid:8;)\n" + rules;
  return rules + "drop tcp any any -> any any (" + content + state.asks + "; sid:1;)";
}

// A connection in which `before` has been said.
uint32_t begin(Harness& h, const Ends& c) {
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, "before"));
  return 6;
}

TEST(WaitingRules, AreForgottenIfTheyHeldButForAState) {
  const char* const kContents[] = {
      "content:\"evil\"; ",
      "content:\"evil\"; content:\"bad\"; ",
      "content:\"evil\"; content:\"bad\"; distance:0; ",
      "content:\"bad\"; content:\"evil\"; distance:-20; pcre:\"/bad.?$/\"; ",
      "content:\"evil\"; content:!\"good\"; ",
      "pcre:\"/evil..?bad/\"; ",
      "content:\"ad\"; pcre:\"/evil ?bad/\"; ",
  };
  for (const State& state : kStates) {
    for (const char* content : kContents) {
      Harness h(rules_of(state, "", content));
      const Ends c;
      uint32_t at = begin(h, c);
      EXPECT_TRUE(h.data(c, at, "evil bad")) << state.asks;
      EXPECT_TRUE(h.data(c, at + 8, "comes")) << state.asks << content;
      EXPECT_TRUE(h.data(c, at + 13, ".")) << state.asks << content;
      EXPECT_FALSE(h.data(c, at + 14, "evil bad")) << state.asks << content;
      EXPECT_EQ(h.alerts(), Sids{1}) << state.asks << content;
    }
  }
}

// In this one, or in one after the first.
TEST(WaitingRules, AskForTheStateWhenTheLastContentComes) {
  for (const State& state : kStates) {
    Harness h(rules_of(state, "", "content:\"evil\"; content:\"bad\"; "));
    const Ends c;
    uint32_t at = begin(h, c);
    EXPECT_TRUE(h.data(c, at, "evil b")) << state.asks;
    EXPECT_TRUE(h.data(c, at + 6, "comes"));
    EXPECT_TRUE(h.data(c, at + 11, ".."));
    EXPECT_FALSE(h.data(c, at + 13, "bad")) << state.asks;
  }
}

// Whichever of them stands first, and whatever the other one looks at.
TEST(WaitingRules, FindWhatAnotherRuleNotesOfTheSamePacket) {
  const std::string check =
      "drop tcp any any -> any any (content:\"evil\"; flowbits:isset,s; sid:1;)\n"
      "drop tcp any any -> any any (pcre:\"/e.il/\"; flowbits:isset,s; sid:2;)\n";
  const char* const kSetters[] = {
      "alert tcp any any -> any any (content:\"one\"; ",
      "alert tcp-pkt any any -> any any (content:\"one\"; ",
      "alert tcp any any -> any any (dsize:>1; ",
      "alert http any any -> any any (http.uri; content:\"one\"; ",
  };
  for (const std::string setter : kSetters) {
    const std::string set = setter + "flowbits:set,s; noalert; sid:9;)\n";
    for (const std::string& rules : {set + check, check + set}) {
      Harness h(rules);
      const Ends c;
      h.connect(c);
      EXPECT_FALSE(h.data(c, 0, "GET /one?evil HTTP/1.1\r\nHost: h\r\n\r\n")) << rules;
      auto alerts = h.alerts();
      std::sort(alerts.begin(), alerts.end());
      EXPECT_EQ(alerts, (Sids{1, 2})) << rules;
    }
  }
}

// A segment that fills a gap brings all that waited behind it.
TEST(WaitingRules, FindWhatIsNotedOfBytesThatComeTogether) {
  Harness h(
      "drop tcp any any -> any any (content:\"evil\"; flowbits:isset,s; sid:1;)\n"
      "alert tcp any any -> any any (content:\"comes\"; flowbits:set,s; noalert; sid:2;)");
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 10, "comes"));
  EXPECT_TRUE(h.data(c, 5, "....."));
  EXPECT_FALSE(h.data(c, 0, "evil."));
}

// What tells them apart are the same bytes.
TEST(WaitingRules, WaitForTheProtocolOfTheConnection) {
  for (const char* rule : {
           "drop http any any -> any any (content:\"EVIL\"; sid:1;)",
           "drop tcp any any -> any any (content:\"EVIL\"; app-layer-protocol:http; sid:1;)",
           "drop tcp any any -> any any (content:\"EVIL\"; app-layer-protocol:!ssh; sid:1;)",
           "drop http any any -> any any (content:\"EVIL\"; flowbits:isnotset,s; sid:1;)",
       }) {
    Harness h(rule);
    const Ends c;
    h.connect(c);
    EXPECT_TRUE(h.data(c, 0, "EVIL /x HT")) << rule;
    EXPECT_FALSE(h.data(c, 10, "TP/1.1\r\nHost: h\r\n\r\n")) << rule;
  }
}

}  // namespace
}  // namespace sluice::inspect
