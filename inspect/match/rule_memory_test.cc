// SPDX-License-Identifier: Apache-2.0
// What rules remember of a connection: much of it hides no other rule.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

// However many others a client has had set before.
TEST(RuleMemory, AFlowHasRoomForAllFlowbitsAndFlowints) {
  std::string rules, text;
  for (int i = 100; i < 300; i++) {
    const std::string name = "n" + std::to_string(i);
    text += name;
    rules += "alert tcp any any -> any any (content:\"" + name + "\"; flowbits:set," + name +
             "; flowint:" + name + ",=,7; noalert; sid:" + std::to_string(i) + ";)\n";
  }
  Harness h(rules +
            "drop tcp any any -> any any (content:\"evil\"; flowbits:isset,n299; "
            "flowint:n299,==,7; sid:1;)");
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, text));
  EXPECT_FALSE(h.data(c, static_cast<uint32_t>(text.size()), "evil"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

// However many others a client has had wait before.
TEST(RuleMemory, RulesThatWaitHideNoOther) {
  std::string rules = "drop tcp any any -> any any (content:\"attack\"; content:\"now\"; sid:1;)\n";
  std::string junk;
  for (int i = 1000; i < 3000; i++) {
    const std::string word = "junk" + std::to_string(i);
    rules += "drop tcp any any -> any any (content:\"" + word +
             "\"; content:\"x\"; distance:0; sid:" + std::to_string(i) + ";)\n";
    junk += word;
  }
  Harness h(rules);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, junk));
  EXPECT_TRUE(h.data(c, static_cast<uint32_t>(junk.size()), "attack"));
  EXPECT_FALSE(h.data(c, static_cast<uint32_t>(junk.size()) + 6, "now"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

// A content that was missing is found where it straddles two segments, too, and another one after
// it; what is there at a wrong place is not missing.
TEST(RuleMemory, WhatWaitsIsTriedWhenWhatItMissesComes) {
  Harness h(
      "alert tcp any any -> any any (content:\"attack\"; content:\"now\"; content:\"Here\"; "
      "nocase; "
      "sid:1;)\n"
      "alert tcp any any -> any any (content:\"attack\"; fast_pattern; content:\"at\"; distance:9; "
      "sid:2;)");
  const Ends c;
  h.connect(c);
  const std::string_view text = "attack .. heRE .. no";
  h.data(c, 0, text.substr(0, 9));
  h.data(c, 9, text.substr(9, 3));
  h.data(c, 12, text.substr(12));
  EXPECT_EQ(h.alerts(), Sids{});
  h.data(c, 20, "w at");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

// All contents are there, in the wrong order: a byte that is none of theirs tries nothing again.
TEST(RuleMemory, WhatFailedIsTriedAgainOnlyWithItsContents) {
  const std::string rule =
      "drop tcp any any -> any any (content:\"first\"; content:\"then\"; distance:0; ";
  InspectorOptions options;
  options.profile = true;
  Harness h(rule + "content:\"last\"; distance:0; within:5; sid:1;)", options);
  const Ends c;
  h.connect(c);
  std::string text = "last";
  for (int i = 0; i < 100; i++) text += "firstthen";
  h.data(c, 0, text);
  auto sent = static_cast<uint32_t>(text.size());
  for (int i = 0; i < 50; i++) EXPECT_TRUE(h.data(c, sent++, "z"));
  EXPECT_EQ(h.inspector().profile()->costs()[0].tries, 1u);
  EXPECT_TRUE(h.data(c, sent, "thenl"));
  EXPECT_TRUE(h.data(c, sent + 5, "as"));
  EXPECT_FALSE(h.data(c, sent + 7, "t"));
  EXPECT_EQ(h.inspector().profile()->costs()[0].tries, 3u);
}

// What matched where is remembered of so many rules; one more is told again, and never missed.
TEST(RuleMemory, OneRuleTooManyThatMatchedIsToldAgain) {
  std::string rules;
  for (size_t i = 0; i <= kFiredMax; i++)
    rules += "alert tcp any any -> any any (content:\"attack\"; noalert; sid:" +
             std::to_string(100 + i) + ";)\n";
  Harness h(rules + "alert tcp any any -> any any (content:\"attack\"; sid:1;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "attack");
  EXPECT_EQ(h.inspector().counters().fired_full, 2u);
  h.data(c, 6, "attack");
  EXPECT_EQ(h.inspector().counters().fired_full, 4u);
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
}

TEST(RuleMemory, RulesThatWaitCountAsMemoryOfStreams) {
  std::string rules, junk;
  for (int i = 1000; i < 2000; i++) {
    const std::string word = "junk" + std::to_string(i);
    rules += "alert tcp any any -> any any (content:\"" + word +
             "\"; content:\"x\"; sid:" + std::to_string(i) + ";)\n";
    junk += word;
  }
  InspectorOptions options;
  options.stream_memory_max = junk.size() + 1000;
  Harness h(rules, options);
  const Ends c, other{"10.0.0.9", "10.0.0.2", 40009, 80};
  h.connect(c);
  h.connect(other);
  EXPECT_TRUE(h.data(c, 0, junk));
  EXPECT_GT(h.inspector().held(), junk.size() + 1000 * sizeof(StreamInspection::Pending) - 1);
  EXPECT_FALSE(h.data(other, 0, "a")) << "what has no room meets the policy";
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream reassembly"});
  h.inspector().finish(2'000'000'000'000'000);
  EXPECT_EQ(h.inspector().held(), 0u);
}

}  // namespace
}  // namespace sluice::inspect
