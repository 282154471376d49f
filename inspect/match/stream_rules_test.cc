// SPDX-License-Identifier: Apache-2.0
// Rules on TCP streams: however the sender cuts, orders and repeats its bytes.
#include <algorithm>
#include <random>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::kRst;
using testing::kSyn;
using testing::Sids;
using testing::tcp;

constexpr const char* kAttack = "drop tcp any any -> any any (content:\"attack\"; sid:1;)";

TEST(StreamRules, APatternCutAnywhereIsFound) {
  const std::string_view text = "xxattackyy";
  for (size_t cut = 1; cut < text.size(); cut++) {
    Harness h(kAttack);
    const Ends c;
    h.connect(c);
    const bool first = h.data(c, 0, text.substr(0, cut));
    const bool second = h.data(c, static_cast<uint32_t>(cut), text.substr(cut));
    EXPECT_FALSE(second) << cut;
    EXPECT_EQ(first, cut < 8) << cut;
    EXPECT_EQ(h.alerts(), Sids{1});
  }
}

TEST(StreamRules, ASilentConnectionForgetsNothing) {
  const std::string rules =
      "alert tcp any any -> any any (content:\"attack\"; sid:1;)\n"
      "alert tcp any any -> any 80 (content:\"first\"; content:\"later\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/attack\"; http.user_agent; "
      "content:\"later\"; sid:3;)";
  const std::string text =
      "GET /first HTTP/1.1\r\nHost: h\r\n\r\nGET /attack HTTP/1.1\r\nUser-Agent: later\r\n\r\n";
  for (size_t cut = 1; cut < text.size(); cut++) {
    Harness h(rules);
    const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
    h.connect(c);
    h.data(c, 0, text.substr(0, cut));
    h.pass_time(kRestAfterUs);
    h.pass_time(kRestAfterUs);
    h.data(c, static_cast<uint32_t>(cut), text.substr(cut));
    auto alerts = h.alerts();
    std::sort(alerts.begin(), alerts.end());
    EXPECT_EQ(alerts, (Sids{1, 2, 3})) << cut;
  }
}

TEST(StreamRules, ByteByByteAndBackwards) {
  const std::string_view text = "xxattack";
  Harness forwards(kAttack);
  Harness backwards(kAttack);
  const Ends c;
  forwards.connect(c);
  backwards.connect(c);
  for (uint32_t i = 0; i < text.size(); i++) {
    EXPECT_EQ(forwards.data(c, i, text.substr(i, 1)), i != 7);
    const auto back = static_cast<uint32_t>(text.size() - 1 - i);
    EXPECT_EQ(backwards.data(c, back, text.substr(back, 1)), back != 0)
        << "the last one fills the gap";
  }
}

TEST(StreamRules, TheFirstPacketAfterTheHandshakeMayBeLate) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 3, "ack"));
  EXPECT_FALSE(h.data(c, 0, "att"));
}

TEST(StreamRules, AnotherCopyOfAByteNeverPasses) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 3, "XXX"));
  EXPECT_FALSE(h.data(c, 3, "ack")) << "held bytes: the first copy wins";
  EXPECT_TRUE(h.data(c, 0, "att"));
  EXPECT_FALSE(h.data(c, 0, "xxxack")) << "delivered bytes";
  EXPECT_TRUE(h.data(c, 0, "attXXX")) << "a true retransmission";
  EXPECT_EQ(h.inspector().counters().dropped_stream_error, 2u);
  const auto events = h.events();
  ASSERT_EQ(events.size(), 1u) << "once for each flow";
  EXPECT_EQ(events[0].at("drop").at("reason"), "stream error");
}

TEST(StreamRules, ContentsMayArriveInAnyOrderAndPacket) {
  Harness h(
      "alert tcp any any -> any any (content:\"second-long-one\"; content:\"first\"; sid:1;)\n"
      "alert tcp any any -> any any (content:\"first\"; content:\"last\"; distance:0; sid:2;)\n"
      "alert tcp any any -> any any (content:\"first\"; pcre:\"/^.{0,20}end$/R\"; sid:3;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "second-long-one ");
  h.data(c, 16, "first ");
  EXPECT_EQ(h.alerts(), Sids{1});
  h.data(c, 22, "last ");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  h.data(c, 27, "end");
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 3}));
}

TEST(StreamRules, AMatchIsReportedOnceAndTheNextOneAgain) {
  Harness h("alert tcp any any -> any any (content:\"one\"; content:\"two\"; distance:0; sid:1;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "one two ");
  h.data(c, 8, "one ");
  h.data(c, 12, "more ");
  EXPECT_EQ(h.alerts(), Sids{1});
  h.data(c, 17, "two");
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
}

TEST(StreamRules, PositionsAreOfTheStreamAndOfThePacket) {
  Harness h(
      "alert tcp any any -> any any (content:\"GET\"; startswith; sid:1;)\n"
      "alert tcp any any -> any any (flow:only_stream; content:\"GET\"; startswith; sid:2;)\n"
      "alert tcp-pkt any any -> any any (content:\"GET\"; startswith; sid:3;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "G");
  h.data(c, 1, "ET");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  h.data(c, 3, "GET");
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 1, 3}));
}

TEST(StreamRules, ThePacketScopeSeesNoStream) {
  Harness h(
      "alert tcp-pkt any any -> any any (content:\"attack\"; sid:1;)\n"
      "alert tcp any any -> any any (flow:no_stream; content:\"attack\"; sid:2;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "att");
  h.data(c, 3, "ack");
  EXPECT_EQ(h.alerts(), Sids{});
  h.data(c, 6, "attack");
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(StreamRules, RejectedStreamsAreReset) {
  Harness h("reject tcp any any -> any any (content:\"attack\"; sid:1;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, "att");
  EXPECT_FALSE(h.data(c, 3, "ack"));
  ASSERT_EQ(h.responses().count(), 2u);
  EXPECT_EQ(tunnels::load_be32(&h.responses()[1][24]), 1004u) << "where the server waits";
  EXPECT_FALSE(h.data(c, 3, "ack"));
  EXPECT_EQ(h.responses().count(), 0u);
  EXPECT_TRUE(h.send(tcp(c, kSyn, 77, 0))) << "another connection";
}

TEST(StreamRules, PatternsOlderThanTheWindowAreForgotten) {
  InspectorOptions options;
  options.stream.window = 1000;
  Harness h(
      "alert tcp any any -> any any (content:\"first\"; content:\"last\"; fast_pattern; sid:1;)",
      options);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "first");
  for (uint32_t i = 0; i < 3; i++) h.data(c, 5 + 500 * i, std::string(500, 'x'));
  h.data(c, 1505, "last");
  EXPECT_EQ(h.alerts(), Sids{});
  h.data(c, 1509, "first");
  EXPECT_EQ(h.alerts(), Sids{1});
}

// Early segments of more than the window wait for two bytes in the middle of a pattern.
TEST(StreamRules, APatternThatStraddlesALongPieceIsFound) {
  InspectorOptions options;
  options.stream.window = 30'000;
  Harness h(kAttack, options);
  h.connect({});
  h.data({}, 0, std::string(60'000, 'x'));
  h.send(tcp(Ends().turned(), kAck, 5001, 61'001));
  h.data({}, 60'000, "att");
  h.data({}, 60'005, "k" + std::string(60'000, 'x'));
  EXPECT_FALSE(h.data({}, 60'003, "ac"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

// The same bytes in any segments give the same alert as in one.
TEST(StreamRules, RandomSegmentsFindTheSame) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; round++) {
    std::string text(50 + random() % 400, 'x');
    for (char& c : text) c = static_cast<char>('a' + random() % 4);
    const bool has = random() % 2;
    if (has) text.replace(random() % (text.size() - 20), 10, "needle12ab");
    const size_t at = text.find("needle12");
    const bool expected = at != std::string::npos && text.find("ab", at + 8) != std::string::npos;
    std::vector<std::pair<uint32_t, uint32_t>> segments;
    for (uint32_t begin = 0; begin < text.size(); begin += 1 + random() % 30)
      segments.emplace_back(begin, 30 + random() % 30);
    std::shuffle(segments.begin(), segments.end(), random);
    Harness h(
        "alert tcp any any -> any any (content:\"needle12\"; content:\"ab\"; distance:0; sid:1;)");
    const Ends c;
    h.connect(c);
    for (const auto& [begin, length] : segments)
      EXPECT_TRUE(h.data(c, begin, std::string_view(text).substr(begin, length)));
    EXPECT_EQ(h.alerts(), expected ? Sids{1} : Sids{}) << text;
  }
}

TEST(StreamRules, RulesThatNameThePortOfTheServer) {
  const std::string rules =
      "alert tcp any any -> any 445 (content:\"attack\"; sid:1;)\n"
      "alert tcp any any -> any any (content:\"attack\"; sid:2;)\n"
      "alert tcp any 445 -> any any (content:\"answer\"; sid:3;)\n"
      "alert tcp any 445 <> any any (content:\"attack\"; sid:4;)\n"
      "alert tcp any any -> any [1:500,!80] (content:\"att\"; depth:3; sid:5;)\n"
      "alert tcp any any -> any !445 (content:\"attack\"; sid:6;)\n"
      "alert tcp any 40000 -> any any (content:\"attack\"; sid:7;)\n"
      "alert tcp any any -> any 445 (dsize:6; flow:to_server; sid:8;)\n";
  struct Case {
    uint16_t port;
    Sids to_server, to_client;
  };
  const Case cases[] = {
      {445, {1, 2, 4, 5, 7, 8}, {3}}, {80, {2, 6, 7}, {}}, {81, {2, 5, 6, 7}, {}}};
  for (const Case& c : cases) {
    Harness h(rules);
    Ends ends;
    ends.destination_port = c.port;
    h.connect(ends);
    h.data(ends, 0, "att");
    h.forget_events();
    h.data(ends, 0, "attack");
    auto alerts = h.alerts();
    std::sort(alerts.begin(), alerts.end());
    EXPECT_EQ(alerts, c.to_server) << c.port;
    h.forget_events();
    h.send(tcp(ends.turned(), kAck, 5001, 1007, "answer"));
    EXPECT_EQ(h.alerts(), c.to_client) << c.port;
  }
}

TEST(StreamRules, ASecondSynDoesNotMoveTheStream) {
  for (const uint32_t other : {1u, 900u, 100'000u}) {
    Harness h(kAttack);
    const Ends c;
    h.connect(c);
    EXPECT_TRUE(h.send(tcp(c, kSyn, other, 0))) << "only answered";
    EXPECT_TRUE(h.data(c, 0, "att"));
    EXPECT_FALSE(h.data(c, 3, "ack")) << other;
  }
}

TEST(StreamRules, TheServerSaysWhichOfTwoSynsItTook) {
  Harness h(kAttack);
  const Ends c;
  h.send(tcp(c, kSyn, 1000, 0));
  h.send(tcp(c, kSyn, 100'000, 0));
  h.send(tcp(c.turned(), kSyn | kAck, 5000, 1001));
  h.send(tcp(c, kAck, 1001, 5001));
  EXPECT_TRUE(h.data(c, 0, "att"));
  EXPECT_FALSE(h.data(c, 3, "ack"));
}

TEST(StreamRules, ASynAfterTheServersGreetingDoesNotMoveTheStream) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  h.send(tcp(c.turned(), kAck, 5001, 1001, "220 hello"));
  EXPECT_TRUE(h.send(tcp(c, kSyn, 100'000, 0)));
  EXPECT_TRUE(h.data(c, 0, "att"));
  EXPECT_FALSE(h.data(c, 3, "ack"));
}

TEST(StreamRules, AResetAndASynDoNotLeadOutOfADrop) {
  Harness h(kAttack);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "att");
  EXPECT_FALSE(h.data(c, 3, "ack"));
  EXPECT_FALSE(h.send(tcp(c, testing::kRst, 1004, 0)));
  EXPECT_FALSE(h.send(tcp(c, kSyn, 1003, 0)));
  EXPECT_FALSE(h.data(c, 3, "ack"));
}

// A reset of the receiver's choice ends the connection; of any other, whatever follows, nothing.
TEST(StreamRules, ASynAfterAResetOutsideBeginsNothing) {
  for (const uint32_t reset : {0u, 1000u, 1003u, 1005u, 1004u + (1u << 29)}) {
    for (const uint8_t flags : {kRst, uint8_t(kRst | kSyn)}) {
      Harness h(kAttack);
      const Ends c;
      h.connect(c);
      h.data(c, 0, "att");
      EXPECT_TRUE(h.send(tcp(c, flags, reset, 0)));
      EXPECT_TRUE(h.send(tcp(c, kSyn, 1003, 0)));
      EXPECT_FALSE(h.data(c, 3, "ack")) << reset;
    }
  }
}

TEST(StreamRules, AfterAResetThatIsBelievedTheSameTupleMayConnectAgain) {
  const Ends c;
  const auto connects_again = [&](Harness& h) {
    h.connect(c, 70'000, 90'000);
    EXPECT_TRUE(h.send(tcp(c, kAck, 70'001, 90'001, "att")));
    EXPECT_FALSE(h.send(tcp(c, kAck, 70'004, 90'001, "ack")));
  };
  {  // Behind bytes that came in order, after one that is not believed.
    Harness h(kAttack);
    h.connect(c);
    h.data(c, 0, "abc");
    h.send(tcp(c, kRst, 1003, 0));
    h.send(tcp(c, kRst, 1004, 0));
    h.send(tcp(c, kRst, 1003, 0));
    connects_again(h);
  }
  {  // A segment was lost: the sender is asked where it is.
    Harness h(kAttack);
    h.connect(c);
    h.data(c, 100, "abc");
    h.send(tcp(c, kRst, 1104, 0));
    h.send(tcp(c, kRst, 1001, 0));
    connects_again(h);
  }
  {  // Behind the end.
    Harness h(kAttack);
    h.connect(c);
    h.data(c, 0, "abc");
    h.send(tcp(c, tunnels::kTcpFin | kAck, 1004, 5001));
    h.send(tcp(c.turned(), kAck, 5001, 1005, "late"));
    h.send(tcp(c, kRst, 1005, 0));
    connects_again(h);
  }
  {  // Both have ended: another reset changes nothing.
    Harness h(kAttack);
    h.connect(c);
    h.data(c, 0, "abc");
    h.send(tcp(c, tunnels::kTcpFin | kAck, 1004, 5001));
    h.send(tcp(c.turned(), tunnels::kTcpFin | kAck, 5001, 1005));
    h.send(tcp(c, kRst, 77, 0));
    connects_again(h);
  }
  {  // Nothing was said.
    Harness h(kAttack);
    h.connect(c);
    h.send(tcp(c, kRst, 77, 0));
    connects_again(h);
  }
}

TEST(StreamRules, AfterARejectTheSameTupleMayConnectAgain) {
  Harness h("reject tcp any any -> any any (content:\"attack\"; sid:1;)");
  const Ends c;
  h.connect(c);
  EXPECT_FALSE(h.data(c, 0, "attack"));
  EXPECT_FALSE(h.data(c, 0, "other")) << "of the old connection";
  EXPECT_FALSE(h.data(c, 0, "other"));
  EXPECT_TRUE(h.send(tcp(c, kSyn, 70'000, 0)));
}

}  // namespace
}  // namespace sluice::inspect
