// SPDX-License-Identifier: Apache-2.0
// Ends and beginnings of TCP connections that may be seen here and nowhere else: a short TTL, a
// wrong checksum. Whatever follows is inspected, or does not pass.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::kRst;
using testing::kSyn;
using testing::Sids;
using testing::tcp;

constexpr uint8_t kFin = tunnels::kTcpFin;
constexpr const char* kRules =
    "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n"
    "drop http any any -> any any (http.uri; content:\"/evil\"; sid:2;)\n";
constexpr const char* kFirst = "GET /first HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr const char* kEvil = "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr uint32_t kFirstLength = 32;

uint64_t out_of_place(Harness& h) { return h.inspector().stream_counters().out_of_place; }

// The transport checksum of a TCP segment over IPv4 without options.
Bytes with_wrong_checksum(Bytes segment) {
  segment[36] ^= 0x40;
  return segment;
}

TEST(FeignedEnd, SegmentsWithAWrongChecksumAreDroppedAndSayNothing) {
  for (const uint8_t flags : {kRst, uint8_t(kFin | kAck), kAck}) {
    Harness h(kRules);
    const Ends c;
    h.connect(c);
    h.data(c, 0, kFirst);
    EXPECT_FALSE(h.send(with_wrong_checksum(tcp(c, flags, 1001 + kFirstLength, 5001, "junk"))));
    EXPECT_FALSE(h.data(c, kFirstLength, kEvil)) << int{flags};
    EXPECT_EQ(h.alerts(), Sids{2});
    EXPECT_EQ(h.drops(), (std::vector<std::string>{"invalid checksum", "rules"}));
    EXPECT_EQ(h.inspector().counters().dropped_checksum, 1u);
    EXPECT_EQ(h.inspector().flows(), 1u);
  }
}

TEST(FeignedEnd, AFloodOfWrongChecksumsIsReportedOnceATick) {
  Harness h(kRules);
  for (int i = 0; i < 5; i++) EXPECT_FALSE(h.send(with_wrong_checksum(tcp({}, kSyn, 1, 0))));
  EXPECT_EQ(h.drops().size(), 1u);
  h.pass_time(1);
  h.send(with_wrong_checksum(tcp({}, kSyn, 1, 0)));
  EXPECT_EQ(h.drops().size(), 2u);
  EXPECT_EQ(h.inspector().flows(), 0u);
}

// Of a segment that nobody takes, too; it is of the flow that it claims to be of, and begins none.
TEST(FeignedEnd, RulesSpeakOfWrongChecksums) {
  constexpr const char* kSpeak =
      "alert tcp any any -> any 80 (tcpv4-csum:invalid; sid:1;)\n"
      "alert tcp any any -> any any (tcpv4-csum:invalid; flow:established,to_client; sid:2;)\n"
      "alert tcp any any -> any any (tcpv4-csum:valid; flags:S; sid:3;)\n"
      "alert udp any any -> any any (ipv4-csum:valid; sid:4;)\n"
      "alert ip any any -> any any (ipv4-csum:invalid; sid:5;)\n";
  Harness h(kSpeak);
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
  EXPECT_FALSE(h.send(with_wrong_checksum(tcp(c, kSyn, 1000, 0))));
  EXPECT_EQ(h.alerts(), Sids{1});
  EXPECT_EQ(h.inspector().flows(), 0u);
  h.connect(c);
  EXPECT_EQ(h.alerts(), (Sids{1, 3}));
  Bytes junk = with_wrong_checksum(tcp(c.turned(), kAck, 5001, 1001, "junk"));
  EXPECT_FALSE(h.send(junk));
  EXPECT_EQ(h.alerts(), (Sids{1, 3, 2}));
  junk[10] ^= 1;
  EXPECT_FALSE(h.send(junk));
  EXPECT_EQ(h.alerts(), (Sids{1, 3, 2, 2, 5}));
  EXPECT_TRUE(h.data(c, 0, kFirst));
  EXPECT_EQ(h.inspector().counters().dropped_checksum, 3u);
  EXPECT_EQ(h.drops(), std::vector<std::string>{"invalid checksum"}) << "once a tick";
}

TEST(FeignedEnd, ARuleDropsTheFlowOfAWrongChecksumOrPassesNothing) {
  const Ends c{"10.0.0.1", "10.0.0.2", 40000, 80};
  for (const bool drop : {true, false}) {
    Harness h(std::string(drop ? "drop" : "pass") +
              " tcp any any -> any any (tcpv4-csum:invalid; sid:1;)\n");
    h.connect(c);
    EXPECT_FALSE(h.send(with_wrong_checksum(tcp(c, kAck, 1001, 5001, "junk"))));
    EXPECT_EQ(h.data(c, 0, kFirst), !drop);
    EXPECT_EQ(h.inspector().counters().dropped_checksum, drop ? 0u : 1u);
  }
}

TEST(FeignedEnd, ChecksumsThatAreNotVerifiedAreRight) {
  InspectorOptions options;
  options.verify_checksums = false;
  Harness h(
      "alert tcp any any -> any any (tcpv4-csum:invalid; sid:1;)\n"
      "alert tcp any any -> any any (tcpv4-csum:valid; sid:2;)\n",
      options);
  EXPECT_TRUE(h.send(with_wrong_checksum(tcp({}, kSyn, 1, 0))));
  EXPECT_EQ(h.alerts(), Sids{2});
}

TEST(FeignedEnd, ChecksumsNeedNotBeVerified) {
  InspectorOptions options;
  options.verify_checksums = false;
  Harness h(kRules, options);
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.send(with_wrong_checksum(tcp(c, kAck, 1001, 5001, "att"))));
  EXPECT_FALSE(h.send(with_wrong_checksum(tcp(c, kAck, 1004, 5001, "ack"))));
}

TEST(FeignedEnd, WhatFollowsAResetIsInspected) {
  for (const bool from_client : {true, false}) {
    Harness h(kRules);
    const Ends c;
    h.connect(c);
    h.data(c, 0, kFirst);
    if (from_client)
      EXPECT_TRUE(h.send(tcp(c, kRst, 1001 + kFirstLength, 0)));
    else
      EXPECT_TRUE(h.send(tcp(c.turned(), kRst | kAck, 5001, 1001 + kFirstLength)));
    EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1001 + kFirstLength, "on its way")));
    EXPECT_FALSE(h.data(c, kFirstLength, kEvil));
    EXPECT_EQ(h.alerts(), Sids{2});
  }
}

TEST(FeignedEnd, NothingPassesBehindAnEnd) {
  Harness h(kRules);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "GET /e");
  EXPECT_TRUE(h.send(tcp(c, kFin | kAck, 1007, 5001)));
  EXPECT_TRUE(h.data(c, 0, "GET /e")) << "again";
  EXPECT_TRUE(h.send(tcp(c, kFin | kAck, 1007, 5001))) << "again";
  EXPECT_FALSE(h.data(c, 6, "vil HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(h.data(c, 7, "vil HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(h.data(c, 0, "GET /evil HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(out_of_place(h), 3u);
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream error"});
  EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1008, "the other direction goes on")));
}

TEST(FeignedEnd, TheServersEndHoldsAsWell) {
  Harness h("drop http any any -> any any (http.response_body; content:\"evil\"; sid:1;)");
  const Ends c;
  h.connect(c);
  h.data(c, 0, kFirst);
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\nev";
  const auto end = 5001 + static_cast<uint32_t>(answer.size());
  EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1001 + kFirstLength, answer)));
  EXPECT_TRUE(h.send(tcp(c.turned(), kFin | kAck, end, 1001 + kFirstLength)));
  EXPECT_FALSE(h.send(tcp(c.turned(), kAck, end, 1001 + kFirstLength, "il")));
}

TEST(FeignedEnd, AnEndThatIsNoneChangesNothing) {
  struct Case {
    uint8_t flags;
    uint32_t offset;
    const char* bytes;
    bool passes;
  };
  const Case cases[] = {
      {kFin | kAck, 1u << 29, "", true},  // out of the window
      {kFin | kAck, 100, "", true},       // early
      {kFin | kAck, 3, "", true},         // behind
      {kFin | kAck, 2, "XXXX", false},    // with other bytes: nobody receives it
      {kFin | kRst, 6, "", true},         // a reset
      {kFin | kSyn, 6, "", true},
  };
  for (const Case& end : cases) {
    Harness h(kRules);
    const Ends c;
    h.connect(c);
    h.data(c, 0, "GET /e");
    EXPECT_EQ(h.send(tcp(c, end.flags, 1001 + end.offset, 5001, end.bytes)), end.passes);
    EXPECT_FALSE(h.data(c, 6, "vil HTTP/1.1\r\n\r\n")) << end.offset;
    EXPECT_EQ(h.alerts(), Sids{2}) << end.offset;
  }
}

TEST(FeignedEnd, ASynAfterAResetMustBeAnswered) {
  for (const uint32_t isn : {1006u, 1000u, 70'000u}) {
    Harness h(kRules);
    const Ends c;
    h.connect(c);
    h.data(c, 0, "GET /e");
    EXPECT_TRUE(h.send(tcp(c, kRst, 1007, 0)));
    EXPECT_TRUE(h.send(tcp(c, kSyn, isn, 0)));
    EXPECT_FALSE(h.data(c, 6, "vil HTTP/1.1\r\n\r\n")) << isn;
    EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1007))) << "what the server says to the SYN";
    EXPECT_FALSE(h.data(c, 6, "vil HTTP/1.1\r\n\r\n")) << isn;
    EXPECT_FALSE(h.send(tcp(c.turned(), kAck, 5001, 1007, "of the old connection")));
    EXPECT_EQ(out_of_place(h), 3u);
    EXPECT_EQ(h.drops(), std::vector<std::string>{"stream error"});
  }
}

TEST(FeignedEnd, AnAnsweredSynBeginsAnotherConnection) {
  struct Answer {
    uint8_t flags;
    uint32_t acknowledgement;
    bool counts;
  };
  const Answer answers[] = {{kSyn | kAck, 70'001, true},
                            {kSyn | kAck, 70'004, true},  // what came with the SYN
                            {kSyn, 0, true},
                            {kSyn | kAck, 1007, false},
                            {kSyn | kAck, 70'000, false}};
  for (const Answer& answer : answers) {
    Harness h(kRules);
    const Ends c;
    h.connect(c);
    h.data(c, 0, "GET /e");
    h.send(tcp(c, kRst, 1007, 0));
    EXPECT_TRUE(h.send(tcp(c, kSyn, 70'000, 0, "GET")));
    EXPECT_TRUE(h.send(tcp(c.turned(), answer.flags, 90'000, answer.acknowledgement)));
    EXPECT_EQ(h.send(tcp(c, kAck, 70'004, 90'001, " /")), answer.counts) << answer.acknowledgement;
    EXPECT_FALSE(h.send(tcp(c, kAck, 70'006, 90'001, "evil HTTP/1.1\r\n\r\n")));
    EXPECT_EQ(h.alerts(), answer.counts ? Sids{2} : Sids{});
  }
}

// The server still has the old connection: it says where it is, and the client ends that first.
TEST(FeignedEnd, AHalfOpenConnectionIsEndedAndBeginsAgain) {
  Harness h(kRules);
  const Ends c;
  h.connect(c);
  h.data(c, 0, "abc");
  h.send(tcp(c, kRst, 1004, 0));
  EXPECT_TRUE(h.send(tcp(c, kSyn, 70'000, 0)));
  EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1004)));
  EXPECT_TRUE(h.send(tcp(c, kRst, 1004, 0)));
  h.connect(c, 70'000, 90'000);
  EXPECT_TRUE(h.send(tcp(c, kAck, 70'001, 90'001, "att")));
  EXPECT_FALSE(h.send(tcp(c, kAck, 70'004, 90'001, "ack")));
  EXPECT_EQ(out_of_place(h), 0u);
}

TEST(FeignedEnd, NeitherAResetNorASynLeadsAroundThePolicyForTheMiddle) {
  for (const uint8_t flags : {kRst, kSyn, uint8_t(kSyn | kRst)}) {
    InspectorOptions options;
    options.exceptions.choose(ExceptionCause::kMidstream, ExceptionPolicy::kDropFlow);
    Harness h(kRules, options);
    const Ends c;
    EXPECT_TRUE(h.send(tcp(c, flags, 1000, 0)));
    EXPECT_FALSE(h.data(c, 0, "of a connection that goes on")) << int{flags};
    EXPECT_FALSE(h.data(c, 5, "of a connection that goes on")) << int{flags};
    const Ends other{"10.0.0.1", "10.0.0.2", 40001, 80};
    h.connect(other);
    EXPECT_TRUE(h.data(other, 0, "text"));
  }
}

// The bytes of a connection are put in order up to the 16th, and not at all behind "trusted".
Harness barely_in_order() {
  InspectorOptions options;
  options.stream.depth = 16;
  return Harness(
      "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n"
      "pass tcp any any -> any any (content:\"trusted\"; sid:2;)",
      options);
}

// A connection that is known by its handshake only, one behind its depth, one that a rule has
// passed.
TEST(FeignedEnd, AResetOfAStrangerEndsNothingWhereBytesAreNotInOrder) {
  for (const char* said : {"", "longer than the depth", "trusted"}) {
    Harness h = barely_in_order();
    const Ends c;
    h.connect(c);
    const auto length = static_cast<uint32_t>(std::string_view(said).size());
    if (length != 0) {
      EXPECT_TRUE(h.data(c, 0, said));
    }
    EXPECT_TRUE(h.send(tcp(c, kRst, 1001 + length + 500, 0)));
    EXPECT_TRUE(h.send(tcp(c, kSyn, 90000, 0)));
    EXPECT_TRUE(h.data(c, length, "more of it")) << said;
    EXPECT_EQ(h.inspector().flow_counters().replaced, 0u) << said;
  }
}

TEST(FeignedEnd, AnAnsweredSynBeginsAnotherConnectionWhereBytesAreNotInOrder) {
  for (const char* said : {"longer than the depth", "trusted"}) {
    Harness h = barely_in_order();
    const Ends c;
    h.connect(c);
    EXPECT_TRUE(h.data(c, 0, said));
    h.connect(c, 90000, 70000);
    EXPECT_TRUE(h.send(tcp(c, kAck, 90001, 70001, "att")));
    EXPECT_FALSE(h.send(tcp(c, kAck, 90004, 70001, "ack"))) << said;
    EXPECT_EQ(h.inspector().flow_counters().replaced, 1u) << said;
  }
}

// Who does not see the connection cannot have the server acknowledge what nobody has sent, and end
// it there.
TEST(FeignedEnd, AMadeUpAcknowledgementLeadsToNoReset) {
  for (const char* said : {"longer than the depth", "trusted"}) {
    Harness h = barely_in_order();
    const Ends c;
    h.connect(c);
    EXPECT_TRUE(h.data(c, 0, said));
    EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 777'777)));
    EXPECT_TRUE(h.send(tcp(c, kRst, 777'777, 0)));
    EXPECT_TRUE(h.send(tcp(c, kSyn, 90000, 0)));
    EXPECT_EQ(h.inspector().flow_counters().replaced, 0u) << said;
  }
}

// The reset may have died on its way, and its connection go on when it is forgotten here.
TEST(FeignedEnd, WhatComesLongAfterAnEndIsMetInItsMiddle) {
  constexpr auto kCause = ExceptionCause::kMidstream;
  for (const auto policy : {ExceptionPolicy::kIgnore, ExceptionPolicy::kDropFlow}) {
    InspectorOptions options;
    options.exceptions.choose(kCause, policy);
    Harness h(kRules, options);
    const Ends c;
    h.connect(c);
    EXPECT_TRUE(h.data(c, 0, kFirst));
    EXPECT_TRUE(h.send(tcp(c, kRst, 1001 + kFirstLength, 0)));
    h.pass_time(int64_t{options.flows.tcp_idle_seconds[2]} * 1'000'000);
    EXPECT_EQ(h.inspector().flows(), 0u);
    EXPECT_FALSE(h.data(c, kFirstLength, kEvil));
    EXPECT_EQ(h.inspector().exception_counters().get(kCause, policy), 1u);
    const bool looked = policy == ExceptionPolicy::kIgnore;
    EXPECT_EQ(h.alerts(), looked ? Sids{2} : Sids{});
    EXPECT_EQ(h.drops(), std::vector<std::string>{looked ? "rules" : "stream midstream"});
  }
}

// Of a connection whose server is not heard nothing is waited for.
TEST(FeignedEnd, OneSideAloneNeedsNoAnswer) {
  InspectorOptions options;
  options.one_sided = true;
  options.exceptions.choose(ExceptionCause::kMidstream, ExceptionPolicy::kDropFlow);
  Harness h(kRules, options);
  const Ends c;
  EXPECT_TRUE(h.send(tcp(c, kSyn, 1000, 0)));
  EXPECT_TRUE(h.data(c, 0, "GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(out_of_place(h), 0u);
}

}  // namespace
}  // namespace sluice::inspect
