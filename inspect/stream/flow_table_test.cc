// SPDX-License-Identifier: Apache-2.0
#include "inspect/stream/flow_table.h"

#include <gtest/gtest.h>

#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::parsed;
using testing::tcp;
using testing::udp;

constexpr int64_t kSecond = 1'000'000;
constexpr uint8_t kSyn = tunnels::kTcpSyn;
constexpr uint8_t kAck = tunnels::kTcpAck;
constexpr uint8_t kFin = tunnels::kTcpFin;
constexpr uint8_t kRst = tunnels::kTcpRst;

struct Count {
  int value = 0;
};
using Table = FlowTable<Count>;

Ends client(uint16_t port) {
  Ends ends;
  ends.source_port = port;
  return ends;
}

TEST(FlowTable, BothDirectionsShareOneRecord) {
  for (const Ends& ends : {Ends{}, Ends{"10.0.0.9", "10.0.0.2", 5, 6},
                           Ends{"fd00::1", "fd00::2", 1, 2}, Ends{"fd00::3", "fd00::2", 1, 2}}) {
    Table table({}, nullptr);
    const auto first = table.see(parsed(udp(ends, "a")), 1);
    EXPECT_TRUE(first.created);
    EXPECT_EQ(first.direction, Direction::kToServer);
    first.record->user.value = 7;
    const auto second = table.see(parsed(udp(ends.turned(), "bb")), 2);
    EXPECT_EQ(second.record, first.record);
    EXPECT_EQ(second.direction, Direction::kToClient);
    EXPECT_EQ(second.record->user.value, 7);
    EXPECT_EQ(second.record->state, FlowState::kEstablished);
    EXPECT_EQ(second.record->packets[0], 1u);
    EXPECT_EQ(second.record->bytes[1], second.record->bytes[0] + 1);
    EXPECT_EQ(table.size(), 1u);
  }
}

// Who does not know the key cannot aim at a bucket; ids of flows come from the hash.
TEST(FlowTable, AnotherKeyHashesOtherwise) {
  const auto id = [](const tunnels::siphash_key& key) {
    FlowTableOptions options;
    options.key = key;
    return Table(options, nullptr).see(parsed(udp(client(7), "a")), 1).record->id;
  };
  const tunnels::siphash_key constant = FlowTableOptions().key, one = random_flow_key();
  EXPECT_EQ(id(one), id(one));
  EXPECT_NE(id(one), id(random_flow_key()));
  EXPECT_NE(id(one), id(constant));
  EXPECT_EQ(id(constant), id(FlowTableOptions().key));
}

TEST(FlowTable, KnowsWhenOnlyEstablishedFlowsCanGiveWay) {
  FlowTableOptions options;
  options.flows_max = 2;
  Table table(options, nullptr);
  table.see(parsed(udp(client(1), "a")), 1);
  table.see(parsed(udp(client(1).turned(), "a")), 1);
  EXPECT_FALSE(table.is_full_of_established(2)) << "there is room";
  table.see(parsed(udp(client(2), "a")), 2);
  EXPECT_FALSE(table.is_full_of_established(2)) << "a new one can give way";
  table.see(parsed(udp(client(2).turned(), "a")), 2);
  EXPECT_TRUE(table.is_full_of_established(2));
  EXPECT_FALSE(table.is_full_of_established(301 * kSecond)) << "they are not in use";
}

TEST(FlowTable, OtherSpacesHaveOtherFlows) {
  Table table({}, nullptr);
  const auto packet = parsed(udp({}, "a"));
  table.see(packet, 1).record->user.value = 1;
  const auto other = table.see(packet, 1, 9);
  EXPECT_TRUE(other.created);
  other.record->user.value = 2;
  EXPECT_EQ(table.see(parsed(udp(Ends().turned(), "b")), 2).record->user.value, 1);
  EXPECT_EQ(table.find(packet.tuple, 9)->user.value, 2);
  EXPECT_EQ(table.find(packet.tuple, 8), nullptr);
}

TEST(FlowTable, FollowsTheTcpHandshakeAndClose) {
  Table table({}, nullptr);
  const Ends c;
  Flow& flow = *table.see(parsed(tcp(c, kSyn, 1, 0)), 1).record;
  EXPECT_EQ(flow.state, FlowState::kNew);
  table.see(parsed(tcp(c.turned(), kSyn | kAck, 9, 2)), 2);
  EXPECT_EQ(flow.state, FlowState::kNew);
  table.see(parsed(tcp(c, kAck, 2, 10)), 3);
  EXPECT_EQ(flow.state, FlowState::kEstablished);
  table.see(parsed(tcp(c, kAck | kFin, 2, 10)), 4);
  EXPECT_EQ(flow.state, FlowState::kEstablished);
  table.see(parsed(tcp(c.turned(), kAck | kFin, 10, 3)), 5);
  EXPECT_EQ(flow.state, FlowState::kClosed);
}

TEST(FlowTable, SynAckFirstMeansTheReceiverIsTheClient) {
  Table table({}, nullptr);
  const Ends c;
  EXPECT_EQ(table.see(parsed(tcp(c.turned(), kSyn | kAck, 9, 2)), 1).direction,
            Direction::kToClient);
  EXPECT_EQ(table.see(parsed(tcp(c, kAck, 2, 10)), 2).direction, Direction::kToServer);
}

TEST(FlowTable, AClientCannotPassForTheServerByASynAckBeforeItsSyn) {
  Table table({}, nullptr);
  const Ends c;
  table.see(parsed(tcp(c, kSyn | kAck, 9, 2)), 1);
  EXPECT_EQ(table.see(parsed(tcp(c, kSyn, 1, 0)), 2).direction, Direction::kToServer);
  EXPECT_EQ(table.see(parsed(tcp(c.turned(), kSyn | kAck, 9, 2)), 3).direction,
            Direction::kToClient);
  EXPECT_FALSE(table.see(parsed(tcp(c.turned(), kSyn, 9, 0)), 4).created) << "nor the server";
}

// That is what a server says to a SYN with ACK, whether it is believed or not.
TEST(FlowTable, AResetFromTheOtherSideDoesNotMakeItTheClient) {
  for (const uint8_t reset : {kRst, uint8_t(kRst | kAck)}) {
    Table table({}, nullptr);
    const Ends c;
    Flow& flow = *table.see(parsed(tcp(c, kSyn | kAck, 9, 2)), 1).record;
    table.see(parsed(tcp(c.turned(), reset, 2, 0)), 2);
    take_back_reset(flow, FlowState::kNew);
    EXPECT_EQ(table.see(parsed(tcp(c, kSyn, 1, 0)), 3).direction, Direction::kToServer);
  }
}

TEST(FlowTable, OfAConnectionMetInItsMiddleThePortTellsTheServer) {
  FlowTableOptions options;
  options.server_by_port = true;
  const struct {
    uint16_t from, to;
    Direction direction;
  } cases[] = {{80, 40000, Direction::kToClient},
               {40000, 80, Direction::kToServer},
               {80, 81, Direction::kToServer},
               {40000, 50000, Direction::kToServer}};
  for (const auto& c : cases) {
    const Ends ends{"10.0.0.1", "10.0.0.2", c.from, c.to};
    EXPECT_EQ(Table(options, nullptr).see(parsed(tcp(ends, kAck, 1, 1, "x")), 1).direction,
              c.direction);
    EXPECT_EQ(Table(options, nullptr).see(parsed(tcp(ends, kSyn, 1, 0)), 1).direction,
              Direction::kToServer);
    EXPECT_EQ(Table({}, nullptr).see(parsed(tcp(ends, kAck, 1, 1, "x")), 1).direction,
              Direction::kToServer);
  }
}

TEST(FlowTable, NewSynReplacesAClosedFlow) {
  std::vector<FlowEnd> ends;
  Table table({}, [&](Table::Record&, FlowEnd end) { ends.push_back(end); });
  const Ends c;
  table.see(parsed(tcp(c, kSyn, 1, 0)), 1);
  EXPECT_FALSE(table.see(parsed(tcp(c, kSyn, 1, 0)), 2).created);  // a retransmission
  table.see(parsed(tcp(c.turned(), kRst | kAck, 0, 2)), 3);
  EXPECT_TRUE(table.see(parsed(tcp(c, kSyn, 50, 0)), 4).created);
  EXPECT_EQ(ends, std::vector{FlowEnd::kReplaced});
}

TEST(FlowTable, IdleFlowsEndByTheirState) {
  std::vector<uint16_t> ended;
  Table table({}, [&](Table::Record& r, FlowEnd end) {
    EXPECT_EQ(end, FlowEnd::kTimeout);
    ended.push_back(ntohs(r.to_server.source_port));
  });
  table.see(parsed(udp(client(1), "")), 0);
  table.see(parsed(udp(client(2), "")), 0);
  table.see(parsed(udp(client(2).turned(), "")), 0);
  table.see(parsed(tcp(client(3), kSyn, 0, 0)), 0);
  table.expire(29 * kSecond);
  EXPECT_TRUE(ended.empty());
  table.expire(30 * kSecond);
  EXPECT_EQ(ended, (std::vector<uint16_t>{1}));
  table.expire(60 * kSecond);
  EXPECT_EQ(ended, (std::vector<uint16_t>{1, 3}));
  EXPECT_TRUE(table.see(parsed(udp(client(2), "")), 300 * kSecond).created) << "late for expire()";
  EXPECT_EQ(ended, (std::vector<uint16_t>{1, 3, 2}));
  EXPECT_EQ(table.counters().timed_out, 3u);
}

TEST(FlowTable, FullTableEvictsNewBeforeEstablishedAndOldestFirst) {
  FlowTableOptions options;
  options.flows_max = 4;
  std::vector<uint16_t> evicted;
  Table table(options, [&](Table::Record& r, FlowEnd end) {
    EXPECT_EQ(end, FlowEnd::kEvicted);
    evicted.push_back(ntohs(r.to_server.source_port));
  });
  table.see(parsed(udp(client(1), "")), 1);
  table.see(parsed(udp(client(1).turned(), "")), 1);
  for (uint16_t port = 2; port <= 6; port++) table.see(parsed(udp(client(port), "")), port);
  EXPECT_EQ(evicted, (std::vector<uint16_t>{2, 3}));
  EXPECT_EQ(table.size(), 4u);
  EXPECT_EQ(table.counters().evicted, 2u);
  EXPECT_NE(table.find(parsed(udp(client(1), "")).tuple), nullptr);
  EXPECT_EQ(table.find(parsed(udp(client(2), "")).tuple), nullptr);
}

// Silent for longer is not idle for too long: each kind has a limit of its own.
TEST(FlowTable, FullTableEndsWhatIsIdleBeforeWhatIsInUse) {
  FlowTableOptions options;
  options.flows_max = 2;
  Table table(options, nullptr);
  const Ends c = client(1);
  table.see(parsed(tcp(c, kSyn, 1, 0)), 0);
  table.see(parsed(tcp(c.turned(), kSyn | kAck, 9, 2)), 0);
  table.see(parsed(tcp(c, kAck, 2, 10)), 0);
  table.see(parsed(udp(client(2), "")), 190 * kSecond);
  table.see(parsed(udp(client(2).turned(), "")), 190 * kSecond);
  EXPECT_TRUE(table.is_full_of_established(489 * kSecond));
  EXPECT_FALSE(table.is_full_of_established(500 * kSecond));
  table.see(parsed(udp(client(3), "")), 500 * kSecond);
  EXPECT_NE(table.find(parsed(tcp(c, kAck, 2, 10)).tuple), nullptr);
  EXPECT_EQ(table.find(parsed(udp(client(2), "")).tuple), nullptr);
  EXPECT_EQ(table.counters().timed_out, 1u);
  EXPECT_EQ(table.counters().evicted, 0u);
}

TEST(FlowTable, ManyFlowsComeAndGo) {
  FlowTableOptions options;
  options.flows_max = 1000;
  uint64_t ended = 0;
  Table table(options, [&](Table::Record&, FlowEnd) { ended++; });
  for (uint32_t i = 0; i < 20000; i++)
    table.see(parsed(udp(client(static_cast<uint16_t>(1 + i * 7919 % 5000)), "")), i * 1000);
  table.expire(1000 * kSecond);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(ended, table.counters().created);
}

TEST(FlowTable, SilentFlowsRestOnceUntilTheirNextPacket) {
  Table table({}, nullptr);
  const auto resting = [&](int64_t seconds) {
    std::vector<int> ports;
    table.rest(seconds * kSecond, 2 * kSecond, [&](Table::Record& r) {
      ports.push_back(tunnels::swap_be16(r.to_server.source_port));
    });
    return ports;
  };
  const auto see = [&](uint16_t port, int64_t seconds) {
    table.see(parsed(udp(client(port), "")), seconds * kSecond);
  };
  using Ports = std::vector<int>;
  for (uint16_t port = 1; port <= 4; port++) see(port, port);
  EXPECT_EQ(resting(2), Ports{});
  EXPECT_EQ(resting(4), (Ports{1, 2}));
  EXPECT_EQ(resting(4), Ports{});
  see(2, 5);  // the newest of those that rest
  see(1, 6);
  EXPECT_EQ(resting(6), (Ports{3, 4}));
  EXPECT_EQ(resting(8), (Ports{2, 1}));
  table.expire(36 * kSecond);
  EXPECT_EQ(table.size(), 0u);
  see(9, 40);
  EXPECT_EQ(resting(42), Ports{9});
}

TEST(FlowTable, NotAllRestAtOnce) {
  Table table({}, nullptr);
  for (uint32_t i = 0; i < kRestPerCallMax + 5; i++)
    table.see(parsed(udp(client(static_cast<uint16_t>(i + 1)), "")), 1);
  size_t rested = 0;
  const auto rest = [&] { table.rest(kSecond, kSecond / 2, [&](Table::Record&) { rested++; }); };
  rest();
  EXPECT_EQ(rested, kRestPerCallMax);
  rest();
  EXPECT_EQ(rested, kRestPerCallMax + 5);
}

TEST(FlowTable, ASweepBeginsWithTheLongestSilent) {
  Table table({}, nullptr);
  const auto see = [&](const Ends& ends, bool tcp_syn, int64_t time) {
    table.see(parsed(tcp_syn ? tcp(ends, kSyn, 1, 0) : udp(ends, "")), time);
  };
  const auto swept = [&](FlowSweep which, uint32_t flows, int until = 99) {
    std::vector<int> ports;
    table.sweep(which, flows, [&](Table::Record& r) {
      const int port = tunnels::swap_be16(r.to_server.source_port);
      if (port == until) return false;
      ports.push_back(port);
      return true;
    });
    return ports;
  };
  using Ports = std::vector<int>;
  for (uint16_t port = 1; port <= 6; port++) see(client(port), port % 2, port);
  EXPECT_EQ(swept(FlowSweep::kCut, 2), (Ports{1, 2}));
  EXPECT_EQ(swept(FlowSweep::kForget, 3), (Ports{1, 2, 3})) << "each by itself";
  see(client(2), false, 7);
  EXPECT_EQ(swept(FlowSweep::kCut, 9, 5), (Ports{3, 4}));
  EXPECT_EQ(swept(FlowSweep::kCut, 9), (Ports{5, 6, 2}));
  EXPECT_EQ(swept(FlowSweep::kCut, 9), Ports{});
  EXPECT_EQ(swept(FlowSweep::kForget, 9), (Ports{4, 5, 6, 2}));
}

TEST(FlowTable, ShutdownEndsAllInOneFixedOrder) {
  const auto run = [] {
    std::vector<uint64_t> order;
    Table table({}, [&](Table::Record& r, FlowEnd) { order.push_back(r.id); });
    for (uint16_t port = 1; port < 50; port++) table.see(parsed(udp(client(port), "")), port);
    table.end_all(FlowEnd::kShutdown);
    EXPECT_EQ(table.size(), 0u);
    return order;
  };
  const auto order = run();
  EXPECT_EQ(order.size(), 49u);
  EXPECT_EQ(order, run());
}

}  // namespace
}  // namespace sluice::inspect
