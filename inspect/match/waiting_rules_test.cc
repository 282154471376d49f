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

// When it comes again, too; the first one is still there.
TEST(WaitingRules, AskForTheStateWhenAContentComesAgain) {
  for (const char* options :
       {"content:\"evil\"; content:\"bad\"; ", "content:\"evil\"; content:\"bad\"; distance:0; ",
        "content:\"evil\"; pcre:\"/bad/R\"; content:\"bad\"; "}) {
    for (const State& state : kStates) {
      Harness h(rules_of(state, "", options));
      const Ends c;
      uint32_t at = begin(h, c);
      EXPECT_TRUE(h.data(c, at, "evil bad "));
      EXPECT_TRUE(h.data(c, at + 9, "comes"));
      EXPECT_FALSE(h.data(c, at + 14, "bad")) << state.asks << options;
    }
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

// --- what waiting costs ---

std::string about(const std::string& options) {
  return "drop tcp any any -> any any (" + options + "sid:1;)";
}

// The answer to a text of which all has come at once.
bool holds_at_once(Harness& h, uint32_t number, std::string_view text) {
  Ends c;
  c.source_port = static_cast<uint16_t>(20'000 + number);
  h.connect(c);
  return !h.data(c, 0, text);
}

struct Wait {
  const char* options;
  std::string text;
  uint64_t tries;  // at most, when each byte comes by itself
};
const Wait kWaits[] = {
    {"content:\"key\"; isdataat:50,relative; ", "..key" + std::string(60, '.'), 2},
    {"content:\"key\"; isdataat:50; ", "..key" + std::string(60, '.'), 2},
    {"content:\"key\"; isdataat:!3,relative; ", "..key", 1},
    {"content:\"key\"; content:!\"nix\"; within:30; isdataat:30,relative; ",
     "key nix key" + std::string(40, '.'), 3},
    {"content:\"key\"; byte_test:2,>,1,30,relative; ", "key" + std::string(40, '.'), 2},
    {"content:\"key\"; byte_test:4,=,1234,20,relative,string; ",
     std::string(3, '.') + "key" + std::string(20, '.') + "12345", 2},
    {"content:\"key\"; byte_test:0,=,1234,20,relative,string; ",
     "key" + std::string(20, '.') + "12345", 10},
    {"content:\"key\"; byte_jump:1,0,relative; isdataat:4,relative; ",
     "key " + std::string(50, '.'), 4},
    {"content:\"key\"; byte_extract:1,20,n,relative; byte_test:1,=,n,0,relative; ",
     "key" + std::string(30, '.'), 3},
    {"content:\"key\"; content:\"last\"; distance:0; content:\"key\"; distance:0; ",
     "last last key" + std::string(30, '.') + "last" + std::string(30, '.') + "key", 6},
    {"content:\"key\"; content:\"b\"; distance:20; within:10; ",
     "b key" + std::string(25, '.') + "bbb", 5},
    {"content:\"key\"; content:\"end\"; endswith; ", "end key" + std::string(30, '.') + "end", 4},
    {"content:\"key\"; content:!\"..\"; endswith; ", "..key...x", 6},
    {"content:\"key\"; pcre:\"/^.{5}\\d+\\./R\"; ", "key.....12.", 12},
    {"content:\"key\"; pcre:\"/^[a-z]{3}$/R\"; ", "keyabc", 6},
    {"content:\"key\"; pcre:!\"/nix$/\"; ", "nix key nix.", 12},
    {"content:\"key\"; base64_decode:offset 1,relative; base64_data; content:\"attack\"; ",
     "key YXR0YWNr...", 16},
};

// However its bytes come, a rule holds with the same one; and it is tried no more often than that
// needs.
TEST(WaitingRules, AreTriedWhenTheyMayHold) {
  for (const Wait& wait : kWaits) {
    InspectorOptions options;
    options.profile = true;
    Harness h(about(wait.options), options);
    Harness at_once(about(wait.options));
    const Ends c;
    h.connect(c);
    bool fired = false;
    for (uint32_t i = 0; i < wait.text.size() && !fired; i++) {
      fired = !h.data(c, i, wait.text.substr(i, 1));
      EXPECT_EQ(fired, holds_at_once(at_once, i, wait.text.substr(0, i + 1))) << wait.options << i;
    }
    EXPECT_TRUE(fired) << wait.options;
    EXPECT_LE(h.inspector().profile()->costs()[0].tries, wait.tries) << wait.options;
  }
}

// Each of a thousand waits for so many bytes: another one costs nothing.
TEST(WaitingRules, ManyOfThemCostAPacketNothing) {
  std::string rules, text;
  for (int i = 1000; i < 2000; i++) {
    const std::string word = "word" + std::to_string(i);
    rules +=
        "drop tcp any any -> any any (content:\"" + word +
        "\"; content:!\"nix\"; within:20000; isdataat:20000,relative; sid:" + std::to_string(i) +
        ";)\n";
    text += word;
  }
  InspectorOptions options;
  options.profile = true;
  Harness h(rules, options);
  const Ends c;
  h.connect(c);
  h.data(c, 0, text);
  const auto begun = static_cast<uint32_t>(text.size());
  for (uint32_t i = 0; i < 300; i++) EXPECT_TRUE(h.data(c, begun + i, "."));
  uint64_t tries = 0;
  for (const auto& cost : h.inspector().profile()->costs()) tries += cost.tries;
  EXPECT_EQ(tries, 1000u);
}

// What is not one of its contents does not have it tried; what it missed does, whatever it took.
TEST(WaitingRules, ThatTookTooMuchMissNothing) {
  InspectorOptions options;
  options.profile = true;
  Harness h(about("content:\"AAAA\"; content:\"BBBB\"; within:6000; content:\"CCCC\"; within:10; "),
            options);
  const Ends c;
  h.connect(c);
  std::string text;
  for (int i = 0; i < 300; i++) text += "AAAA";
  for (int i = 0; i < 40; i++) text += "BBBB";
  EXPECT_TRUE(h.data(c, 0, text));
  EXPECT_EQ(h.inspector().matcher().cost_limit_hits(), 1u);
  auto at = static_cast<uint32_t>(text.size());
  for (int i = 0; i < 100; i++) EXPECT_TRUE(h.data(c, at++, "."));
  EXPECT_EQ(h.inspector().profile()->costs()[0].tries, 1u);
  EXPECT_FALSE(h.data(c, at, "AAAA BBBB CCCC"));
}

// PCRE2's limit is one of each attempt: what is behind decoys is found.
TEST(WaitingRules, DecoysOnWhichAPatternGivesUpHideNothing) {
  Harness h(about("content:\"PPPP\"; pcre:\"/^(q+)+z/R\"; content:\"ZZZZ\"; within:4; "));
  const Ends c;
  h.connect(c);
  std::string text;
  for (int i = 0; i < 3; i++) text += "PPPP" + std::string(40, 'q') + "y ";
  EXPECT_FALSE(h.data(c, 0, text + "PPPPqqzZZZZ"));
  EXPECT_EQ(h.inspector().matcher().regex_limit_hits(), 3u);
}

}  // namespace
}  // namespace sluice::inspect
