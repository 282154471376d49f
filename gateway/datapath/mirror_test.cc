// SPDX-License-Identifier: Apache-2.0
// What the packet path hands over for mirrors and shadows, and that nothing a mirror's target sends
// is ever delivered or touches a flow.
#include "gateway/datapath/mirror.h"

#include <cstring>

#include "gateway/datapath/mirror_fixture.h"
#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

Bytes packet_of(const Bytes& in) { return {in.begin() + 14, in.end()}; }

class Mirror : public Path {
 protected:
  void SetUp() override { start(false); }
  void start(bool shadow) {
    Path::SetUp();
    add_mirror(tables(), shadow);
    tables().mirrors = taker_.get();
    taken.clear();
  }
  Tables& tables() { return host->tables(); }
  const mirror_counters& count() { return tables().mirror_counters[kMirrorRule]; }
  uint32_t place() {
    for (uint32_t i = 0; i < tables().flow_buckets_count * kFlowWays; i++)
      if (tables().flow_buckets[i / kFlowWays].entry[i % kFlowWays] != 0) return i;
    ADD_FAILURE() << "no flow";
    return 0;
  }
  flow_bucket bucket() { return tables().flow_buckets[place() / kFlowWays]; }
  // The datagram that the copy becomes.
  Bytes copy_of(const Bytes& sent, const mirror_head& head) {
    Bytes out = sent;
    out[33] = static_cast<uint8_t>(11 + head.target);
    store_be32(&out[kOuterFlowCookie], head.cookie);
    return out;
  }

  std::vector<Mirrored> taken;
  MirrorTaker taker_{taken};
};

TEST_F(Mirror, EachPacketOfAFlowIsHandedOverOnceInBothDirections) {
  const Step out = from_outside(request());
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(appliance_of(out.bytes), kReal) << "the packet itself goes its way";
  EXPECT_EQ(inner_of(out.bytes), packet_of(request()));
  ASSERT_EQ(taken.size(), 1u);
  const mirror_head head = taken[0].head;
  EXPECT_EQ(taken[0].frame, request());
  EXPECT_EQ(head.kind, kMirrorCopy);
  EXPECT_EQ(head.rule, kMirrorRule);
  EXPECT_EQ(head.target, kMirrorTarget);
  EXPECT_EQ(head.l3_offset, 14);
  EXPECT_EQ(head.l3_length, 40);
  EXPECT_EQ(head.attachment, 0);
  EXPECT_EQ(head.segment, 0);
  EXPECT_NE(head.cookie, cookie_of(out.bytes));
  EXPECT_EQ(head.cookie >> 16 & 0xfff, kMirrorTarget);

  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(taken.size(), 1u) << "a mirror's flow is not compared";
  EXPECT_EQ(from_inside(reply()).outcome.verdict, kVerdictTarget);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].head.target, kMirrorTarget) << "both directions go to one";
  EXPECT_EQ(taken[1].head.cookie, head.cookie);
  EXPECT_EQ(taken[1].head.hash, head.hash);
  EXPECT_EQ(count().copied, 2u);
  EXPECT_EQ(count().lost, 0u);
  EXPECT_EQ(events(kEventMirrored), 2u);
}

TEST_F(Mirror, FlowsOfOtherRulesAreNotCopied) {
  tables().policy_rules[kMirrorRule].mirror = 0;
  from_outside(request());
  EXPECT_TRUE(taken.empty());
  EXPECT_EQ(table_flow_records(&tables(), place())->flags & kFlowMirror, 0);
}

TEST_F(Mirror, ARuleThatIsGoneOrHasNoneAnyMoreEndsTheCopies) {
  from_outside(request());
  ASSERT_EQ(taken.size(), 1u);
  tables().policy_rules[kMirrorRule].mirror = 0;
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  tables().policy_rules[kMirrorRule] = {};
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(taken.size(), 1u);
}

TEST_F(Mirror, WithoutATargetThereIsNoCopy) {
  rows_to(tables(), kOtherGroup, kNone16);
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictTarget);
  EXPECT_TRUE(taken.empty());
  EXPECT_EQ(count().no_target, 1u);
  EXPECT_EQ(count().copied + count().lost, 0u);
}

TEST_F(Mirror, NobodyTakesThemAndThePacketsGoOn) {
  tables().mirrors = nullptr;
  EXPECT_EQ(round_trip(request(), kOutside).outcome.verdict, kVerdictInside);
  EXPECT_EQ(count().lost, 1u);
  EXPECT_EQ(count().copied, 0u);
  EXPECT_EQ(events(kEventMirrorLost), 1u);
}

TEST_F(Mirror, CopiesHaveALimitByTime) {
  for (int i = 0; i < kMirrorCopiesMax + 7; i++)
    ASSERT_EQ(from_outside(request()).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(taken.size(), size_t{kMirrorCopiesMax});
  EXPECT_EQ(count().copied, uint64_t{kMirrorCopiesMax});
  EXPECT_EQ(count().lost, 7u);
  host->set_now_ms(host->now_ms() + (1 << kGateShift));
  from_outside(request());
  EXPECT_EQ(taken.size(), size_t{kMirrorCopiesMax} + 1);
}

TEST_F(Mirror, WhatPassesUninspectedIsCopied) {
  policy_rule& rule = tables().policy_rules[kMirrorRule];
  rule.action = kPolicyBypass;
  rule.hops = 0;
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_inside(reply()).outcome.verdict, kVerdictOutside);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].head.kind, kMirrorPassing);
  EXPECT_EQ(taken[0].frame, request());
}

// Nobody could tell what came back.
TEST_F(Mirror, OfFlowsWithoutARecordNoCopiesAreMadeAndThatIsCounted) {
  tables().attachments[0].new_flows_per_second = 1;
  Bytes other = request();
  store_be32(&other[26], 0x0b000000);
  ASSERT_EQ(from_outside(other).outcome.verdict, kVerdictTarget);
  ASSERT_EQ(taken.size(), 1u) << "the flow of this second has a record";
  EXPECT_EQ(count().unrecorded, 0u);
  const Step out = from_outside(request());
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
  ASSERT_EQ(events(kEventUnrecordedSent), 1u);
  EXPECT_EQ(count().unrecorded, 1u);
  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_inside(reply()).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(count().unrecorded, 3u) << "in both directions, each packet that is sent on";
  EXPECT_EQ(events(kEventMirrorUnrecorded), 3u);
  EXPECT_EQ(taken.size(), 1u);
  EXPECT_EQ(count().lost + events(kEventMirrorLost), 0u);
  // The rule has a mirror no longer, and then no rule has.
  tables().policy_rules[kMirrorRule].mirror = 0;
  from_outside(request(kTcpAck));
  tables().policy_rules[kMirrorRule].mirror = kOtherGroup + 1;
  tables().policy_rules[0].mirror = 0;
  from_outside(request(kTcpAck));
  EXPECT_EQ(count().unrecorded, 3u);
}

TEST_F(Mirror, NorOfThoseThatPassBecauseNoTargetIsHealthy) {
  tables().attachments[0].new_flows_per_second = 1;
  Bytes other = request();
  store_be32(&other[26], 0x0b000000);
  from_outside(other);
  rows_to(tables(), 0, kNone16);
  tables().groups[0].flags = kGroupFailsOpen;
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictInside);
  EXPECT_EQ(count().unrecorded, 1u);
  tables().groups[0].flags = 0;
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictDrop);
  EXPECT_EQ(count().unrecorded, 1u) << "what is dropped is not copied anyway";
}

TEST_F(Mirror, WhatIsNotSentIsNotCopied) {
  tables().targets[kReal].flags &= static_cast<uint16_t>(~kTargetResolved);
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNeighbourUnresolved);
  EXPECT_TRUE(taken.empty());
}

TEST_F(Mirror, OfAShadowWhatIsDeliveredIsHandedOverToo) {
  start(true);
  const Step out = from_outside(request());
  ASSERT_EQ(taken.size(), 1u);
  const Step back = from_tunnel(returned(out.bytes));
  EXPECT_EQ(back.outcome.verdict, kVerdictInside);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].head.kind, kMirrorDelivered);
  EXPECT_EQ(taken[1].frame, back.bytes);
}

TEST_F(Mirror, AChainsPacketsAreCopiedOnceAndJudgedAtItsEnd) {
  start(true);
  policy_rule& rule = tables().policy_rules[kMirrorRule];
  constexpr uint16_t kSecond = 2;
  tables().groups[kSecond] = {kFlowHash5Tuple, 1, 0, {}, 0};
  rows_to(tables(), kSecond, 1);
  rule.hops = 2;
  rule.hop[1] = {{0xffffffff}, {kSecond}, 1};
  const Step first = from_outside(request());
  const Step second = from_tunnel(returned(first.bytes));
  ASSERT_EQ(second.outcome.verdict, kVerdictTarget);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(from_tunnel(returned(second.bytes)).outcome.verdict, kVerdictInside);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].head.kind, kMirrorDelivered);
  EXPECT_EQ(from_tunnel(returned(copy_of(first.bytes, taken[0].head))).outcome.verdict,
            kVerdictMirror);
}

// ---- hostile targets of a mirror ----

TEST_F(Mirror, AnAnswerIsCountedAndNeverDelivered) {
  start(true);
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  taken.clear();
  const flow_bucket before = bucket();
  host->set_now_ms(host->now_ms() + 5000);
  const Step answer = from_tunnel(returned(copy));
  EXPECT_EQ(answer.outcome.verdict, kVerdictMirror);
  EXPECT_EQ(answer.outcome.interface, 0u);
  const flow_bucket after = bucket();
  EXPECT_EQ(std::memcmp(&before, &after, sizeof(before)), 0) << "it touches no flow";
  EXPECT_EQ(count().answers, 1u);
  EXPECT_EQ(tables().target_counters[kMirrorTarget].packets_returned, 1u);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].head.kind, kMirrorAnswer);
  const auto* inner = &taken[0].frame[taken[0].head.l3_offset];
  EXPECT_EQ(Bytes(inner, inner + taken[0].head.l3_length), inner_of(copy));
}

TEST_F(Mirror, ItCannotEndTurnOrSteerAFlow) {
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  const flow_bucket before = bucket();
  const Bytes reset = packet_of(request(kTcpRst));
  const Bytes fin = packet_of(request(kTcpFin | kTcpAck));
  const Bytes back = packet_of(reply(kTcpRst));
  for (const Bytes& inner : {reset, fin, back})
    EXPECT_EQ(from_tunnel(returned(with_inner(copy, inner))).outcome.verdict, kVerdictMirror);
  EXPECT_EQ(from_tunnel(hinted(copy, kBypassHint)).outcome.verdict, kVerdictMirror);
  EXPECT_EQ(from_tunnel(hinted(copy, kSteerHint)).outcome.verdict, kVerdictMirror);
  const flow_bucket after = bucket();
  EXPECT_EQ(std::memcmp(&before, &after, sizeof(before)), 0);
  EXPECT_EQ(events(kEventHintTaken), 0u);
}

TEST_F(Mirror, TheFlowsOwnCookieIsNotForIt) {
  const Step out = from_outside(request());
  const Step answer = from_tunnel(returned_as(kMirrorTarget, out.bytes));
  EXPECT_EQ(answer.outcome.verdict, kVerdictDrop);
  EXPECT_EQ(answer.outcome.reason, kDropTargetMismatch);
  EXPECT_EQ(count().answers, 0u);
}

// Copies tell their target all but 16 bits of what the flow's former cookie would be.
TEST_F(Mirror, TheFlowsFormerCookieIsNotForIt) {
  const Step out = from_outside(request());
  flow_record& record = *table_flow_records(&tables(), place());
  const uint64_t hash = flow_hash(&tables().settings->hash_key, &record.key, kFlowHash5Tuple);
  const auto answer_under_former = [&] {
    const uint32_t generation = (record.cookie >> 28) - 1;
    Bytes forged = returned_as(kMirrorTarget, out.bytes);
    store_be32(&forged[kOuterFlowCookie],
               flow_cookie(tables().settings, hash, kMirrorTarget, generation & 15, 0));
    return from_tunnel(forged).outcome;
  };
  EXPECT_EQ(answer_under_former().reason, kDropTargetMismatch) << "it never had another";
  record.flags |= kFlowMoved;
  EXPECT_EQ(answer_under_former().reason, kDropTargetMismatch);
  EXPECT_EQ(events(kEventFormerCookie), 0u);
  record.flags &= static_cast<__u16>(~kFlowMirror);
  EXPECT_EQ(answer_under_former().reason, kDropNone) << "so it is the mirror that is refused";
}

TEST_F(Mirror, ItsCookieIsForNobodyElse) {
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  for (int number : {int{kReal}, 1, 2}) {
    const Step answer = from_tunnel(returned_as(number, copy));
    EXPECT_EQ(answer.outcome.verdict, kVerdictDrop) << number;
    EXPECT_EQ(answer.outcome.reason, number == kReal ? kDropCookieMismatch : kDropTargetMismatch)
        << number;
  }
  EXPECT_EQ(count().answers, 0u);
}

TEST_F(Mirror, WhatNoCopyWasMadeOfHasNoCookie) {
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  const Bytes other = ipv4(kProtocolTcp, tcp(4343, 80, kTcpAck));
  const Step answer = from_tunnel(returned(with_inner(copy, other)));
  EXPECT_EQ(answer.outcome.verdict, kVerdictDrop) << "another flow, that there is none of";
  EXPECT_EQ(answer.outcome.reason, kDropFlowUnknown);
  from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4343, 80))));
  EXPECT_EQ(from_tunnel(returned(with_inner(copy, other))).outcome.verdict, kVerdictDrop)
      << "another flow, that there is";
}

TEST_F(Mirror, ACookieOfTheGenerationBeforeIsStillKnownAnOlderOneIsNot) {
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  flow_record& record = *table_flow_records(&tables(), place());
  record.cookie += 1u << 28;
  EXPECT_EQ(from_tunnel(returned(copy)).outcome.verdict, kVerdictMirror);
  record.cookie += 1u << 28;
  EXPECT_EQ(from_tunnel(returned(copy)).outcome.verdict, kVerdictDrop);
}

TEST_F(Mirror, AFloodOfAnswersEndsInACounter) {
  start(true);
  const Step out = from_outside(request());
  const Bytes copy = copy_of(out.bytes, taken.at(0).head);
  taken.clear();
  for (int i = 0; i < kMirrorReturnsMax + 9; i++)
    ASSERT_EQ(from_tunnel(returned(copy)).outcome.verdict, kVerdictMirror);
  EXPECT_EQ(taken.size(), size_t{kMirrorReturnsMax});
  EXPECT_EQ(count().answers, uint64_t{kMirrorReturnsMax} + 9);
  EXPECT_EQ(count().returns_lost, 9u);
  from_outside(request());
  EXPECT_EQ(count().lost, 0u) << "copies have a limit of their own";
}

TEST_F(Mirror, FragmentsAreCopiedToo) {
  const Bytes first = ethernet(kEtherTypeIpv4, {},
                               ipv4(kProtocolUdp, udp(1, 2, Bytes(24, 7)), {.fragment = 0x2000}));
  const Bytes last =
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, Bytes(24, 8), {.fragment = 0x0004}));
  EXPECT_EQ(from_outside(first).outcome.verdict, kVerdictTarget);
  const Step out = from_outside(last);
  EXPECT_EQ(out.outcome.verdict, kVerdictTarget);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].frame, last);
  EXPECT_EQ(taken[1].head.cookie, taken[0].head.cookie);
  EXPECT_EQ(from_tunnel(returned(copy_of(out.bytes, taken[1].head))).outcome.verdict,
            kVerdictMirror);
}

}  // namespace
}  // namespace sluice::gateway
