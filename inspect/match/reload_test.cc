// SPDX-License-Identifier: Apache-2.0
// Other rules in the middle of everything: nothing is missed, nothing is said twice.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::Sids;
using testing::tcp;
using testing::udp;

constexpr const char* kAttack = "alert tcp any any -> any any (content:\"attack\"; sid:1;)";
// The same one with others before it, so that it has another number.
const std::string kMore = std::string("drop tcp any any -> any any (content:\"zzzz\"; sid:8;)\n") +
                          "drop tcp any any -> any 80 (content:\"yyyy\"; sid:9;)\n" + kAttack;

TEST(Reload, APatternThatStraddlesItIsFoundOnce) {
  const std::string_view text = "xxattackyy";
  for (const std::string& rules : {std::string(kAttack), kMore}) {
    for (size_t cut = 1; cut < text.size(); cut++) {
      Harness h(kAttack);
      const Ends c;
      h.connect(c);
      h.data(c, 0, text.substr(0, cut));
      h.reload(rules);
      h.data(c, static_cast<uint32_t>(cut), text.substr(cut));
      h.data(c, static_cast<uint32_t>(text.size()), "and more");
      EXPECT_EQ(h.alerts(), Sids{1}) << cut;
    }
  }
}

TEST(Reload, ARuleThatHasFiredDoesSoForNewBytesOnly) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "attack");
  EXPECT_EQ(h.alerts(), Sids{1});
  h.reload("alert tcp any any -> any any (content:\"attack\"; sid:1; rev:2;)");
  h.data(c, 6, "......");
  EXPECT_EQ(h.alerts(), Sids{1}) << "another revision is the same rule";
  h.data(c, 12, "attack");
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
}

TEST(Reload, RulesComeAndGo) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "att");
  h.reload("alert tcp any any -> any any (content:\"other\"; sid:2;)");
  h.data(c, 3, "ack ot");
  EXPECT_EQ(h.alerts(), Sids{}) << "it is gone";
  h.reload(kMore + "\nalert tcp any any -> any any (content:\"other\"; sid:2;)");
  h.data(c, 9, "her");
  EXPECT_EQ(h.alerts(), (Sids{1, 2})) << "what is still held is searched too";
  h.data(c, 12, "...");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(Reload, ContentsThatWaitForOthersAndRulesByPort) {
  const std::string rules =
      "alert tcp any any -> any any (content:\"first-long\"; content:\"later\"; sid:1;)\n"
      "alert tcp any any -> any 80 (content:\"named-long\"; content:\"later\"; sid:2;)";
  Harness h(rules);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
  h.connect(c);
  h.data(c, 0, "first-long named-long ");
  h.reload(kMore.substr(0, kMore.find(kAttack)) + rules);
  h.data(c, 22, "later");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(Reload, CountsBitsAndDecisionsGoOn) {
  const std::string rules =
      "pass tcp any any -> any 99 (content:\"let\"; sid:5;)\n"
      "alert udp any any -> any any (content:\"x\"; threshold:type limit, track by_src, count 1, "
      "seconds 60; sid:1;)\n"
      "alert tcp any any -> any any (content:\"one\"; flowbits:set,seen; noalert; sid:2;)\n"
      "alert tcp any any -> any any (content:\"two\"; flowbits:isset,seen; sid:3;)\n"
      "drop tcp any any -> any any (content:\"bad\"; sid:4;)";
  Harness h(rules);
  const Ends seen{"10.0.0.1", "10.0.0.2", 40000, 81};
  const Ends blocked{"10.0.0.1", "10.0.0.2", 40001, 81};
  const Ends passed{"10.0.0.1", "10.0.0.2", 40002, 99};
  for (const Ends& c : {seen, blocked, passed}) h.connect(c);
  h.send(udp({"10.0.0.1", "10.0.0.2", 5, 6}, "x"));
  h.data(seen, 0, "one");
  EXPECT_FALSE(h.data(blocked, 0, "bad"));
  h.data(passed, 0, "let");
  EXPECT_EQ(h.alerts(), (Sids{1, 4}));
  h.forget_events();
  h.reload("alert tcp any any -> any any (content:\"never\"; flowbits:set,another; sid:7;)\n" +
           rules);
  h.send(udp({"10.0.0.1", "10.0.0.2", 5, 6}, "x"));
  h.data(seen, 3, "two");
  EXPECT_FALSE(h.data(blocked, 3, "good"));
  EXPECT_TRUE(h.data(passed, 3, "bad"));
  EXPECT_EQ(h.alerts(), Sids{3});
}

TEST(Reload, AnotherWindowBeginsAnotherCount) {
  const auto rule = [](const std::string& window) {
    return "alert udp any any -> any any (content:\"x\"; threshold:type limit, track by_src, " +
           window + "; sid:1;)";
  };
  Harness h(rule("count 1, seconds 60"));
  const auto say_x = [&] { h.send(udp({"10.0.0.1", "10.0.0.2", 5, 6}, "x")); };
  say_x();
  say_x();
  EXPECT_EQ(h.alerts(), Sids{1});
  h.reload(rule("count 1, seconds 1"));
  say_x();
  EXPECT_EQ(h.alerts(), (Sids{1, 1})) << "not what is left of the minute";
  h.pass_time(2'000'000);
  say_x();
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 1}));
  h.reload(rule("count 2, seconds 1"));
  say_x();
  say_x();
  say_x();
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 1, 1, 1}));
}

TEST(Reload, WhatHasMatchedHidesNothingThatHasNot) {
  std::string many;
  for (size_t i = 0; i < 40; i++)
    many +=
        "alert tcp any any -> any any (content:\"common\"; sid:" + std::to_string(100 + i) + ";)\n";
  const std::string waits =
      "alert tcp any any -> any any (content:\"common word\"; content:\"later\"; sid:1;)\n";
  Harness h(many + waits);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "common word ");
  EXPECT_EQ(h.alerts().size(), kAlertsPerPacketMax);
  h.forget_events();
  h.reload("alert tcp any any -> any any (content:\"never\"; sid:9;)\n" + many + waits);
  h.data(c, 12, "... ");
  h.data(c, 16, "later");
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Reload, RulesAboutAddressesMeetFlowsThatGoOnOnce) {
  const std::string old = "alert tcp 10.0.0.1 any -> any any (sid:1;)\n";
  Harness h(old);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
  h.connect(c);
  EXPECT_EQ(h.alerts(), Sids{1});
  h.reload("alert tcp any any -> 10.0.0.2 any (sid:2;)\n" + old);
  h.data(c, 0, "a");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  h.reload("alert tcp any any -> 10.0.0.0/30 any (sid:2;)\n" + old);
  h.data(c, 1, "b");
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 2})) << "a rule with other addresses is another, whatever rev";
  h.reload("drop tcp 10.0.0.1 any -> any any (sid:3;)\n" + old);
  EXPECT_FALSE(h.data(c, 2, "b"));
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 2, 3}));
}

// --- transactions ---

constexpr std::string_view kHead = "POST /evil HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
const std::string kHttp =
    "alert http any any -> any any (http.method; content:\"POST\"; sid:1;)\n"
    "alert http any any -> any any (http.uri; content:\"/evil\"; http.request_body; "
    "content:\"attack\"; sid:2;)\n"
    "alert http any any -> any any (http.request_body; content:\"attack\"; endswith; sid:3;)\n"
    "alert http any any -> any any (http.uri; to_uppercase; content:\"EVIL\"; http.request_body; "
    "to_uppercase; content:\"ATTACK\"; sid:4;)";

TEST(Reload, ATransactionGoesOn) {
  for (const std::string& rules :
       {kHttp,
        "drop http any any -> any any (http.user_agent; content:\"zzz\"; sid:9;)\n"
        "drop http any any -> any any (http.uri; to_lowercase; content:\"zzz\"; sid:8;)\n" +
            kHttp}) {
    Harness h(kHttp);
    const Ends c;
    h.connect(c);
    h.data(c, 0, std::string(kHead) + "......att");
    EXPECT_EQ(h.alerts(), Sids{1});
    h.reload(rules);
    h.reload(rules);
    h.data(c, static_cast<uint32_t>(kHead.size()) + 9, "ack");
    EXPECT_EQ(h.alerts(), (Sids{1, 2, 3, 4}));
    h.reload(rules);
    h.send(tcp(c.turned(), kAck, 5001, 1001 + static_cast<uint32_t>(kHead.size()) + 12,
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    EXPECT_EQ(h.alerts(), (Sids{1, 2, 3, 4}));
  }
}

TEST(Reload, NewRulesSeeOfATransactionWhatWasKept) {
  Harness h("alert http any any -> any any (http.uri; content:\"nothing\"; sid:1;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, std::string(kHead) + "......");
  h.reload(
      "alert http any any -> any any (http.uri; content:\"/evil\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; to_uppercase; content:\"/EVIL\"; sid:3;)\n"
      "alert http any any -> any any (http.request_body; content:\"attack\"; startswith; sid:4;)");
  h.data(c, static_cast<uint32_t>(kHead.size()) + 6, "attack");
  EXPECT_EQ(h.alerts(), (Sids{2, 3})) << "half of a body is not taken for a whole one";
}

TEST(Reload, HalfARawHeaderIsNone) {
  const std::string raw =
      "alert http any any -> any any (http.header.raw; content:\"B: 2\"; sid:1;)";
  const std::string_view first = "GET / HTTP/1.1\r\nA: 1\r\n";
  const std::string_view rest = "B: 2\r\n\r\n";
  for (const bool wanted_before : {false, true}) {
    Harness h(wanted_before ? raw
                            : "alert http any any -> any any (http.uri; content:\"x\"; sid:2;)");
    const Ends c;
    h.connect(c);
    h.data(c, 0, first);
    h.reload(raw);
    h.data(c, static_cast<uint32_t>(first.size()), rest);
    EXPECT_EQ(h.alerts(), wanted_before ? Sids{1} : Sids{});
  }
}

// Whether a request had a header that no rule has looked at, nobody knows.
TEST(Reload, WhatNobodyLookedAtIsNotAbsent) {
  const std::string absent = "drop http any any -> any any (http.referer; absent; sid:5;)";
  const auto answers = [](Harness& h, const Ends& c, std::string_view request) {
    return h.send(tcp(c.turned(), kAck, 5001, 1001 + static_cast<uint32_t>(request.size()),
                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  };
  for (const std::string_view request :
       {"GET / HTTP/1.1\r\nHost: h\r\nReferer: r\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"}) {
    Harness h("alert http any any -> any any (http.uri; content:\"nothing\"; sid:1;)");
    const Ends c;
    h.connect(c);
    h.data(c, 0, request);
    h.reload(absent);
    answers(h, c, request);
    EXPECT_EQ(h.alerts(), Sids{});
    // In a connection of the new rules it is known.
    const Ends later{"10.0.0.9", "10.0.0.2", 40009, 80};
    h.connect(later);
    h.data(later, 0, request);
    EXPECT_EQ(h.alerts(), request.find("Referer") == std::string_view::npos ? Sids{5} : Sids{});
  }
}

// --- many of them ---

TEST(Reload, NothingKeepsRulesThatWereReplaced) {
  Harness h("alert tcp any any -> any any (content:\"other\"; sid:20;)\n" + kHttp);
  const Ends c;
  h.connect(c);
  h.data(c, 0, std::string(kHead) + "......att");
  const std::weak_ptr<const Engine> old = h.engine();
  h.reload(kMore);
  EXPECT_TRUE(old.expired()) << "though the flow goes on";
  h.inspector().finish(2'000'000'000'000'000);
  EXPECT_EQ(h.inspector().held(), 0u);
}

TEST(Reload, AFlowThatIsSilentOverItRests) {
  Harness h(kMore);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
  h.connect(c);
  h.data(c, 0, "att");
  h.reload(kAttack);
  for (int i = 0; i < 2; i++) h.pass_time(kRestAfterUs);
  h.data(c, 3, "ack");
  EXPECT_EQ(h.alerts(), Sids{1}) << "what is still held is searched";
  h.pass_time(kRestAfterUs);
  h.data(c, 6, " again att");
  h.pass_time(kRestAfterUs);
  h.data(c, 16, "ack");
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
}

TEST(Reload, AThousandUnderPackets) {
  Harness h(
      "alert http any any -> any any (http.uri; content:\"evil\"; sid:1;)\n"
      "alert http any any -> any any (http.request_body; content:\"zz\"; sid:7;)");
  const Ends stream{"10.0.0.1", "10.0.0.2", 40000, 81};
  const Ends http{"10.0.0.1", "10.0.0.2", 40001, 80};
  h.connect(stream);
  h.connect(http);
  const std::string head = "POST /evil HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
  h.data(http, 0, head);
  size_t expected = 1;
  EXPECT_EQ(h.alerts(), Sids{1});
  const std::string_view text = "attack";
  for (uint32_t i = 0; i < 1000; i++) {
    // Now and then the rule has another number.
    const std::string first =
        i % 2 == 0 ? "alert http any any -> any any (http.method; content:\"x\"; sid:6;)\n" : "";
    h.reload(first + kAttack +
             "\nalert http any any -> any any (http.request_body; content:\"zz\"; sid:7;)");
    h.data(stream, i, text.substr(i % text.size(), 1));
    h.data(http, static_cast<uint32_t>(head.size()) + i, i == 500 || i == 501 ? "z" : "b");
    if (i % text.size() == text.size() - 1) expected++;
  }
  EXPECT_EQ(h.alerts().size(), expected + 1) << "and two bytes of the body";
  h.inspector().finish(2'000'000'000'000'000);
  EXPECT_EQ(h.inspector().held(), 0u);
}

TEST(Reload, EventsOfAnOpenTransactionCallTheNewRules) {
  const std::string first =
      "alert http any any -> any any (http.request_body; content:\"abcd\"; "
      "app-layer-event:http.missing_host_header; sid:1;)\n"
      "alert http any any -> any any (http.request_body; content:\"zz\"; sid:2;)\n";
  Harness h(first);
  const Ends ends{"10.0.0.1", "10.0.0.2", 40001, 80};
  const std::string head = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
  h.connect(ends);
  h.data(ends, 0, head + "ab");
  EXPECT_TRUE(h.alerts().empty());
  h.reload(first +
           "alert http any any -> any any (app-layer-event:http.missing_host_header; "
           "flow:to_server; sid:3;)\n");
  h.data(ends, static_cast<uint32_t>(head.size() + 2), "cd");
  Sids alerts = h.alerts();
  std::ranges::sort(alerts);
  EXPECT_EQ(alerts, (Sids{1, 3}));
}

}  // namespace
}  // namespace sluice::inspect
