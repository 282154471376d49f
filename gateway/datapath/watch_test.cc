// SPDX-License-Identifier: Apache-2.0
// What is seen of packets, at each stage, and by whom.
#include "gateway/datapath/watch.h"

#include <algorithm>
#include <bit>

#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/slow_path.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint32_t kAllStages = (1u << kSeenStages) - 1;

struct Seen {
  sighting what;
  Bytes frame;
};

class Watches : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    tables().sightings = &taker;
  }
  Tables& tables() { return host->tables(); }
  watch& look(size_t place = 0) {
    watch& w = tables().watches[0].watch[place];
    w = {0, {}, kAllStages, kWatchBytesMax, kNone16, 0, kWatchAnyProtocol, 0, 0};
    tables().settings[0].watching |= static_cast<uint16_t>(1 << place);
    return w;
  }
  static uint32_t stages_of(const std::vector<Seen>& seen) {
    uint32_t out = 0;
    for (const Seen& s : seen) out |= 1u << s.what.stage;
    return out;
  }
  uint64_t lost(size_t place) { return tables().watch_states[0].lost[place]; }
  static bool caused(const Seen& s, PathEvent event) { return s.what.events >> event & 1; }

  std::vector<Seen> seen;
  sighting_taker taker{
      [](void* self, const sighting* s, const __u8* bytes) {
        static_cast<Watches*>(self)->seen.push_back({*s, Bytes(bytes, bytes + s->captured)});
      },
      this};
};

TEST_F(Watches, NobodyLooksNothingIsTold) {
  round_trip(request(), kOutside);
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(events(kEventSightingLost), 0u);
}

TEST_F(Watches, APacketIsSeenWhereItComesInAndWhereItEndsUp) {
  look();
  const Bytes in = request();
  const Step there = from_outside(in);
  const Bytes back = returned(there.bytes);
  const Step out = from_tunnel(back);
  ASSERT_EQ(seen.size(), 4u);
  const uint8_t stages[] = {kSeenIn, kSeenEncapsulated, kSeenReturned, kSeenDelivered};
  const Bytes frames[] = {in, there.bytes, back, out.bytes};
  for (size_t i = 0; i < 4; i++) {
    const sighting& s = seen[i].what;
    EXPECT_EQ(s.stage, stages[i]) << i;
    EXPECT_EQ(seen[i].frame, frames[i]) << i;
    EXPECT_EQ(s.length, frames[i].size()) << i;
    EXPECT_EQ(s.time_ns, host->now_ms() * 1000000) << i;
    EXPECT_EQ(s.tuple.source_port, swap_be16(4242)) << i;
    EXPECT_EQ(s.tuple.destination_port, swap_be16(80)) << i;
    EXPECT_EQ(s.packet_length, 40u) << i;
    EXPECT_EQ(s.tcp_flags, 0 + kTcpSyn) << i;
    EXPECT_EQ(s.came_in, i < 2 ? kOutside : kTunnel) << i;
    EXPECT_EQ(s.hash, seen[0].what.hash) << i;
    EXPECT_EQ(s.watches, 1u) << i;
    EXPECT_EQ(s.flow.found, i > 0) << i;
    EXPECT_EQ(s.flow.attachment, 0u) << i;
    if (i == 0) continue;
    EXPECT_EQ(s.flow.cookie, cookie_of(there.bytes)) << i;
    EXPECT_EQ(s.flow.target, there.bytes[33] - 11) << i;
  }
  const uint8_t forward = seen[0].what.direction;
  EXPECT_TRUE(caused(seen[1], kEventFlowCreated));
  EXPECT_EQ(seen[1].what.former_target, kNone16);
  EXPECT_EQ(seen[1].what.leaves_by, kTunnel);
  EXPECT_EQ(seen[3].what.events, 0u);
  EXPECT_EQ(seen[3].what.former_target, seen[1].what.flow.target);
  EXPECT_EQ(seen[3].what.verdict, kVerdictInside);
  EXPECT_EQ(seen[3].what.leaves_by, kInside);
  seen.clear();
  round_trip(reply(), kInside);
  ASSERT_EQ(seen.size(), 4u);
  for (const Seen& s : seen) EXPECT_EQ(s.what.direction, forward ^ 1);
  EXPECT_EQ(seen[1].what.events, 0u);
  EXPECT_EQ(seen[3].what.verdict, kVerdictOutside);
}

TEST_F(Watches, ADropHasItsReason) {
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i].target = kNone16;
  look().stages = 1u << kSeenDropped;
  from_outside(request());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].what.verdict, kVerdictDrop);
  EXPECT_EQ(seen[0].what.reason, kDropNoTarget);
  EXPECT_EQ(seen[0].what.leaves_by, 0u);
  EXPECT_FALSE(seen[0].what.flow.found);
  EXPECT_EQ(seen[0].frame, request());
  // Of an answered one, the answer.
  tables().attachments[0].flags = kAttachmentDropsUnknown | kAttachmentResets;
  const Step answered = from_outside(request(kTcpAck));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].what.verdict, kVerdictAnswered);
  EXPECT_EQ(seen[1].what.reason, kDropFlowNotBegun);
  EXPECT_EQ(seen[1].frame, answered.bytes);
  EXPECT_EQ(seen[1].what.leaves_by, kOutside);
  EXPECT_TRUE(caused(seen[1], kEventResetSent));
}

TEST_F(Watches, ADatagramOfNoFlowIsSeenToo) {
  look();
  const Bytes datagram = returned(from_outside(request()).bytes);
  Bytes forged = datagram;
  forged[81] ^= 1;
  seen.clear();
  from_tunnel(forged);
  EXPECT_EQ(stages_of(seen), 1u << kSeenReturned | 1u << kSeenDropped);
  EXPECT_EQ(seen[1].what.reason, kDropCookieMismatch);
  seen.clear();
  from_tunnel(first(datagram, 60));  // ends inside its GENEVE header
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].what.verdict, kVerdictDrop);
  EXPECT_EQ(seen[1].what.tuple.version, 0);
  seen.clear();
  from_tunnel(ethernet(0x0806, {}, Bytes(28, 1)));  // the host's own
  EXPECT_TRUE(seen.empty());
  from_outside(ethernet(0x0806, {}, Bytes(28, 1)));
  EXPECT_EQ(stages_of(seen), 1u << kSeenIn | 1u << kSeenCrossed);
}

TEST_F(Watches, EachSeesWhatFitsItsFilter) {
  const Bytes others =
      ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(1000, 53, Bytes(30, 1))));
  struct Case {
    const char* name;
    void (*set)(watch&);
    bool fits, fits_others;
  };
  const Case cases[] = {
      {"all", [](watch&) {}, true, true},
      {"tcp", [](watch& w) { w.protocol = kProtocolTcp; }, true, false},
      {"udp", [](watch& w) { w.protocol = kProtocolUdp; }, false, true},
      {"client port", [](watch& w) { w.port = swap_be16(4242); }, true, false},
      {"server port", [](watch& w) { w.port = swap_be16(80); }, true, false},
      {"another port", [](watch& w) { w.port = swap_be16(81); }, false, false},
      {"client", [](watch& w) { w.version = 4, w.address[0] = ipv4_word(10, 0, 0, 1); }, true,
       false},
      {"server", [](watch& w) { w.version = 4, w.address[0] = ipv4_word(10, 0, 0, 2); }, true,
       false},
      {"nobody", [](watch& w) { w.version = 4, w.address[0] = ipv4_word(10, 0, 0, 3); }, false,
       false},
      {"of IPv6", [](watch& w) { w.version = 6, w.address[0] = ipv4_word(10, 0, 0, 1); }, false,
       false},
      {"attachment", [](watch& w) { w.attachment = 0; }, true, true},
      {"another", [](watch& w) { w.attachment = 1; }, false, false},
      {"flow", [](watch& w) { w.hash = 1; }, false, false},
      {"no stage", [](watch& w) { w.stages = 0; }, false, false},
  };
  for (const Case& c : cases) {
    c.set(look());
    seen.clear();
    round_trip(request(), kOutside);
    EXPECT_EQ(seen.size(), c.fits ? 4u : 0u) << c.name;
    seen.clear();
    round_trip(others, kOutside);
    EXPECT_EQ(seen.size(), c.fits_others ? 4u : 0u) << c.name;
  }
}

TEST_F(Watches, SeveralLookAtOnce) {
  watch& all = look(2);
  all.bytes = 20;
  watch& one = look(kWatchesMax - 1);
  one.stages = 1u << kSeenDelivered;
  one.bytes = 64;
  round_trip(request(), kOutside);
  ASSERT_EQ(seen.size(), 4u);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(seen[i].what.watches, 4u);
    EXPECT_EQ(seen[i].what.captured, 20u);
  }
  EXPECT_EQ(seen[3].what.watches, 4u | 1u << (kWatchesMax - 1));
  EXPECT_GE(seen[3].what.captured, 54u);  // all there is
  // An end in the middle.
  tables().settings[0].watching = 4;
  seen.clear();
  from_outside(request());
  EXPECT_EQ(seen.size(), 2u);
}

// The client's tuple names both halves of a network load balancer's flow.
TEST_F(Watches, AnAnswerOfAnNlbTargetIsTheFlowsOwn) {
  const Bytes syn = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), {.destination = {10, 0, 0, 100}})));
  look();
  round_trip(syn, kOutside);
  ASSERT_EQ(seen.size(), 4u);
  tables().watches[0].watch[0].hash = seen[0].what.hash;
  EXPECT_TRUE(caused(seen[3], kEventNlbTranslated));
  EXPECT_EQ(seen[3].what.flow.backend, kBackend);
  EXPECT_TRUE(seen[3].what.flow.flags & kFlowNlb);
  seen.clear();
  round_trip(
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolTcp, tcp(7001, 4242, kTcpSyn | kTcpAck),
                                  {.source = {10, 0, 0, 21}, .destination = {10, 0, 0, 1}}))),
      kInside);
  ASSERT_EQ(seen.size(), 4u);
  for (const Seen& s : seen) {
    EXPECT_EQ(s.what.tuple.source_port, swap_be16(7000));
    EXPECT_EQ(s.what.tuple.source[0], ipv4_word(10, 0, 0, 100));
    EXPECT_TRUE(s.what.flow.flags & kFlowNlb);
  }
}

TEST_F(Watches, AMoveIsToldWithWhoHadTheFlow) {
  look();
  round_trip(request(), kOutside);
  const uint16_t former = seen[1].what.flow.target;
  tables().targets[former].flags |= kTargetMoves;
  for (uint32_t i = 0; i < kApplianceRows; i++)
    tables().rows[i].target = static_cast<uint16_t>((former + 1) % kAppliances);
  seen.clear();
  from_outside(request(kTcpAck));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(caused(seen[1], kEventFlowMoved));
  EXPECT_EQ(seen[1].what.former_target, former);
  EXPECT_EQ(seen[1].what.flow.target, (former + 1) % kAppliances);
}

TEST_F(Watches, FragmentsAreTheirFlows) {
  const auto piece = [](uint16_t offset, const Bytes& payload) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, payload, {.fragment = offset}));
  };
  look().port = swap_be16(53);
  round_trip(piece(0x2000, udp(1000, 53, Bytes(24, 7))), kOutside);
  round_trip(piece(4, Bytes(24, 8)), kOutside);
  ASSERT_EQ(seen.size(), 8u);
  for (const Seen& s : seen) EXPECT_EQ(s.what.hash, seen[0].what.hash);
  EXPECT_TRUE(seen[4].what.packet_flags & kPacketFragment);
}

// A flow without a record has its attachment on its way back, too.
TEST_F(Watches, AnAttachmentIsThatOfFlowsWithoutARecord) {
  tables().attachments[0].new_flows_per_second = 1;
  from_outside(request());  // takes the only record of this second
  look().attachment = 0;
  const Bytes in = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1000, 53)));
  round_trip(in, kOutside);
  ASSERT_EQ(events(kEventUnrecordedReturned), 1u);
  EXPECT_EQ(stages_of(seen),
            1u << kSeenIn | 1u << kSeenEncapsulated | 1u << kSeenReturned | 1u << kSeenDelivered);
  for (const Seen& s : seen) EXPECT_EQ(s.what.flow.attachment, 0u);
  // Not that of what nobody knows.
  look(1);
  const Step out = from_outside(in);
  for (uint32_t i = 0; i < kUnrecordedBuckets; i++) tables().unrecorded_buckets[i] = {};
  seen.clear();
  from_tunnel(returned(out.bytes));
  ASSERT_EQ(seen.size(), 2u);
  for (const Seen& s : seen) {
    EXPECT_EQ(s.what.watches, 2u) << "only who looks at all";
    EXPECT_EQ(s.what.flow.attachment, kNone16);
  }
}

// It is seen once where it came in, however often the slow path looks at it.
TEST_F(Watches, TheSlowPathIsSeen) {
  look();
  std::vector<Outcome> ends;
  SlowPath slow(tables(), [&](const Outcome& end, std::span<const uint8_t>) {
    ends.push_back(end);
    return true;
  });
  const Bytes big = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1000, 53, Bytes(1600, 3))));
  const Step step = from_outside(big);
  ASSERT_EQ(step.outcome.verdict, kVerdictSlowPath);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].what.stage, kSeenHandedOver);
  EXPECT_EQ(seen[1].what.leaves_by, step.outcome.mtu);
  slow.take(kOutside, step.outcome.mtu, step.bytes, host->now_ms());
  ASSERT_EQ(ends.size(), 2u);
  ASSERT_EQ(seen.size(), 4u);
  for (size_t i = 2; i < 4; i++) EXPECT_EQ(seen[i].what.stage, kSeenEncapsulated);
}

TEST_F(Watches, WhatIsToldIsBoundedByRateAndTheRestIsCounted) {
  look(3);
  for (int i = 0; i < kSightingsMax / 2 + 10; i++) from_outside(request());
  EXPECT_EQ(seen.size(), size_t{kSightingsMax});
  EXPECT_EQ(lost(3), 20u);
  EXPECT_EQ(lost(0), 0u);
  EXPECT_EQ(events(kEventSightingLost), 20u);
  host->set_now_ms(host->now_ms() + (1 << kGateShift));
  from_outside(request());
  EXPECT_EQ(seen.size(), size_t{kSightingsMax} + 2);
  // Nobody takes them.
  tables().sightings = nullptr;
  from_outside(request());
  EXPECT_EQ(lost(3), 22u);
}

}  // namespace
}  // namespace sluice::gateway
