// SPDX-License-Identifier: Apache-2.0
// What the path remembers: cookies of a tuple's uses, the target of a flow, and what gives way when
// its tables are full.
#include <bit>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

TEST_F(Path, ATupleUsedAgainGetsAnotherCookie) {
  const Step first_use = from_outside(request());
  from_tunnel(returned(first_use.bytes));
  const Step open = from_outside(request());
  EXPECT_EQ(cookie_of(open.bytes), cookie_of(first_use.bytes)) << "a repeated SYN opens nothing";
  // Reset, then used again.
  round_trip(reply(kTcpRst), kInside);
  const Step second_use = from_outside(request());
  EXPECT_NE(cookie_of(second_use.bytes), cookie_of(first_use.bytes));
  EXPECT_EQ(from_tunnel(returned(second_use.bytes)).outcome.verdict, kVerdictInside);
}

// What is still on its way when a tuple is used again arrives; what comes later, or was two uses
// ago, does not.
TEST_F(Path, TheFormerCookieIsTakenForAWhile) {
  std::vector<Bytes> uses;
  for (int use = 0; use < 3; use++) {
    uses.push_back(from_outside(request()).bytes);
    if (use < 2) round_trip(reply(kTcpRst), kInside);
  }
  EXPECT_EQ(from_tunnel(returned(uses[0])).outcome.reason, kDropCookieMismatch);
  host->set_now_ms(host->now_ms() + kFormerCookieMs);
  EXPECT_EQ(from_tunnel(returned(uses[1])).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFormerCookie), 1u);
  host->set_now_ms(host->now_ms() + 1);
  EXPECT_EQ(from_tunnel(returned(uses[1])).outcome.reason, kDropCookieExpired);
  EXPECT_EQ(from_tunnel(returned(uses[2])).outcome.verdict, kVerdictInside);
  // Genuine, but another target sends it; or right but for one bit of its digest.
  host->set_now_ms(host->now_ms() - 1);
  Bytes stolen = returned(uses[1]);
  stolen[29] = static_cast<uint8_t>(stolen[29] == 11 ? 12 : 11);
  EXPECT_EQ(from_tunnel(with_checksum(stolen)).outcome.reason, kDropTargetMismatch);
  Bytes forged = returned(uses[1]);
  forged[81] ^= 1;
  EXPECT_EQ(from_tunnel(forged).outcome.reason, kDropCookieMismatch);
}

TEST_F(Path, ExistingFlowsStayWhenRowsMove) {
  const Step before = from_outside(request());
  from_inside(reply());
  for (uint32_t i = 0; i < kApplianceRows; i++) host->tables().rows[i].target = 3;
  EXPECT_EQ(load_u32(&from_outside(request()).bytes[30]), load_u32(&before.bytes[30]));
  // A target that is gone keeps nobody.
  host->tables().targets[before.bytes[33] - 11].flags = 0;
  if (before.bytes[33] != 14) {
    EXPECT_EQ(from_outside(request()).bytes[33], 14);
  }
}

TEST_F(Path, AnUnansweredSynFollowsItsRow) {
  const Step before = from_outside(request());
  const auto other = static_cast<uint16_t>((before.bytes[33] - 11 + 1) % kAppliances);
  for (uint32_t i = 0; i < kApplianceRows; i++) host->tables().rows[i].target = other;
  EXPECT_EQ(from_outside(request(kTcpAck)).bytes[33], before.bytes[33]) << "no SYN";
  const Step again = from_outside(request());
  EXPECT_EQ(again.bytes[33], 11 + other);
  EXPECT_NE(cookie_of(again.bytes), cookie_of(before.bytes));
  // Answered, it stays.
  from_inside(reply());
  for (uint32_t i = 0; i < kApplianceRows; i++)
    host->tables().rows[i].target = (other + 1) % kAppliances;
  EXPECT_EQ(from_outside(request()).bytes[33], 11 + other);
}

// A datagram of one of many clients, or its answer.
Bytes flow(uint32_t n, bool backward) {
  const Bytes a = {10, 1, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
  const Bytes b = {10, 0, 0, 2};
  return ethernet(kEtherTypeIpv4, {},
                  backward ? ipv4(kProtocolUdp, udp(53, 5000), {.source = b, .destination = a})
                           : ipv4(kProtocolUdp, udp(5000, 53), {.source = a, .destination = b}));
}

// Fills the table with flows that both ends have spoken in; then newcomers go without a record and
// the old ones still work. Half-open ones give way.
TEST_F(Path, AFullTableKeepsEstablishedFlows) {
  std::vector<uint32_t> established;
  for (uint32_t n = 0; n < 20000; n++) {
    const uint64_t before = events(kEventFlowCreated);
    ASSERT_EQ(from_outside(flow(n, false)).outcome.verdict, kVerdictTarget);
    ASSERT_EQ(from_inside(flow(n, true)).outcome.verdict, kVerdictTarget);
    if (events(kEventFlowCreated) != before) established.push_back(n);
  }
  EXPECT_EQ(established.size(), 4096u);  // every place of flows_max = 4096
  EXPECT_EQ(events(kEventUnrecordedSent), 2 * (20000u - 4096u));
  const uint64_t created = events(kEventFlowCreated);
  for (uint32_t n : established)
    ASSERT_EQ(from_outside(flow(n, false)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventFlowCreated), created);
  // Idle for long enough, they all give way.
  host->set_now_ms(host->now_ms() + 40ull * (1 << 14));
  for (uint32_t n = 30000; n < 31000; n++)
    ASSERT_EQ(from_outside(flow(n, false)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventFlowExpired), 1000u);
}

// Flows that have idled out give way from that moment on, however long ago it was, and however long
// others may be silent: the mark of a flow's age knows only the longest time, and comes round.
TEST_F(Path, FlowsThatHaveIdledOutGiveWay) {
  constexpr uint32_t kIdle = 350'000, kNew = 400;
  settings& s = host->tables().settings[0];
  for (const uint32_t longest_ms : {kIdle, 86'400'000u}) {
    s.idle_ms[kIdleRules] = longest_ms;
    s.epoch_shift = static_cast<uint16_t>(std::bit_width(longest_ms) - 5);
    for (const uint32_t silent_ms :
         {kIdle, kIdle + 1, 540'000u, 1'100'000u, 1'500'000u, 90'000'000u}) {
      SCOPED_TRACE(testing::Message() << silent_ms << " ms, the longest " << longest_ms);
      fill_flows(host->tables(), host->now_ms());
      host->set_now_ms(host->now_ms() + silent_ms);
      const uint64_t created = events(kEventFlowCreated), expired = events(kEventFlowExpired);
      for (uint32_t n = 0; n < kNew; n++)
        ASSERT_EQ(from_outside(flow(n, false)).outcome.verdict, kVerdictTarget);
      const uint32_t gave_way = silent_ms > kIdle ? kNew : 0;
      EXPECT_EQ(events(kEventFlowCreated) - created, gave_way);
      EXPECT_EQ(events(kEventFlowExpired) - expired, gave_way);
    }
  }
}

// A million connections that are never answered: each takes the place of another of them, so those
// that are established lose neither their record nor a packet.
TEST_F(Path, AFloodOfAMillionTuplesLeavesEstablishedFlowsAlone) {
  constexpr uint16_t kEstablished = 1000;
  constexpr uint32_t kFlood = 1'000'000;
  const auto segment = [](uint16_t client_port, bool back, uint8_t flags) {
    const Bytes client = {10, 0, 0, 1};
    const Bytes server = {10, 0, 0, 2};
    return ethernet(kEtherTypeIpv4, {},
                    back ? ipv4(kProtocolTcp, tcp(80, client_port, flags),
                                {.source = server, .destination = client})
                         : ipv4(kProtocolTcp, tcp(client_port, 80, flags),
                                {.source = client, .destination = server}));
  };
  std::vector<Bytes> before;
  for (uint16_t n = 0; n < kEstablished; n++) {
    from_outside(segment(1000 + n, false, kTcpSyn));
    before.push_back(from_inside(segment(1000 + n, true, kTcpSyn | kTcpAck)).bytes);
    round_trip(segment(1000 + n, false, kTcpAck), kOutside);
  }
  const uint64_t created = events(kEventFlowCreated);
  Bytes syn = segment(1, false, kTcpSyn);
  FrameBuffer buffer;
  uint64_t sent = 0;
  for (uint32_t n = 0; n < kFlood; n++) {
    store_be32(&syn[26], 0x0b000000 + n);
    buffer.assign(syn);
    sent += host->run(buffer, kOutside).verdict == kVerdictTarget;
  }
  // Where a bucket is full of established flows the newcomer goes without a record.
  EXPECT_EQ(sent, kFlood);
  EXPECT_LT(events(kEventUnrecordedSent), kFlood / 100);
  EXPECT_EQ(events(kEventFlowCreated) + events(kEventUnrecordedSent), created + kFlood);
  const uint64_t created_by_then = events(kEventFlowCreated);
  for (uint16_t n = 0; n < kEstablished; n++) {
    const Step step = from_inside(segment(1000 + n, true, kTcpSyn | kTcpAck));
    ASSERT_EQ(step.bytes, before[n]) << "same target, same cookie";
  }
  EXPECT_EQ(events(kEventFlowCreated), created_by_then);
}

TEST_F(Path, HalfOpenFlowsGiveWay) {
  for (uint32_t n = 0; n < 20000; n++) {
    const Bytes a = {10, 2, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)};
    ASSERT_EQ(
        from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(1, 2), {.source = a})))
            .outcome.verdict,
        kVerdictTarget);
  }
  EXPECT_GT(events(kEventFlowEvicted), 15000u);
  EXPECT_EQ(drops(kDropFlowTableFull), 0u);
}

TEST_F(Path, Layer2PairsAreBounded) {
  uint64_t sent = 0;
  for (uint32_t n = 0; n < 3 * kLayer2Max; n++) {
    Bytes in = request();
    store_be32(&in[8], n);
    if (from_outside(in).outcome.verdict == kVerdictTarget) sent++;
  }
  EXPECT_LE(sent, uint64_t{kLayer2Max});
  EXPECT_EQ(drops(kDropLayer2TableFull), 3ull * kLayer2Max - sent);
  // Unused for a while, their places go to others.
  host->set_now_ms(host->now_ms() + kPortsMax * 10);
  Bytes in = request();
  store_be32(&in[8], 0xabcdef);
  EXPECT_EQ(from_outside(in).outcome.verdict, kVerdictTarget);
}

TEST_F(Path, AReplacedLayer2PairIsNotUsed) {
  const Step out = from_outside(request());
  for (uint32_t i = 0; i < kLayer2Max; i++) host->tables().layer2s[i].tag ^= 2;
  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.reason, kDropLayer2Gone);
}

}  // namespace
}  // namespace sluice::gateway
