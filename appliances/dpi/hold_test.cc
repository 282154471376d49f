// SPDX-License-Identifier: Apache-2.0
// Flows that are held back until they are known.
#include "appliances/dpi/appliance_for_test.h"
#include "inspect/dpi/client_hello_for_test.h"

namespace sluice::dpi {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using sdk::Answer;
using tunnels::kTcpAck;

class HoldTest : public ApplianceTest {
 protected:
  // The ClientHello for NetFlix in two segments: only both together tell.
  Answer hello(const Ends& ends, int part) {
    static const std::string hello = inspect::testing::client_hello("www.netflix.com");
    return part == 0 ? show(inspect::testing::tcp(ends, kTcpAck, 101, 501, hello.substr(0, 100)))
                     : show(inspect::testing::tcp(ends, kTcpAck, 201, 501, hello.substr(100)));
  }
  static uint32_t sequence_of(const Bytes& ip) { return tunnels::load_be32(&ip[24]); }
};

const std::string kHold = "hold: {bytes: 4000, milliseconds: 200}\n";

TEST_F(HoldTest, ReleasesInOrderOnceTheFlowIsKnown) {
  start(kHold + "applications: [{name: NetFlix, action: {mark: {dscp: 9}}}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(hello(ends, 0), Answer::kDrop);
  EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpAck, 501, 201)), Answer::kDrop);
  EXPECT_TRUE(injected_.packets.empty());
  EXPECT_EQ(appliance_->counters().bytes_held, 180u);
  EXPECT_EQ(hello(ends, 1), Answer::kReturn);
  ASSERT_EQ(injected_.packets.size(), 2u);
  EXPECT_EQ(sequence_of(injected_.packets[0]), 101u);
  EXPECT_EQ(sequence_of(injected_.packets[1]), 501u);
  EXPECT_EQ(injected_.packets[0].size(), 140u);
  EXPECT_EQ(injected_.packets[0][1], 9 << 2);  // by the rule that came of it
  EXPECT_EQ(ip_[1], 9 << 2);
  EXPECT_EQ(appliance_->counters().bytes_held, 0u);
  EXPECT_EQ(appliance_->counters().packets_held, 2u);
  EXPECT_EQ(data(ends, 100), Answer::kReturn);
  EXPECT_EQ(injected_.packets.size(), 2u);
}

TEST_F(HoldTest, NothingOfABlockedFlowIsReleased) {
  start(kHold + "categories: [{name: Video, action: drop}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(hello(ends, 0), Answer::kDrop);
  EXPECT_EQ(hello(ends, 1), Answer::kDrop);
  EXPECT_TRUE(injected_.packets.empty());
  EXPECT_EQ(appliance_->counters().bytes_held, 0u);
  EXPECT_EQ(appliance_->counters().packets_blocked, 2u);
  EXPECT_EQ(events("drop").size(), 1u);
}

TEST_F(HoldTest, WhatNothingCanChangeIsNotHeld) {
  start(kHold +
        "rules: [{match: {client: 10.0.0.1}, action: allow}, {match: {score: 9}, action: drop}]");
  EXPECT_EQ(data({}, 100), Answer::kReturn);
  EXPECT_EQ(data({"10.0.0.5", "10.0.0.2", 40000, 80}, 100), Answer::kDrop);
  EXPECT_EQ(appliance_->counters().flows_held, 1u);
}

TEST_F(HoldTest, TimeRunsOutIntoTheFallback) {
  for (const bool allowed : {true, false}) {
    SCOPED_TRACE(allowed);
    start(kHold + "applications: [{name: NetFlix, action: allow}]\nfallback: " +
          (allowed ? "allow" : "drop"));
    injected_.packets.clear();
    const Ends ends;
    handshake(ends);
    EXPECT_EQ(data(ends, 100), Answer::kDrop);
    time_us_ += 197'000;
    EXPECT_EQ(data(ends, 100), Answer::kDrop);
    time_us_ += 1'000;
    EXPECT_EQ(data(ends, 100), allowed ? Answer::kReturn : Answer::kDrop);
    EXPECT_EQ(injected_.packets.size(), allowed ? 2u : 0u);
    EXPECT_EQ(data(ends, 100), allowed ? Answer::kReturn : Answer::kDrop);
    EXPECT_EQ(appliance_->counters().holds_expired, 1u);
    EXPECT_EQ(appliance_->counters().holds_overflowed, 0u);
    EXPECT_EQ(appliance_->counters().bytes_held, 0u);
    EXPECT_EQ(appliance_->counters().flows_blocked, allowed ? 0u : 1u);
  }
  EXPECT_EQ(events("drop").back()["verdict"]["reason"], "hold");
}

// A flow that gets no other packet is let go by the clock, each packet the way that it came.
TEST_F(HoldTest, TheClockEndsAHoldToo) {
  struct Sent : sdk::Outbox {
    std::vector<std::pair<uint64_t, Bytes>> packets;
    void send(const sdk::Origin& origin, std::span<const uint8_t> ip) override {
      packets.emplace_back(origin.way[0], Bytes(ip.begin(), ip.end()));
    }
  };
  for (const bool allowed : {true, false}) {
    SCOPED_TRACE(allowed);
    start(kHold + "applications: [{name: NetFlix, action: allow}]\nfallback: " +
          (allowed ? "{mark: {dscp: 1}}" : "reject"));
    Sent sent;
    const Ends early{"10.0.0.1", "10.0.0.2", 40001, 9}, late{"10.0.0.1", "10.0.0.2", 40002, 9};
    injected_.way = 7;
    EXPECT_EQ(data(early, 100), Answer::kDrop);
    EXPECT_EQ(data(early, 101), Answer::kDrop);
    const int64_t began = time_us_ - 1000;
    time_us_ += 50'000;
    injected_.way = 8;
    EXPECT_EQ(data(late, 102), Answer::kDrop);
    appliance_->send_late(began + 199'999, sent);
    EXPECT_TRUE(sent.packets.empty());
    appliance_->send_late(began + 200'000, sent);
    ASSERT_EQ(sent.packets.size(), allowed ? 2u : 0u);
    if (allowed) {
      EXPECT_EQ(sent.packets[0].first, 7u);
      EXPECT_EQ(sent.packets[0].second.size(), 100u);
      EXPECT_EQ(sent.packets[0].second[1], 1 << 2);
      EXPECT_EQ(sent.packets[1].second.size(), 101u);
    }
    appliance_->send_late(began + 1'000'000, sent);
    EXPECT_EQ(sent.packets.size(), allowed ? 3u : 0u);
    if (allowed) {
      EXPECT_EQ(sent.packets.back().first, 8u);
    }
    EXPECT_EQ(appliance_->counters().bytes_held, 0u);
    EXPECT_EQ(appliance_->counters().holds_expired, 2u);
    EXPECT_EQ(appliance_->counters().flows_blocked, allowed ? 0u : 2u);
    EXPECT_EQ(data(early, 100), allowed ? Answer::kReturn : Answer::kDrop);
  }
}

TEST_F(HoldTest, RoomRunsOutIntoTheFallback) {
  start(
      "hold: {bytes: 150, milliseconds: 200}\n"
      "applications: [{name: NetFlix, action: drop}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(hello(ends, 0), Answer::kDrop);
  EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpAck, 501, 201)), Answer::kReturn);
  EXPECT_EQ(injected_.packets.size(), 1u);
  EXPECT_EQ(appliance_->counters().holds_overflowed, 1u);
  // It may still be blocked when it becomes known.
  EXPECT_EQ(hello(ends, 1), Answer::kDrop);
}

TEST_F(HoldTest, AllFlowsTogetherAreBounded) {
  start("hold: {bytes: 65536, milliseconds: 10000}\napplications: [{name: NetFlix, action: drop}]");
  size_t returned = 0;
  const size_t fits = kHoldPoolBytesMax / 20'000;
  for (uint16_t i = 0; i < fits + 100; i++)
    if (data({"10.0.0.5", "10.0.0.2", static_cast<uint16_t>(2000 + i), 9}, 20'000) ==
        Answer::kReturn)
      returned++;
  EXPECT_EQ(returned, 100u);
  EXPECT_EQ(appliance_->counters().holds_overflowed, 100u);
  EXPECT_LE(appliance_->counters().bytes_held, kHoldPoolBytesMax);
  appliance_->finish(time_us_);
  EXPECT_EQ(appliance_->counters().bytes_held, 0u);
}

}  // namespace
}  // namespace sluice::dpi
