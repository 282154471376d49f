// SPDX-License-Identifier: Apache-2.0
// IP fragments through the packet path and its slow path: in every order to their flow's target.
#include "gateway/datapath/fragment.h"

#include <algorithm>
#include <numeric>

#include "gateway/datapath/path_test_base.h"
#include "gateway/datapath/slow_path.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint16_t kMore = 0x2000;

struct Flow {
  Bytes source = {10, 0, 0, 1};
  Bytes destination = {10, 0, 0, 2};
  uint16_t source_port = 4242;
  uint16_t destination_port = 53;
};

// The IP packet in fragments of `size` bytes, as frames.
std::vector<Bytes> cut4(const Bytes& payload, size_t size, uint16_t id, const Flow& flow = {}) {
  std::vector<Bytes> out;
  for (size_t at = 0; at < payload.size(); at += size) {
    const size_t end = std::min(at + size, payload.size());
    Bytes packet =
        ipv4(kProtocolUdp, Bytes(payload.begin() + ptrdiff_t(at), payload.begin() + ptrdiff_t(end)),
             {.source = flow.source,
              .destination = flow.destination,
              .fragment = static_cast<uint16_t>(at / 8 | (end < payload.size() ? kMore : 0))});
    store_be16(&packet[4], id);
    store_u16(&packet[10], 0);
    store_u16(&packet[10], checksum_fold(checksum_add(0, packet.data(), 20)));
    out.push_back(ethernet(kEtherTypeIpv4, {}, packet));
  }
  return out;
}

std::vector<Bytes> cut6(const Bytes& payload, size_t size, uint32_t id) {
  std::vector<Bytes> out;
  for (size_t at = 0; at < payload.size(); at += size) {
    const size_t end = std::min(at + size, payload.size());
    Bytes piece =
        fragment6(kProtocolUdp, static_cast<uint16_t>(at | (end < payload.size())),
                  Bytes(payload.begin() + ptrdiff_t(at), payload.begin() + ptrdiff_t(end)));
    store_be32(&piece[4], id);
    out.push_back(ethernet(kEtherTypeIpv6, {}, ipv6(44, piece)));
  }
  return out;
}

Bytes datagram(size_t length, const Flow& flow = {}) {
  Bytes payload(length);
  std::iota(payload.begin(), payload.end(), uint8_t{0});
  return udp(flow.source_port, flow.destination_port, payload);
}

class Fragments : public Path {
 protected:
  // Through the path, and the slow path when it is handed over. What leaves is put into `left`.
  Outcome pass(const Bytes& in, uint32_t interface_index = kOutside) {
    const Step step = send(in, interface_index);
    if (step.outcome.verdict == kVerdictSlowPath)
      slow.take(interface_index, step.outcome.mtu, step.bytes, host->now_ms());
    else
      note(step.outcome, step.bytes);
    return step.outcome;
  }
  // As SlowPath::Done.
  bool note(const Outcome& outcome, std::span<const uint8_t> bytes) {
    outcomes.push_back(outcome);
    if (outcome.verdict == kVerdictTarget) left.emplace_back(bytes.begin(), bytes.end());
    return true;
  }
  uint64_t all_drops(DropReason reason) {
    return drops(reason) + host->tables().counters[kSlowPathCpu].drop[reason];
  }
  // Every packet ends once: what was handed over has a second verdict, unless it waits.
  void expect_exact(uint64_t sent) {
    uint64_t verdicts = 0;
    for (int cpu : {0, int{kSlowPathCpu}})
      for (uint64_t n : host->tables().counters[cpu].verdict) verdicts += n;
    const uint64_t handed_over = host->tables().counters[0].verdict[kVerdictSlowPath];
    EXPECT_EQ(verdicts, sent + handed_over - slow.waiting());
    EXPECT_EQ(host->tables().counters[kSlowPathCpu].verdict[kVerdictSlowPath], 0u);
  }
  uint32_t target_of_flow(uint16_t ether_type, const Bytes& packet) {
    const Step whole = from_outside(ethernet(ether_type, {}, packet));
    EXPECT_EQ(whole.outcome.verdict, kVerdictTarget);
    return load_u32(&whole.bytes[30]);
  }

  std::vector<Outcome> outcomes;
  std::vector<Bytes> left;
  SlowPath slow{host_tables(), [this](const Outcome& o, auto bytes) { return note(o, bytes); }};

 private:
  // The host is made in SetUp; the slow path wants its tables only when it runs.
  const Tables& host_tables() {
    if (!host) Path::SetUp();
    return host->tables();
  }
  void SetUp() override {}
};

// Every order of four fragments of many flows, both versions: all to the flow's own target, under
// its cookie, none lost, and back out as they came.
TEST_F(Fragments, InAnyOrderGoToTheirFlowsTarget) {
  uint16_t id = 0;
  uint64_t sent = 0;
  std::set<uint32_t> targets;
  for (const bool four : {true, false}) {
    for (uint16_t source_port = 5000; source_port < 5008; source_port++) {
      Flow flow;
      flow.source_port = source_port;
      const Bytes packet = datagram(1000, flow);
      const uint32_t target =
          four ? target_of_flow(kEtherTypeIpv4, ipv4(kProtocolUdp, datagram(10, flow)))
               : target_of_flow(kEtherTypeIpv6, ipv6(kProtocolUdp, datagram(10, flow)));
      sent++;
      targets.insert(target);
      std::vector<int> order = {0, 1, 2, 3};
      do {
        id++;
        host->set_now_ms(host->now_ms() + (1 << kGateShift));
        const std::vector<Bytes> pieces =
            four ? cut4(packet, 256, id, flow) : cut6(packet, 256, id);
        ASSERT_EQ(pieces.size(), 4u);
        left.clear();
        for (const int i : order) pass(pieces[size_t(i)]);
        sent += 4;
        ASSERT_EQ(left.size(), 4u) << "order " << order[0] << order[1] << order[2] << order[3];
        std::set<Bytes> delivered;
        for (const Bytes& out : left) {
          EXPECT_EQ(load_u32(&out[30]), target);
          const Step back = from_tunnel(returned(out));
          sent++;
          ASSERT_EQ(back.outcome.verdict, kVerdictInside) << drop_reason_name(back.outcome.reason);
          delivered.insert(back.bytes);
        }
        EXPECT_EQ(delivered, std::set<Bytes>(pieces.begin(), pieces.end()));
        // The first fragment leads those that have waited for it.
        if (order[0] != 0) {
          EXPECT_EQ(inner_of(left[0]), Bytes(pieces[0].begin() + 14, pieces[0].end()));
        }
      } while (std::ranges::next_permutation(order).found);
    }
  }
  EXPECT_GT(targets.size(), 2u);
  EXPECT_EQ(slow.waiting(), 0u);
  EXPECT_EQ(events(kEventFlowCreated), 16u) << "fragments belong to the flow that there is";
  expect_exact(sent);
}

TEST_F(Fragments, ReachTheBackendOfAListenerAndItsAnswersTheClient) {
  const Flow there{{10, 0, 0, 1}, {10, 0, 0, 100}, 4242, 7000};
  const Flow back{{10, 0, 0, 21}, {10, 0, 0, 1}, 7001, 4242};
  uint16_t id = 0;
  for (std::vector<int> order : {std::vector{0, 1, 2}, {2, 1, 0}, {1, 0, 2}}) {
    for (const bool answer : {false, true}) {
      const Flow& flow = answer ? back : there;
      const Flow& seen = answer ? Flow{{10, 0, 0, 100}, {10, 0, 0, 1}, 7000, 4242}
                                : Flow{{10, 0, 0, 1}, {10, 0, 0, 21}, 4242, 7001};
      Bytes packet =
          with_checksum(ethernet(kEtherTypeIpv4, {},
                                 ipv4(kProtocolUdp, datagram(600, flow),
                                      {.source = flow.source, .destination = flow.destination})));
      Bytes expected =
          with_checksum(ethernet(kEtherTypeIpv4, {},
                                 ipv4(kProtocolUdp, datagram(600, seen),
                                      {.source = seen.source, .destination = seen.destination})));
      id++;
      const auto pieces = cut4(Bytes(packet.begin() + 34, packet.end()), 208, id, flow);
      const auto wanted = cut4(Bytes(expected.begin() + 34, expected.end()), 208, id, seen);
      left.clear();
      for (const int i : order) pass(pieces[size_t(i)], answer ? kInside : kOutside);
      ASSERT_EQ(left.size(), 3u);
      std::set<Bytes> delivered;
      for (const Bytes& out : left) {
        EXPECT_EQ(load_u32(&out[30]), load_u32(&left[0][30]));
        const Step step = from_tunnel(returned(out));
        ASSERT_EQ(step.outcome.verdict, answer ? kVerdictOutside : kVerdictInside)
            << drop_reason_name(step.outcome.reason);
        delivered.insert(Bytes(step.bytes.begin() + 14, step.bytes.end()));
      }
      for (const Bytes& piece : wanted)
        EXPECT_TRUE(delivered.contains(Bytes(piece.begin() + 14, piece.end())));
    }
  }
}

// The CPU of the second fragment has not seen the tick that the first one's has.
TEST_F(Fragments, ATrailMayBeFromAMomentAhead) {
  const auto pieces = cut4(datagram(600), 304, 77);
  host->set_now_ms(1'000'004);
  EXPECT_EQ(pass(pieces[0]).verdict, kVerdictTarget);
  host->set_now_ms(1'000'000);
  EXPECT_EQ(pass(pieces[1]).verdict, kVerdictTarget);
}

TEST_F(Fragments, AnApplianceMayCutWhatItReturns) {
  const Bytes whole = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, datagram(600)));
  const Step out = from_outside(whole);
  const auto pieces = cut4(datagram(600), 304, 77);
  const auto back = [&](size_t i) {
    return from_tunnel(
        with_inner(returned(out.bytes), Bytes(pieces[i].begin() + 14, pieces[i].end())));
  };
  EXPECT_EQ(back(1).outcome.reason, kDropFlowUnknown) << "whose it is, nobody has said";
  EXPECT_EQ(back(0).outcome.verdict, kVerdictInside);
  EXPECT_EQ(back(1).outcome.verdict, kVerdictInside);
  // What is not approved teaches nothing.
  Bytes forged = with_inner(returned(out.bytes), [&] {
    const auto other = cut4(datagram(600), 304, 78);
    return Bytes(other[0].begin() + 14, other[0].end());
  }());
  forged[81] ^= 1;
  EXPECT_EQ(from_tunnel(forged).outcome.reason, kDropCookieMismatch);
  const auto other = cut4(datagram(600), 304, 78);
  EXPECT_EQ(
      from_tunnel(with_inner(returned(out.bytes), Bytes(other[1].begin() + 14, other[1].end())))
          .outcome.reason,
      kDropFlowUnknown);
}

TEST_F(Fragments, BadOnesAreDroppedByName) {
  const auto piece = [](uint8_t protocol, const Bytes& payload, uint16_t field, uint16_t id) {
    Bytes packet = ipv4(protocol, payload, {.fragment = field});
    store_be16(&packet[4], id);
    return ethernet(kEtherTypeIpv4, {}, packet);
  };
  const Bytes head = udp(1, 2, Bytes(40, 1));  // 48 bytes
  const struct {
    const char* name;
    std::vector<Bytes> before;
    Bytes in;
    DropReason reason;
  } cases[] = {
      {"tiny TCP", {}, piece(kProtocolTcp, Bytes(16, 1), kMore, 1), kDropFragmentTiny},
      {"odd length", {}, piece(kProtocolUdp, Bytes(23, 1), kMore, 2), kDropFragmentInvalid},
      {"empty", {}, piece(kProtocolUdp, {}, 6, 3), kDropFragmentInvalid},
      {"past the end", {}, piece(kProtocolUdp, Bytes(16, 1), 0x1fff, 4), kDropFragmentInvalid},
      {"the first again",
       {piece(kProtocolUdp, head, kMore, 5)},
       piece(kProtocolUdp, head, kMore, 5),
       kDropFragmentOverlap},
      {"into the first",
       {piece(kProtocolUdp, head, kMore, 6)},
       piece(kProtocolUdp, Bytes(40, 1), 2, 6),
       kDropFragmentOverlap},
      {"over the TCP flags",
       {piece(kProtocolTcp, tcp(1, 2, kTcpSyn, Bytes(4, 1)), kMore, 7)},
       piece(kProtocolTcp, Bytes(64, 1), 1, 7),
       kDropFragmentOverlap},
      {"past the last",
       {piece(kProtocolUdp, head, kMore, 8), piece(kProtocolUdp, Bytes(8, 1), 20, 8)},
       piece(kProtocolUdp, Bytes(8, 1), 40 | kMore, 8),
       kDropFragmentOverlap},
      {"another last",
       {piece(kProtocolUdp, head, kMore, 9), piece(kProtocolUdp, Bytes(8, 1), 20, 9)},
       piece(kProtocolUdp, Bytes(8, 1), 19, 9),
       kDropFragmentOverlap},
      {"a last one before others",
       {piece(kProtocolUdp, head, kMore, 10), piece(kProtocolUdp, Bytes(8, 1), 40 | kMore, 10)},
       piece(kProtocolUdp, Bytes(8, 1), 20, 10),
       kDropFragmentOverlap},
      {"the one that closes the gap and overlaps",
       {piece(kProtocolUdp, head, kMore, 11), piece(kProtocolUdp, Bytes(16, 1), 8, 11)},
       piece(kProtocolUdp, Bytes(24, 1), 6 | kMore, 11),
       kDropFragmentOverlap},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    for (const Bytes& in : c.before) EXPECT_EQ(pass(in).verdict, kVerdictTarget);
    const uint64_t before = all_drops(c.reason);
    const Outcome outcome = pass(c.in);
    EXPECT_EQ(outcome.verdict, kVerdictDrop);
    EXPECT_EQ(drop_reason_name(outcome.reason), drop_reason_name(c.reason));
    EXPECT_EQ(all_drops(c.reason), before + 1);
  }
  EXPECT_EQ(slow.waiting(), 0u);
}

// An identification that is used again belongs to another datagram, also if that is another flow's.
TEST_F(Fragments, AnIdentificationMayBeUsedAgain) {
  Flow other;
  other.source_port = 4243;
  for (const Flow& flow : {Flow{}, other, Flow{}}) {
    const uint32_t target = target_of_flow(kEtherTypeIpv4, ipv4(kProtocolUdp, datagram(1, flow)));
    left.clear();
    const auto pieces = cut4(datagram(300, flow), 160, 9, flow);
    for (const size_t i : {1, 0}) pass(pieces[i]);
    ASSERT_EQ(left.size(), 2u);
    for (const Bytes& out : left) EXPECT_EQ(load_u32(&out[30]), target);
  }
  EXPECT_EQ(all_drops(kDropFragmentOverlap), 0u);
}

// Whoever puts the datagram together may hold its first fragments for a minute.
TEST_F(Fragments, DoNotOverlapWhenTheyComeLate) {
  const Bytes payload = datagram(300);
  Bytes other = payload;
  other[20] ^= 0xff;
  uint16_t id = 0;
  for (const uint64_t late_ms : {2'200u, 30'000u, 60'000u}) {
    const auto pieces = cut4(payload, 104, ++id), changed = cut4(other, 104, id);
    EXPECT_EQ(pass(pieces[0]).verdict, kVerdictTarget);
    host->set_now_ms(host->now_ms() + late_ms);
    EXPECT_EQ(pass(changed[0]).reason, kDropFragmentOverlap);
    EXPECT_EQ(pass(pieces[2]).verdict, kVerdictTarget) << "the datagram goes on";
    EXPECT_EQ(pass(changed[0]).reason, kDropFragmentOverlap);
    EXPECT_EQ(pass(changed[1]).verdict, kVerdictTarget);
    // It is whole: its name may be used again.
    EXPECT_EQ(pass(changed[0]).verdict, kVerdictTarget);
  }
  EXPECT_EQ(slow.waiting(), 0u);
  // Nobody waits for the rest any longer.
  const auto pieces = cut4(payload, 104, ++id);
  EXPECT_EQ(pass(pieces[0]).verdict, kVerdictTarget);
  host->set_now_ms(host->now_ms() + kReassemblyMs + 1);
  EXPECT_EQ(pass(pieces[0]).verdict, kVerdictTarget);
}

TEST_F(Fragments, WaitNoLongerThanTwoSeconds) {
  const auto pieces = cut4(datagram(300), 160, 9);
  EXPECT_EQ(pass(pieces[1]).verdict, kVerdictSlowPath);
  ASSERT_EQ(slow.next_ms(), host->now_ms() + kFragmentMs);
  slow.expire(host->now_ms() + kFragmentMs - 1);
  EXPECT_EQ(slow.waiting(), 1u);
  host->set_now_ms(host->now_ms() + kFragmentMs);
  slow.expire(host->now_ms());
  EXPECT_EQ(slow.waiting(), 0u);
  EXPECT_FALSE(slow.next_ms());
  EXPECT_EQ(all_drops(kDropFragmentEarly), 1u);
  EXPECT_EQ(outcomes.back().reason, kDropFragmentEarly);
  // Too late: the first goes, the rest waits for nothing.
  host->set_now_ms(host->now_ms() + 1);
  EXPECT_EQ(pass(pieces[0]).verdict, kVerdictTarget);
  expect_exact(2);
}

TEST_F(Fragments, TheRoomToWaitIsBounded) {
  const size_t extra = 44;
  for (uint16_t id = 1; id <= SlowPath::kWaitingMax + extra; id++) {
    pass(cut4(datagram(300), 160, id)[1]);
    if (id % 200 == 0) host->set_now_ms(host->now_ms() + 16);
  }
  EXPECT_EQ(slow.waiting(), SlowPath::kWaitingMax);
  EXPECT_EQ(all_drops(kDropSlowPathFull), extra);
  // The oldest gave way.
  pass(cut4(datagram(300), 160, extra)[0]);
  EXPECT_EQ(left.size(), 1u);
  pass(cut4(datagram(300), 160, extra + 1)[0]);
  EXPECT_EQ(left.size(), 3u);
  expect_exact(SlowPath::kWaitingMax + extra + 2);
  // By bytes, too.
  for (uint16_t id = 1000; id < 1000 + 200; id++) pass(cut4(datagram(16000), 8000, id)[1]);
  EXPECT_LE(slow.waiting(), SlowPath::kWaitingBytesMax / 8000);
}

TEST_F(Fragments, WhatIsHandedOverIsBoundedByRate) {
  for (uint16_t id = 1; id <= kHandedOverMax; id++)
    EXPECT_EQ(from_outside(cut4(datagram(300), 160, id)[1]).outcome.verdict, kVerdictSlowPath);
  EXPECT_EQ(from_outside(cut4(datagram(300), 160, 5000)[1]).outcome.reason, kDropSlowPathFull);
  host->set_now_ms(host->now_ms() + (1 << kGateShift));
  EXPECT_EQ(from_outside(cut4(datagram(300), 160, 5000)[1]).outcome.verdict, kVerdictSlowPath);
}

TEST_F(Fragments, TrailsAreBounded) {
  const uint32_t datagrams = 2 * kTrailBuckets * kTrailWays;
  for (uint32_t n = 0; n < datagrams; n++) {
    const Flow flow{
        {10, 5, uint8_t(n >> 8), uint8_t(n)}, {10, 0, 0, 2}, 1, uint16_t(2 + (n >> 16))};
    Bytes head = cut4(datagram(300, flow), 160, uint16_t(n >> 4), flow)[0];
    EXPECT_EQ(pass(head).verdict, kVerdictTarget);
  }
  EXPECT_GE(events(kEventTrailEvicted), datagrams / 2);
  EXPECT_LT(events(kEventTrailEvicted), datagrams);
}

}  // namespace
}  // namespace sluice::gateway
