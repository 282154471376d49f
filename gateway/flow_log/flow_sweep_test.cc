// SPDX-License-Identifier: Apache-2.0
// The sweep over a table that the packet path fills.
#include "gateway/flow_log/flow_sweep.h"

#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

class FlowSweepTest : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    sweep_anew(0);
  }
  void sweep_anew(uint64_t interval_ms) {
    sweep = std::make_unique<FlowSweep>(
        host->tables(), interval_ms, host->now_ms(),
        [this](const FlowReport& report) { reports.push_back(report); });
  }
  // What a whole sweep tells now.
  std::vector<FlowReport> look() {
    reports.clear();
    sweep->look(host->tables().flow_buckets_count, host->now_ms());
    return reports;
  }
  void wait(uint64_t ms) { host->set_now_ms(host->now_ms() + ms); }
  void connect() {
    round_trip(request(), kOutside);
    round_trip(reply(), kInside);
    round_trip(request(kTcpAck), kOutside);
  }
  void close() {
    round_trip(request(kTcpFin | kTcpAck), kOutside);
    round_trip(reply(kTcpFin | kTcpAck), kInside);
    round_trip(request(kTcpAck), kOutside);
  }
  static Bytes datagram(uint16_t port, const Bytes& payload = {}) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port, 53, payload)));
  }
  static uint64_t packets(const flow_usage& usage) {
    return uint64_t{usage.packets[0]} + usage.packets[1];
  }

  std::vector<FlowReport> reports;
  std::unique_ptr<FlowSweep> sweep;
};

TEST_F(FlowSweepTest, AConnectionIsToldOfOnceWhenItIsOver) {
  const uint64_t began_ms = host->now_ms();
  connect();
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(sweep->known(), 1u);
  wait(1000);
  close();
  EXPECT_TRUE(look().empty()) << "its last packet may be on its way";
  wait(FlowSweep::kLingerMs);
  const auto told = look();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].end, FlowEnd::kFin);
  EXPECT_EQ(told[0].began_ms, began_ms);
  EXPECT_EQ(told[0].last_ms, began_ms + 1000);
  EXPECT_EQ(packets(told[0].usage), 6u);
  EXPECT_EQ(told[0].record.delivered, 6u);
  EXPECT_EQ(packets(told[0].told), 0u);
  EXPECT_TRUE(look().empty());
  wait(400'000);
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(sweep->known(), 0u);
  EXPECT_EQ(sweep->unseen(), 0u);
}

TEST_F(FlowSweepTest, ATupleUsedAgainIsAnotherFlow) {
  connect();
  round_trip(reply(kTcpRst), kInside);
  EXPECT_TRUE(look().empty());
  wait(10);
  round_trip(request(), kOutside);
  const auto told = look();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].end, FlowEnd::kReset);
  EXPECT_EQ(packets(told[0].usage), 4u);
  EXPECT_EQ(sweep->known(), 1u);
  wait(1);
  round_trip(reply(kTcpRst), kInside);
  wait(FlowSweep::kLingerMs);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_EQ(packets(reports[0].usage), 2u);
}

TEST_F(FlowSweepTest, SilenceEndsAFlow) {
  from_outside(datagram(1000));  // the appliance keeps it
  look();
  wait(120'000);
  EXPECT_TRUE(look().empty());
  wait(1);
  const auto told = look();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].end, FlowEnd::kIdle);
  EXPECT_EQ(told[0].record.delivered, 0u);
  from_outside(datagram(1000));
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(sweep->known(), 1u) << "a new one";
}

TEST_F(FlowSweepTest, AMovedFlowIsTheSame) {
  connect();
  look();
  const uint64_t began_ms = host->now_ms();
  wait(5000);
  const auto bucket_of = [&] {
    for (uint32_t i = 0; i < host->tables().flow_buckets_count; i++)
      for (uint32_t way = 0; way < kFlowWays; way++)
        if (host->tables().flow_buckets[i].entry[way] != 0)
          return &host->tables().flow_buckets[i].record[way];
    return static_cast<flow_record*>(nullptr);
  };
  const uint16_t target = bucket_of()->target;
  host->tables().targets[target].flags = 0;  // it is gone
  for (uint32_t i = 0; i < kApplianceRows; i++)
    host->tables().rows[i].target = (target + 1) % kAppliances;
  round_trip(request(kTcpAck), kOutside);
  EXPECT_TRUE(look().empty());
  close();
  wait(FlowSweep::kLingerMs);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_TRUE(reports[0].record.flags & kFlowMoved);
  EXPECT_EQ(reports[0].began_ms, began_ms);
  EXPECT_EQ(packets(reports[0].usage), 7u);
}

TEST_F(FlowSweepTest, AFlowThatLivesIsToldOfAtIntervalsWhileItSpeaks) {
  sweep_anew(10'000);
  connect();
  look();
  wait(9'999);
  EXPECT_TRUE(look().empty());
  wait(1);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_EQ(reports[0].end, FlowEnd::kOpen);
  EXPECT_EQ(packets(reports[0].usage), 3u);
  wait(20'000);
  EXPECT_TRUE(look().empty()) << "silent";
  round_trip(request(kTcpAck), kOutside);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_EQ(packets(reports[0].usage), 4u);
  EXPECT_EQ(packets(reports[0].told), 3u);
  EXPECT_EQ(reports[0].told_delivered, 3u);
  close();
  wait(FlowSweep::kLingerMs);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_EQ(reports[0].end, FlowEnd::kFin);
  EXPECT_EQ(packets(reports[0].told), 4u);
}

// A flow whose place was given away is told of as it was met last; one that no sweep has met is
// counted.
TEST_F(FlowSweepTest, FlowsThatAreEvictedAreToldOfOrCounted) {
  const uint32_t places = host->tables().flow_buckets_count * kFlowWays;
  const auto syn = [](uint32_t n) {
    const Bytes from = {10, 2, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(1, 2), {.source = from}));
  };
  for (uint32_t n = 0; n < 1000; n++) from_outside(syn(n));
  look();
  EXPECT_GT(sweep->known(), 900u);
  for (uint32_t n = 1000; n < 1000 + 10 * places; n++) from_outside(syn(n));
  const auto told = look();
  EXPECT_GT(told.size(), 100u);
  for (const FlowReport& report : told) EXPECT_EQ(report.end, FlowEnd::kReplaced);
  EXPECT_LE(sweep->known(), places);
  look();
  // Every flow is told of, known or unseen.
  EXPECT_EQ(sweep->unseen() + sweep->known() + told.size(), events(kEventFlowCreated));
}

TEST_F(FlowSweepTest, WhatEndedBeforeIsNotTold) {
  connect();
  round_trip(reply(kTcpRst), kInside);
  round_trip(datagram(1000), kOutside);
  wait(5000);
  sweep_anew(1000);
  EXPECT_TRUE(look().empty());
  // A flow from before is told of from now on.
  EXPECT_EQ(sweep->known(), 1u);
  wait(1000);
  EXPECT_TRUE(look().empty());
  round_trip(datagram(1000), kOutside);
  wait(1000);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_EQ(packets(reports[0].usage), 2u);
  EXPECT_EQ(packets(reports[0].told), 1u);
  EXPECT_EQ(sweep->unseen(), 0u);
}

TEST_F(FlowSweepTest, WhenItStopsAllThatLiveAreToldOf) {
  connect();
  round_trip(datagram(1000), kOutside);
  reports.clear();
  sweep->stop(host->now_ms());
  ASSERT_EQ(reports.size(), 2u);
  for (const FlowReport& report : reports) EXPECT_EQ(report.end, FlowEnd::kStopped);
}

// The path goes on while the sweep looks.
TEST_F(FlowSweepTest, AFlowThatSpokeAMomentAfterTheSweepsClockLives) {
  const uint64_t before_ms = host->now_ms();
  wait(3);
  connect();
  sweep->look(host->tables().flow_buckets_count, before_ms);
  EXPECT_TRUE(reports.empty());
  EXPECT_EQ(sweep->known(), 1u);
}

// The tuple as an NLB target sees it is no flow of its own.
TEST_F(FlowSweepTest, AnAliasIsNoFlow) {
  const Bytes to_listener = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 7000), {.destination = {10, 0, 0, 100}})));
  round_trip(to_listener, kOutside);
  look();
  EXPECT_EQ(sweep->known(), 1u);
  wait(130'000);
  ASSERT_EQ(look().size(), 1u);
  EXPECT_TRUE(reports[0].record.flags & kFlowNlb);
}

}  // namespace
}  // namespace sluice::gateway
