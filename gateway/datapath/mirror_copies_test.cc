// SPDX-License-Identifier: Apache-2.0
// Copies as they leave, and what is counted of a shadow: the path, the copies and two appliances,
// without a network.
#include "gateway/datapath/mirror_copies.h"

#include <functional>
#include <optional>

#include "gateway/datapath/mirror_fixture.h"
#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

Bytes numbered(uint16_t id, const Bytes& data = Bytes(30, 'x')) {
  Bytes out = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(4242, 53, data)));
  store_be16(&out[18], id);
  return out;
}

Bytes numbered6(const Bytes& data) {
  return ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(4242, 53, data)));
}

// What an appliance makes of a datagram; nothing: it keeps it.
using Appliance = std::function<std::optional<Bytes>(const Bytes& datagram)>;

std::optional<Bytes> approves(const Bytes& datagram) { return returned(datagram); }
std::optional<Bytes> keeps(const Bytes&) { return std::nullopt; }
std::optional<Bytes> changes(const Bytes& datagram) {
  Bytes out = returned(datagram);
  out.back() ^= 1;
  return out;
}

class Copies : public Path {
 protected:
  void SetUp() override { start(true); }
  void start(bool shadow) {
    Path::SetUp();
    add_mirror(tables(), shadow);
    copies.emplace(tables(), [this](uint32_t interface, std::span<const uint8_t> frame) {
      EXPECT_EQ(interface, kTunnel);
      sent.emplace_back(frame.begin(), frame.end());
      return leaves;
    });
    taker = {[](void* self, const mirror_head* head, const __u8* bytes) {
               auto* test = static_cast<Copies*>(self);
               test->copies->take(*head, {bytes, head->length}, test->host->now_ms());
             },
             this};
    tables().mirrors = &taker;
    sent.clear();
  }
  Tables& tables() { return host->tables(); }
  const mirror_counters& count() { return tables().mirror_counters[kMirrorRule]; }

  // A packet from outside, to the flow's appliance and as a copy to the shadow.
  void pass(const Bytes& in, const Appliance& real, const Appliance& shadow) {
    const Step out = from_outside(in);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    const Bytes copy = sent.back();
    if (const auto back = real(out.bytes)) {
      ASSERT_EQ(from_tunnel(*back).outcome.verdict, kVerdictInside);
    }
    if (const auto back = shadow(copy)) {
      ASSERT_EQ(from_tunnel(*back).outcome.verdict, kVerdictMirror);
    }
  }
  void turn() {
    copies->turn(host->now_ms());
    copies->turn(host->now_ms());
  }
  void wait() {
    turn();
    host->set_now_ms(host->now_ms() + Comparison::kAnswerMs);
    turn();
  }

  std::optional<MirrorCopies> copies;
  mirror_taker taker{};
  std::vector<Bytes> sent;
  bool leaves = true;
};

TEST_F(Copies, ACopyIsThePacketInATunnelToTheMirror) {
  start(false);
  const Step out = from_outside(request());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(appliance_of(sent[0]), kMirrorTarget);
  EXPECT_EQ(inner_of(sent[0]), inner_of(out.bytes));
  EXPECT_EQ(load_be64(&sent[0][kOuterEndpointId]), kEndpoint);
  EXPECT_NE(cookie_of(sent[0]), cookie_of(out.bytes));
  EXPECT_EQ(sent[0][34], out.bytes[34]) << "the flow's source port";
  EXPECT_EQ(count().sent, 1u);
  EXPECT_EQ(tables().target_counters[kMirrorTarget].packets_sent, 1u);
  EXPECT_EQ(tables().target_counters[kReal].packets_sent, 1u);
  EXPECT_EQ(from_tunnel(returned(sent[0])).outcome.verdict, kVerdictMirror);
  wait();
  EXPECT_EQ(count().answers, 1u);
  EXPECT_EQ(count().approved + count().missing + count().agreed, 0u) << "a mirror is not compared";
}

TEST_F(Copies, OverIpv6TheSame) {
  start(false);
  move_to_ipv6(tables(), kMirrorTarget);
  const Step out = from_outside(request());
  ASSERT_EQ(sent.size(), 1u);
  const Bytes& copy = sent[0];
  EXPECT_EQ(load_be16(&copy[12]), kEtherTypeIpv6);
  EXPECT_EQ(copy[53], 11 + kMirrorTarget) << "the last byte of its address";
  EXPECT_EQ(Bytes(copy.begin() + kOuterLength6 + 40, copy.end()), inner_of(out.bytes));
  EXPECT_EQ(from_tunnel(returned(copy)).outcome.verdict, kVerdictMirror);
  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(count().answers, 1u);
  tables().targets[kMirrorTarget].mtu = static_cast<uint16_t>(inner_of(out.bytes).size() - 1);
  from_outside(request());
  EXPECT_EQ(count().unsent, 1u) << "88 bytes more do not fit";
}

TEST_F(Copies, WhatDoesNotFitOrCannotLeaveIsCounted) {
  tables().targets[kMirrorTarget].mtu = 100 - kEncapsulationOverhead;
  from_outside(request(kTcpSyn, Bytes(60, 1)));
  EXPECT_EQ(count().unsent, 1u);
  tables().targets[kMirrorTarget].mtu = kMtu - kEncapsulationOverhead;
  leaves = false;
  from_outside(request());
  EXPECT_EQ(count().unsent, 2u);
  tables().targets[kMirrorTarget].flags = 0;
  from_outside(request());
  EXPECT_EQ(count().unsent, 3u);
  EXPECT_EQ(count().sent, 0u);
  EXPECT_EQ(copies->comparison().waiting(), 0u);
}

TEST_F(Copies, ASuperPacketIsSentAsThePacketsThatItIs) {
  from_outside(request());
  mirror_head head{};
  const Bytes whole = request(kTcpAck, Bytes(3000, 'a'));
  head.rule = kMirrorRule;
  head.target = kMirrorTarget;
  head.l3_offset = 14;
  head.l3_length = static_cast<uint16_t>(whole.size() - 14);
  head.segment = 1400;
  sent.clear();
  copies->take(head, whole, host->now_ms());
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(count().sent, 4u);
  head.segment = 1;
  copies->take(head, whole, host->now_ms());
  EXPECT_EQ(count().unsent, 1u) << "not cut into thousands";
}

TEST_F(Copies, AHeadThatLiesReadsNothing) {
  mirror_head head{};
  head.rule = kMirrorRule;
  head.target = kMirrorTarget;
  head.l3_offset = 60;
  head.l3_length = 400;
  const Bytes in = request();
  copies->take(head, in, host->now_ms());
  head.l3_offset = 0;
  copies->take(head, in, host->now_ms());
  head.l3_offset = 14;
  head.target = 0xffff;
  head.l3_length = static_cast<uint16_t>(in.size() - 14);
  copies->take(head, in, host->now_ms());
  EXPECT_EQ(count().unsent, 3u);
}

TEST_F(Copies, WhatBothMakeOfAPacket) {
  const struct {
    const char* name;
    Appliance real, shadow;
    __u64 mirror_counters::*answer;
    __u64 mirror_counters::*verdict;
  } cases[] = {
      {"both approve", approves, approves, &mirror_counters::approved, &mirror_counters::agreed},
      {"both keep", keeps, keeps, &mirror_counters::missing, &mirror_counters::agreed},
      {"both change it alike", changes, changes, &mirror_counters::altered,
       &mirror_counters::agreed},
      {"the shadow keeps", approves, keeps, &mirror_counters::missing,
       &mirror_counters::would_drop},
      {"the shadow approves", keeps, approves, &mirror_counters::approved,
       &mirror_counters::would_pass},
      {"the shadow changes", approves, changes, &mirror_counters::altered,
       &mirror_counters::would_change},
      {"only the shadow leaves it", changes, approves, &mirror_counters::approved,
       &mirror_counters::would_change},
  };
  for (const auto& one : cases) {
    start(true);
    for (uint16_t id = 0; id < 5; id++) pass(numbered(id), one.real, one.shadow);
    wait();
    const mirror_counters& c = count();
    EXPECT_EQ(c.sent, 5u) << one.name;
    EXPECT_EQ(c.*one.answer, 5u) << one.name;
    EXPECT_EQ(c.*one.verdict, 5u) << one.name;
    EXPECT_EQ(c.approved + c.altered + c.missing, 5u) << one.name;
    EXPECT_EQ(c.agreed + c.would_drop + c.would_pass + c.would_change, 5u) << one.name;
    EXPECT_EQ(c.unasked + c.uncompared, 0u) << one.name;
    EXPECT_EQ(copies->comparison().waiting(), 0u) << one.name;
  }
}

TEST_F(Copies, TheTimeToLiveAndChecksumsDoNotCount) {
  pass(numbered(1), approves, [](const Bytes& datagram) {
    Bytes out = returned(datagram);
    out[kTargetHeaderLength + 8]--;
    out[kTargetHeaderLength + 10] ^= 0x55;
    out[kTargetHeaderLength + 26] ^= 0x55;
    return std::optional(out);
  });
  wait();
  EXPECT_EQ(count().approved, 1u);
  EXPECT_EQ(count().agreed, 1u);
}

TEST_F(Copies, TcpIsToldApartBySequenceNumbers) {
  from_outside(request());
  wait();
  const auto segment = [](uint8_t number) {
    Bytes out = request(kTcpAck, Bytes(50, 'd'));
    out[41] = number;
    return out;
  };
  pass(segment(1), approves, changes);
  pass(segment(2), approves, keeps);
  pass(segment(3), approves, approves);
  wait();
  EXPECT_EQ(count().altered, 1u);
  EXPECT_EQ(count().approved, 1u);
  EXPECT_EQ(count().would_change, 1u);
  EXPECT_EQ(count().would_drop, 1u);
}

TEST_F(Copies, AnAnswerThatNobodyAskedForIsOne) {
  pass(numbered(1), approves, approves);
  turn();
  EXPECT_EQ(from_tunnel(returned(sent.back())).outcome.verdict, kVerdictMirror);
  turn();
  EXPECT_EQ(count().approved, 1u);
  EXPECT_EQ(count().unasked, 1u) << "the same once more";
  pass(numbered(2), approves, keeps);
  const Bytes late = returned(sent.back());
  wait();
  from_tunnel(late);
  wait();
  EXPECT_EQ(count().missing, 1u);
  EXPECT_EQ(count().unasked, 2u);
}

TEST_F(Copies, WhatComesBackBeforeItsPacketIsTakenWaits) {
  std::vector<Mirrored> held;
  MirrorTaker hold(held);
  tables().mirrors = hold.get();
  const Step out = from_outside(numbered(1));
  from_tunnel(returned(out.bytes));
  ASSERT_EQ(held.size(), 2u);
  copies->take(held[1].head, held[1].frame, host->now_ms());
  copies->turn(host->now_ms());
  copies->take(held[0].head, held[0].frame, host->now_ms());
  tables().mirrors = &taker;
  from_tunnel(returned(sent.back()));
  turn();
  EXPECT_EQ(count().agreed, 1u);
}

TEST_F(Copies, UninspectedPacketsAreDeliveredAsTheyAre) {
  policy_rule& rule = tables().policy_rules[kMirrorRule];
  rule.action = kPolicyBypass;
  rule.hops = 0;
  const auto pass_by = [&](uint16_t id, const Appliance& shadow) {
    ASSERT_EQ(from_outside(numbered(id)).outcome.verdict, kVerdictInside);
    if (const auto back = shadow(sent.back())) from_tunnel(*back);
  };
  pass_by(1, approves);
  pass_by(2, keeps);
  pass_by(3, changes);
  wait();
  EXPECT_EQ(count().agreed, 1u);
  EXPECT_EQ(count().would_drop, 1u);
  EXPECT_EQ(count().would_change, 1u);
}

TEST_F(Copies, PacketsThatNothingTellsApartAreCountedRight) {
  const Bytes same = numbered6(Bytes(30, 'x'));
  for (int i = 0; i < 9; i++) pass(same, approves, i < 4 ? Appliance(changes) : approves);
  wait();
  EXPECT_EQ(count().altered, 4u);
  EXPECT_EQ(count().approved, 5u);
  // Of one content no more are remembered.
  for (size_t i = 0; i < Comparison::kAlikeMax + 3; i++) pass(same, keeps, keeps);
  EXPECT_EQ(copies->comparison().waiting(), size_t{Comparison::kAlikeMax});
  EXPECT_EQ(count().uncompared, 3u);
}

TEST_F(Copies, ComparisonsHaveABound) {
  Comparison comparison(tables());
  constexpr size_t kMore = 10;
  for (size_t i = 0; i < Comparison::kWaitingMax + kMore; i++)
    comparison.sent(kMirrorRule, {i, i}, false, host->now_ms());
  EXPECT_EQ(comparison.waiting(), size_t{Comparison::kWaitingMax});
  EXPECT_EQ(count().uncompared, kMore);
  comparison.expire(host->now_ms() + Comparison::kAnswerMs - 1);
  EXPECT_EQ(comparison.waiting(), size_t{Comparison::kWaitingMax});
  comparison.expire(host->now_ms() + Comparison::kAnswerMs);
  EXPECT_EQ(comparison.waiting(), 0u);
  EXPECT_EQ(count().missing, uint64_t{Comparison::kWaitingMax});
}

TEST_F(Copies, WhatComesBackWithinATurnHasABound) {
  pass(numbered(1), approves, keeps);
  mirror_head head{};
  head.rule = kMirrorRule;
  head.kind = kMirrorAnswer;
  const Bytes in = numbered(2);
  head.l3_offset = 14;
  head.l3_length = static_cast<uint16_t>(in.size() - 14);
  for (size_t i = 0; i < MirrorCopies::kReturnedMax + 5; i++)
    copies->take(head, in, host->now_ms());
  EXPECT_EQ(count().returns_lost, 6u) << "the real one has a place, too";
}

TEST_F(Copies, EveryCutOfAPacketHasADigest) {
  Comparison comparison(tables());
  for (const Bytes& whole : {numbered(1), numbered6(Bytes(20, 1)), request(kTcpAck, Bytes(9, 1))})
    for (size_t length = 0; length <= whole.size() - 14; length++)
      (void)comparison.digest(7, kMirrorRule, std::span(whole).subspan(14, length));
  const Bytes in = numbered(1);
  const auto content = [&](uint64_t hash, uint8_t rule) {
    return comparison.digest(hash, rule, std::span(in).subspan(14)).content;
  };
  EXPECT_NE(content(7, 1), content(8, 1));
  EXPECT_NE(content(7, 1), content(7, 2));
}

}  // namespace
}  // namespace sluice::gateway
