// SPDX-License-Identifier: Apache-2.0
// How long a flow lives: its silences, and a TCP connection from its SYN to its end.
#include "gateway/datapath/flow_table.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

class Lifetime : public Path {
 protected:
  Tables& tables() { return host->tables(); }

  // The flow of request() and reply().
  struct Found {
    const flow_record& record;
    const flow_usage& usage;
    uint32_t state;
  };
  Found flow() {
    flow_query query;
    struct tuple t {};
    t.source[0] = ipv4_word(10, 0, 0, 1);
    t.destination[0] = ipv4_word(10, 0, 0, 2);
    t.source_port = swap_be16(4242);
    t.destination_port = swap_be16(80);
    t.protocol = kProtocolTcp;
    t.version = 4;
    flow_query_from_tuple(&query, tables().settings, &t, 0, 0);
    const uint32_t index = flow_find(&tables(), &query);
    flow_bucket& bucket = tables().flow_buckets[index / kFlowWays];
    const uint32_t way = index % kFlowWays;
    return {bucket.record[way], *flow_usage_in(&bucket, way), flow_entry_state(bucket.entry[way])};
  }
};

TEST_F(Lifetime, AnExpiredConnectionIsNamed) {
  const Step before = from_outside(request());
  host->set_now_ms(host->now_ms() + 350'001);
  for (const int flags : {0 + kTcpAck, kTcpFin | kTcpAck, kTcpSyn | kTcpAck, 0 + kTcpRst}) {
    const Step out = from_outside(request(static_cast<uint8_t>(flags)));
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(out.outcome.reason, kDropFlowExpired);
  }
  EXPECT_EQ(from_inside(reply(kTcpAck)).outcome.reason, kDropFlowExpired);
  EXPECT_EQ(drops(kDropFlowExpired), 5u);
  const Step again = from_outside(request());
  EXPECT_EQ(again.outcome.verdict, kVerdictTarget) << "a SYN begins anew";
  EXPECT_NE(cookie_of(again.bytes), cookie_of(before.bytes));
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
}

// Two CPUs look at the clock one after the other, and at the record the other way round.
TEST_F(Lifetime, AFlowThatWasSeenAMomentLaterHasNotExpired) {
  from_outside(request());
  from_inside(reply());
  host->set_now_ms(host->now_ms() - 4);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventFlowCreated), 1u);
}

TEST_F(Lifetime, AKeepaliveKeepsAConnection) {
  from_outside(request());
  from_inside(reply());
  for (int i = 0; i < 5; i++) {
    host->set_now_ms(host->now_ms() + 349'999);
    EXPECT_EQ(from_inside(reply(kTcpAck)).outcome.verdict, kVerdictTarget);
  }
  EXPECT_EQ(events(kEventFlowCreated), 1u);
}

TEST_F(Lifetime, OtherProtocolsBeginAgainByThemselves) {
  const Bytes in = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 6)));
  const Step before = from_outside(in);
  host->set_now_ms(host->now_ms() + 120'000);
  EXPECT_EQ(cookie_of(from_outside(in).bytes), cookie_of(before.bytes));
  host->set_now_ms(host->now_ms() + 120'001);
  EXPECT_NE(cookie_of(from_outside(in).bytes), cookie_of(before.bytes));
  EXPECT_EQ(events(kEventFlowCreated), 2u);
}

TEST_F(Lifetime, ProtocolsAndPortsHaveSilencesOfTheirOwn) {
  settings& s = tables().settings[0];
  s.idle_rule[kIdleRules] = {swap_be16(53), kProtocolUdp, kIdleRules};
  s.idle_ms[kIdleRules] = 10'000;
  s.idle_rule[kIdleRules + 1] = {0, kProtocolUdp, kIdleClasses - 1};
  s.idle_ms[kIdleClasses - 1] = 20'000;
  for (int i = kIdleRules + 2; i < kIdleClasses - 1; i++) s.idle_rule[i] = {0, 200, kIdleRules};
  s.idle_rule[kIdleClasses - 1] = {swap_be16(22), kProtocolTcp, kIdleRules + 1};
  s.idle_ms[kIdleRules + 1] = 500'000;
  const auto in = [](uint8_t protocol, const Bytes& transport) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(protocol, transport));
  };
  const struct {
    const char* name;
    Bytes first, later;
    uint32_t idle_ms;
  } cases[] = {
      {"dns", in(kProtocolUdp, udp(1000, 53)), in(kProtocolUdp, udp(1000, 53)), 10'000},
      {"from port 53", in(kProtocolUdp, udp(53, 1001)), in(kProtocolUdp, udp(53, 1001)), 10'000},
      {"udp", in(kProtocolUdp, udp(1000, 54)), in(kProtocolUdp, udp(1000, 54)), 20'000},
      {"gre", in(47, Bytes(20, 1)), in(47, Bytes(20, 1)), 120'000},
      {"tcp", in(kProtocolTcp, tcp(1, 80)), in(kProtocolTcp, tcp(1, 80, kTcpAck)), 350'000},
      {"ssh", in(kProtocolTcp, tcp(1, 22)), in(kProtocolTcp, tcp(1, 22, kTcpAck)), 500'000},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    from_outside(c.first);
    const uint64_t created = events(kEventFlowCreated);
    host->set_now_ms(host->now_ms() + c.idle_ms);
    EXPECT_EQ(from_outside(c.later).outcome.verdict, kVerdictTarget);
    EXPECT_EQ(events(kEventFlowCreated), created) << "still the same";
    host->set_now_ms(host->now_ms() + c.idle_ms + 1);
    const uint64_t expired = drops(kDropFlowExpired);
    from_outside(c.later);
    EXPECT_EQ(events(kEventFlowCreated) - created + drops(kDropFlowExpired) - expired, 1u);
  }
}

// SYN, established, half closed, closed, and used again.
TEST_F(Lifetime, AConnectionIsFollowedToItsEnd) {
  const auto flags = [&] {
    const Found found = flow();
    return std::pair(found.record.flags & (kFlowFin0 | kFlowFin1 | kFlowReset), found.state);
  };
  const uint32_t cookie = cookie_of(from_outside(request()).bytes);
  EXPECT_EQ(flags(), std::pair(0, uint32_t{kFlowHalfOpen}));
  round_trip(reply(), kInside);
  EXPECT_EQ(flags(), std::pair(0, uint32_t{kFlowHalfOpen})) << "the handshake is not complete";
  from_outside(request(kTcpAck));
  EXPECT_EQ(flags(), std::pair(0, uint32_t{kFlowHalfOpen})) << "the appliance has not approved it";
  round_trip(request(kTcpAck), kOutside);
  EXPECT_EQ(flags(), std::pair(0, uint32_t{kFlowEstablished}));
  from_outside(request(kTcpFin | kTcpAck));
  EXPECT_EQ(flags().first, 0) << "the appliance has not approved it";
  round_trip(request(kTcpFin | kTcpAck), kOutside);
  EXPECT_EQ(flags(), std::pair(0 + kFlowFin0, uint32_t{kFlowEstablished}));
  round_trip(reply(kTcpAck, {'x'}), kInside);
  EXPECT_EQ(flags().first, 0 + kFlowFin0) << "half closed, and the other half goes on";
  round_trip(reply(kTcpFin | kTcpAck), kInside);
  EXPECT_EQ(flags(), std::pair(kFlowFin0 | kFlowFin1, uint32_t{kFlowClosed}));
  EXPECT_EQ(cookie_of(from_outside(request(kTcpAck)).bytes), cookie) << "the last ACK";
  EXPECT_EQ(flags().second, uint32_t{kFlowClosed});
  EXPECT_NE(cookie_of(from_outside(request()).bytes), cookie);
  EXPECT_EQ(flags(), std::pair(0, uint32_t{kFlowHalfOpen}));
  round_trip(reply(kTcpRst), kInside);
  EXPECT_EQ(flags(), std::pair(0 + kFlowReset, uint32_t{kFlowClosed}));
}

// What the appliance keeps is known by what was delivered.
TEST_F(Lifetime, WhatWasDeliveredIsCounted) {
  round_trip(request(), kOutside);
  round_trip(reply(), kInside);
  EXPECT_EQ(flow().record.delivered, 2u);
  from_outside(request(kTcpAck, {'x'}));  // and is never seen again
  EXPECT_EQ(flow().record.delivered, 2u);
  const Found now = flow();
  EXPECT_EQ(now.usage.packets[0] + now.usage.packets[1], 3u);
  EXPECT_EQ(flow_bytes(&now.usage, 0) + flow_bytes(&now.usage, 1), 40u + 40 + 41);
  // Uninspected packets are delivered, too.
  const_cast<flow_record&>(now.record).flags |= kFlowBypass;
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(flow().record.delivered, 3u);
  const_cast<flow_record&>(now.record).flags &= ~kFlowBypass;
  round_trip(reply(kTcpRst), kInside);
  round_trip(request(), kOutside);
  EXPECT_EQ(flow().record.delivered, 1u) << "another flow";
}

TEST_F(Lifetime, BytesAreCountedBeyond32Bits) {
  round_trip(request(kTcpAck), kOutside);
  auto& usage = const_cast<flow_usage&>(flow().usage);
  const uint32_t direction = usage.packets[0] == 1 ? 0 : 1;
  usage.bytes_low[direction] = 0xffffffff;
  round_trip(request(kTcpAck), kOutside);
  EXPECT_EQ(flow_bytes(&usage, direction), 0xffffffffull + 40);
  EXPECT_EQ(flow_bytes(&usage, direction ^ 1), 0u);
}

TEST_F(Lifetime, WhoSentAResetIsKnown) {
  const auto resets = [&] {
    return flow().record.flags & (kFlowReset | kFlowReset0 | kFlowReset1);
  };
  round_trip(request(), kOutside);
  const bool client_first = flow().record.flags & kFlowClientFirst;
  round_trip(request(kTcpRst), kOutside);
  EXPECT_EQ(resets(), kFlowReset | (client_first ? 0 + kFlowReset0 : 0 + kFlowReset1));
  round_trip(reply(kTcpRst), kInside);
  EXPECT_EQ(resets(), kFlowReset | kFlowReset0 | kFlowReset1);
  round_trip(request(), kOutside);
  EXPECT_EQ(resets(), 0);
}

}  // namespace
}  // namespace sluice::gateway
