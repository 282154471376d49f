// SPDX-License-Identifier: Apache-2.0
// Segments that arrive here and nowhere else: a short TTL, no room for them. They lead no rule
// astray: what arrives in their place is inspected, or does not pass.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::kSyn;
using testing::Sids;
using testing::tcp;

constexpr const char* kRules = "drop tcp any any -> any any (content:\"attack\"; sid:1;)";

constexpr const char* kMiddleRules =
    "drop tcp any any -> any 80 (flow:to_server; content:\"attack\"; sid:1;)\n"
    "drop http any any -> any any (http.uri; content:\"/attack\"; startswith; sid:2;)\n";
constexpr const char* kEvil = "GET /attack HTTP/1.1\r\nHost: h\r\n\r\n";

uint64_t out_of_place(Harness& h) { return h.inspector().stream_counters().out_of_place; }

// The server has room for so many bytes, shifted by `scale`.
void connect_with_window(Harness& h, uint16_t window, uint8_t scale) {
  const Bytes options{3, 3, scale, 0};
  const Ends c;
  h.send(tcp(c, kSyn, 1000, 0, "", 65000, options));
  h.send(tcp(c.turned(), kSyn | kAck, 5000, 1001, "", window, options));
  h.send(tcp(c, kAck, 1001, 5001));
}

// What the server has, and for how much more it has room.
bool server_takes(Harness& h, uint32_t bytes, uint16_t window) {
  return h.send(tcp(Ends().turned(), kAck, 5001, 1001 + bytes, "", window));
}

TEST(Decoy, BytesBeyondTheWindowAreDropped) {
  Harness h(kRules);
  connect_with_window(h, 1000, 0);
  EXPECT_FALSE(h.data({}, 0, std::string(1400, '.')));
  EXPECT_EQ(out_of_place(h), 1u);
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream error"});
  EXPECT_FALSE(h.data({}, 0, "an attack"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Decoy, WhatTheWindowHoldsPasses) {
  Harness h(kRules);
  connect_with_window(h, 1000, 7);
  EXPECT_TRUE(h.data({}, 0, std::string(1000, '.'))) << "of a SYN it is not scaled";
  server_takes(h, 1000, 2);
  EXPECT_TRUE(h.data({}, 1000, std::string(200, '.')));
  EXPECT_TRUE(h.data({}, 1200, std::string(56, '.')));
  EXPECT_TRUE(h.data({}, 1256, ".")) << "asks whether there is room again";
  EXPECT_FALSE(h.data({}, 1256, ".."));
  EXPECT_TRUE(h.data({}, 999, "?")) << "asks whether anybody is there";
  server_takes(h, 1256, 0);
  EXPECT_FALSE(h.data({}, 1256, ".."));
  server_takes(h, 1256, 1);
  EXPECT_TRUE(h.data({}, 1256, ".."));
  EXPECT_EQ(out_of_place(h), 2u);
}

// The last packets of both took another way; without them it would never go on.
TEST(Decoy, WhatComesBehindAGapAndTheWindowWaitsForTheServer) {
  Harness h(kRules);
  connect_with_window(h, 1000, 0);
  EXPECT_TRUE(h.data({}, 0, "first"));
  EXPECT_TRUE(h.data({}, 5000, "att"));
  server_takes(h, 5003, 1000);
  EXPECT_FALSE(h.data({}, 5003, "ack"));
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Decoy, TheWindowIsNotAskedWhereItIsNotKnown) {
  for (const bool one_sided : {false, true}) {
    InspectorOptions options;
    options.one_sided = one_sided;
    Harness h(kRules, options);
    if (one_sided)
      connect_with_window(h, 1000, 0);
    else
      server_takes(h, 0, 1000);
    EXPECT_TRUE(h.data({}, 0, std::string(5000, '.')));
    EXPECT_FALSE(h.data({}, 5000, "attack"));
    EXPECT_EQ(out_of_place(h), 0u);
  }
}

TEST(Decoy, TheDepthIsNotUsedUpByWhatNeverArrives) {
  InspectorOptions options;
  options.stream.depth = 4000;
  Harness h(kRules, options);
  h.connect({});
  for (uint32_t at = 0; at < 6000; at += 1000) EXPECT_TRUE(h.data({}, at, std::string(1000, '.')));
  EXPECT_FALSE(h.data({}, 0, "an attack"));
  EXPECT_FALSE(h.data({}, 3500, std::string(1000, '-')));
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream error"});
  server_takes(h, 5000, 1000);
  EXPECT_TRUE(h.data({}, 0, "an attack")) << "nobody takes it now";
  EXPECT_TRUE(h.data({}, 6000, "an attack")) << "behind the depth";
}

// The sender does not believe it, and goes on to send what the server misses.
TEST(Decoy, AnAcknowledgementOfWhatWasNotSentSkipsNothing) {
  for (const uint32_t acknowledged : {9u, 10u, 500u, 1u << 30}) {
    Harness h(kRules);
    h.connect({});
    EXPECT_TRUE(h.data({}, 5, "tack"));
    EXPECT_TRUE(server_takes(h, acknowledged, 1000));
    const bool sent = acknowledged <= 9;
    EXPECT_EQ(h.data({}, 0, "an at"), sent);
    EXPECT_EQ(h.alerts().empty(), sent) << acknowledged;
    EXPECT_EQ(h.inspector().stream_counters().gaps, sent ? 1u : 0u);
  }
}

// The client has been silent until its connection was forgotten here, or has moved.
TEST(Decoy, InAConnectionMetInItsMiddleItHidesNothingBehindIt) {
  for (const uint32_t ahead : {1u, 5u, 40u, 500u, 1u << 29}) {
    for (const bool heard : {true, false}) {
      Harness h(kMiddleRules);
      if (heard) server_takes(h, 0, 1000);
      EXPECT_TRUE(h.data({}, ahead, "x"));
      EXPECT_FALSE(h.data({}, 0, kEvil)) << ahead;
      // Other bytes for the decoy's place: the server has not received that.
      EXPECT_EQ(h.alerts().empty(), ahead < std::string_view(kEvil).size()) << ahead;
    }
  }
}

TEST(Decoy, InAConnectionMetInItsMiddleItHoldsNothingUp) {
  for (const bool heard : {true, false}) {
    Harness h(kMiddleRules);
    if (heard) server_takes(h, 0, 1000);
    EXPECT_TRUE(h.data({}, uint32_t(-100), "x"));
    EXPECT_FALSE(h.data({}, 0, kEvil));
    EXPECT_EQ(h.alerts(), heard ? (Sids{1, 2}) : Sids{});
    if (heard) continue;
    EXPECT_TRUE(server_takes(h, 0, 1000)) << "it answers what is not in its place";
    EXPECT_FALSE(h.data({}, 0, kEvil));
    EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  }
}

TEST(Decoy, WhatTheNetworkTurnsRoundIsUnderstood) {
  Harness h(kMiddleRules);
  const std::string_view evil = kEvil;
  EXPECT_TRUE(h.data({}, 20, evil.substr(20)));
  EXPECT_TRUE(h.data({}, 9, evil.substr(9, 11)));
  EXPECT_FALSE(h.data({}, 0, evil.substr(0, 9)));
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Decoy, OfAConnectionWithOneSideNobodyCanSayWhereItBegins) {
  InspectorOptions options;
  options.one_sided = true;
  Harness h(kMiddleRules, options);
  EXPECT_TRUE(h.data({}, 100, "first"));
  EXPECT_TRUE(h.data({}, 200, "early"));
  EXPECT_TRUE(h.data({}, 0, "before"));
  EXPECT_FALSE(h.data({}, 105, "attack"));
}

// A SYN-ACK that the server never sees makes its reset to the first one one that is not believed.
TEST(Decoy, TwoSynAcksOfTheClientDoNotTurnTheConnectionRound) {
  for (const uint8_t reset : {testing::kRst, uint8_t(testing::kRst | kAck)}) {
    Harness h(kMiddleRules);
    const Ends c;
    h.send(tcp(c, kSyn | kAck, 500, 70'000));
    h.send(tcp(c, kSyn | kAck, 500, 71'000));
    h.send(tcp(c.turned(), reset, 70'000, 501));
    h.connect(c);
    EXPECT_FALSE(h.data(c, 0, kEvil));
    EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  }
}

}  // namespace
}  // namespace sluice::inspect
