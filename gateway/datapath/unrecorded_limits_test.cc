// SPDX-License-Identifier: Apache-2.0
// Flows without a record: what hostile appliances cannot do with them, what cannot go without a
// record, and floods.
#include "gateway/datapath/fragment.h"
#include "gateway/datapath/new_flow_guard.h"
#include "gateway/datapath/slow_path.h"
#include "gateway/datapath/unrecorded_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

// ---- hostile returns ----

TEST_F(Unrecorded, ReturnsThatAreNotTheFlowsOwnAreRefusedByName) {
  close_guard();
  const Bytes good = returned(from_outside(request()).bytes);
  Step other = from_outside(syn_of(0));
  for (uint32_t n = 1; other.bytes[33] != good[29]; n++) other = from_outside(syn_of(n));
  const auto changed = [&](auto change) {
    Bytes out = good;
    change(out);
    return out;
  };
  const struct {
    const char* name;
    Bytes in;
    DropReason reason;
  } cases[] = {
      {"a stranger", changed([](Bytes& d) { d[29] = 200; }), kDropSourceUnregistered},
      {"another target replays it", from_another_target(good), kDropTargetMismatch},
      {"another target in its own name", changed([](Bytes& d) {
         d[29] = static_cast<uint8_t>(d[29] == 11 ? 12 : 11);
         store_be16(&d[78], static_cast<uint16_t>(d[29] - 11));
       }),
       kDropTargetMismatch},
      {"a bit of the digest", changed([](Bytes& d) { d[81] ^= 1; }), kDropCookieMismatch},
      {"another time", changed([](Bytes& d) { d[78] ^= 0x10; }), kDropCookieMismatch},
      {"another flow's cookie",
       changed([&](Bytes& d) { store_be32(&d[78], cookie_of(other.bytes)); }), kDropCookieMismatch},
      {"another endpoint", changed([](Bytes& d) { d[61] ^= 1; }), kDropEndpointMismatch},
      {"another attachment id", changed([](Bytes& d) { d[73] ^= 1; }), kDropEndpointMismatch},
      {"a flow that nobody has sent", changed([](Bytes& d) { d[kTargetHeaderLength + 15] ^= 1; }),
       kDropFlowUnknown},
      {"the inner packet of another flow",
       returned(with_inner(from_outside(request()).bytes, inner_of(other.bytes))),
       kDropCookieMismatch},
  };
  for (const auto& c : cases) {
    const uint64_t before = drops(c.reason);
    const Step out = from_tunnel(with_checksum(c.in));
    EXPECT_EQ(out.outcome.verdict, kVerdictDrop) << c.name;
    EXPECT_EQ(out.outcome.reason, c.reason)
        << c.name << ": " << drop_reason_name(out.outcome.reason);
    EXPECT_EQ(drops(c.reason), before + 1) << c.name;
  }
  EXPECT_EQ(events(kEventUnrecordedReturned), 0u);
  EXPECT_EQ(from_tunnel(good).outcome.verdict, kVerdictInside);
}

// The cookie is that of the time when the flow's last packet came in, or of the time before.
TEST_F(Unrecorded, AnOldCookieIsRefused) {
  close_guard();
  const Step old = from_outside(request());
  host->set_now_ms(host->now_ms() + 3ull * (1 << kUnrecordedEpochShift));
  EXPECT_EQ(from_tunnel(returned(old.bytes)).outcome.verdict, kVerdictInside) << "nothing since";
  guard(0);
  guard(1);
  from_outside(syn_of(1));  // takes the token
  const Step now = from_outside(request());
  EXPECT_NE(cookie_of(now.bytes), cookie_of(old.bytes));
  EXPECT_EQ(from_tunnel(returned(old.bytes)).outcome.reason, kDropCookieMismatch);
  EXPECT_EQ(from_tunnel(returned(now.bytes)).outcome.verdict, kVerdictInside);
  // After 16 times its lower bits are those of now.
  host->set_now_ms(host->now_ms() + 16ull * (1 << kUnrecordedEpochShift));
  from_outside(syn_of(2));
  from_outside(request());
  EXPECT_EQ(from_tunnel(returned(now.bytes)).outcome.reason, kDropCookieMismatch);
}

TEST_F(Unrecorded, WhatIsForgottenOnItsWayIsNamed) {
  close_guard();
  const Step out = from_outside(request());
  forget_flows();
  EXPECT_EQ(from_tunnel(returned(out.bytes)).outcome.reason, kDropLayer2Gone);
  Bytes forged = returned(out.bytes);
  forged[81] ^= 1;
  EXPECT_EQ(from_tunnel(forged).outcome.reason, kDropFlowUnknown);
}

TEST_F(Unrecorded, HintsAreNotFollowed) {
  close_guard();
  const Step out = from_outside(request());
  EXPECT_EQ(from_tunnel(hinted(out.bytes, kBypassHint)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventHintTaken), 0u);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
}

// ---- what needs a record ----

TEST_F(Unrecorded, SomeFlowsCannotDoWithoutARecord) {
  close_guard();
  const Bytes to_listener = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), {.destination = {10, 0, 0, 100}})));
  EXPECT_EQ(from_outside(to_listener).outcome.reason, kDropNewFlowRate);
  rule(kPolicyBypass);
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNewFlowRate);
  EXPECT_EQ(from_inside(reply()).outcome.reason, kDropNewFlowRate);
  policy_rule& chain = rule(kPolicyForward);
  chain.hops = 2;
  chain.hop[1] = {{0xffffffff}, {0}, 1};
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNewFlowRate);
  EXPECT_EQ(drops(kDropNewFlowRate), 4u);
  open_guard();
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictTarget);
}

TEST_F(Unrecorded, TheRuleIsTheSameForBothDirections) {
  close_guard();
  rule(kPolicyForward);
  tables().policy_entries[0].port_first = tables().policy_entries[0].port_last = 80;
  const Step out = from_outside(request());
  const Step answer = from_inside(reply());
  EXPECT_EQ(appliance(answer), appliance(out));
  tables().settings[0].policy = 0;
  forget_flows();
  EXPECT_NE(appliance(from_outside(request())), appliance(out)) << "the rule's group is another";
  rule(kPolicyDrop);
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropPolicy);
  EXPECT_EQ(appliance(from_inside(reply())), appliance(from_inside(reply())))
      << "what has begun goes on";
  forget_flows();
  EXPECT_EQ(from_inside(reply()).outcome.reason, kDropPolicy);
}

// A SYN says which end began: a rule that only its answer fits is not its rule.
TEST_F(Unrecorded, ARuleAboutTheOtherEndDoesNotTakeASyn) {
  rule(kPolicyDrop);
  tables().policy_entries[0].port_first = tables().policy_entries[0].port_last = 4242;
  close_guard();
  const Step out = from_outside(request());
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(appliance(from_inside(reply())), appliance(out));
}

// The answer of a flow without a record gets one for it: at the same target, and inspected, also
// if a rule would let pass what begins like that.
TEST_F(Unrecorded, AnAnswerDoesNotBeginAnotherFlow) {
  const auto packet = [](bool back) {
    const Bytes client = {10, 0, 0, 1};
    const Bytes server = {10, 0, 0, 2};
    return ethernet(
        kEtherTypeIpv4, {},
        back ? ipv4(kProtocolUdp, udp(53, 1234), {.source = server, .destination = client})
             : ipv4(kProtocolUdp, udp(1234, 53), {.source = client, .destination = server}));
  };
  for (const auto action : {kPolicyBypass, kPolicyDrop, kPolicyForward}) {
    SCOPED_TRACE(action);
    forget_flows();
    tables().settings[0].policy = 0;
    guard(1);
    from_outside(syn_of(0x8000u + action));
    from_outside(syn_of(0x9000u + action));
    const Step out = from_outside(packet(false));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    const uint64_t created = events(kEventFlowCreated);
    rule(action);
    tables().policy_entries[0].port_first = tables().policy_entries[0].port_last = 1234;
    rows_to(static_cast<uint16_t>((appliance(out) + 1) % kAppliances));
    open_guard();
    const Step answer = from_inside(packet(true));
    ASSERT_EQ(answer.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(events(kEventFlowCreated), created + 1);
    EXPECT_EQ(appliance(answer), appliance(out));
    EXPECT_EQ(from_tunnel(returned(answer.bytes)).outcome.verdict, kVerdictOutside);
    // Another one for the next round.
    for (uint32_t i = 0; i < tables().flow_buckets_count; i++) tables().flow_buckets[i] = {};
  }
}

TEST_F(Unrecorded, AGroupWithoutTargetsFailsAsItIsTold) {
  close_guard();
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i] = {kNone16, kNone16, 0};
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNoTarget);
  tables().groups[0].flags = kGroupFailsOpen;
  const Step out = from_outside(request());
  EXPECT_EQ(out.outcome.verdict, kVerdictInside);
  EXPECT_EQ(out.bytes, request());
  EXPECT_EQ(from_inside(reply()).outcome.verdict, kVerdictOutside);
  EXPECT_EQ(events(kEventFailedOpen), 2u);
}

// ---- sizes and fragments ----

TEST_F(Unrecorded, TooBigIsAnsweredOrCut) {
  close_guard();
  const Bytes big =
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(1600, 1)), {.fragment = 0x4000}));
  const Step told = from_outside(big);
  EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(told.outcome.reason, kDropTooBig);
  EXPECT_EQ(told.outcome.interface, kOutside);
  EXPECT_EQ(load_be16(&told.bytes[40]), kMtu - kEncapsulationOverhead);

  std::vector<Bytes> pieces;
  SlowPath slow(tables(), [&](const Outcome& outcome, std::span<const uint8_t> bytes) {
    EXPECT_EQ(outcome.verdict, kVerdictTarget) << drop_reason_name(outcome.reason);
    pieces.emplace_back(bytes.begin(), bytes.end());
    return true;
  });
  // The slow path has a CPU, and a guard, of its own.
  tables().new_flow_guards[kSlowPathCpu * kAttachmentsMax] = {static_cast<uint32_t>(host->now_ms()),
                                                              SLUICE_GUARD_CLOSED};
  const Bytes cuttable =
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5000, 53, Bytes(1600, 1))));
  const Step handed = from_outside(cuttable);
  ASSERT_EQ(handed.outcome.verdict, kVerdictSlowPath);
  slow.take(kOutside, handed.outcome.mtu, handed.bytes, host->now_ms());
  ASSERT_EQ(pieces.size(), 2u);
  for (const Bytes& piece : pieces)
    EXPECT_EQ(from_tunnel(returned(piece)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFlowCreated), 1u);
}

TEST_F(Unrecorded, FragmentsGoWithTheirFlowInAnyOrder) {
  close_guard();
  const auto fragment = [](const Bytes& payload, uint16_t field) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, payload, {.fragment = field}));
  };
  const Bytes head = fragment(udp(5000, 53, Bytes(24, 1)), 0x2000);
  const Bytes tail = fragment(Bytes(24, 2), 4);
  const Step whole =
      from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5000, 53, Bytes(9, 1)))));
  for (const bool in_order : {true, false}) {
    std::vector<Bytes> sent;
    SlowPath slow(tables(), [&](const Outcome& outcome, std::span<const uint8_t> bytes) {
      EXPECT_EQ(outcome.verdict, kVerdictTarget) << drop_reason_name(outcome.reason);
      sent.emplace_back(bytes.begin(), bytes.end());
      return true;
    });
    tables().new_flow_guards[kSlowPathCpu * kAttachmentsMax] = {
        static_cast<uint32_t>(host->now_ms()), SLUICE_GUARD_CLOSED};
    for (const Bytes& in : in_order ? std::vector{head, tail} : std::vector{tail, head}) {
      const Step step = from_outside(in);
      if (step.outcome.verdict == kVerdictSlowPath)
        slow.take(kOutside, step.outcome.mtu, step.bytes, host->now_ms());
      else
        sent.push_back(step.bytes);
    }
    ASSERT_EQ(sent.size(), 2u) << in_order;
    for (const Bytes& out : sent) {
      EXPECT_EQ(cookie_of(out), cookie_of(whole.bytes)) << in_order;
      EXPECT_EQ(from_tunnel(returned(out)).outcome.verdict, kVerdictInside) << in_order;
    }
    host->set_now_ms(host->now_ms() + kFragmentMs + 1);
    guard(0);
    guard(1);
    from_outside(syn_of(in_order));
    from_outside(syn_of(in_order + 2));
  }
}

// ---- floods ----

TEST_F(Unrecorded, AFullBucketIsNoReasonToDrop) {
  for (uint32_t n = 0; n < 20000; n++) {
    from_outside(syn_of(n));
    Bytes answer = reply();
    store_be32(&answer[30], 0x0b000000 + n);
    from_inside(answer);
    Bytes ack = request(kTcpAck);
    store_be32(&ack[26], 0x0b000000 + n);
    round_trip(with_checksum(ack), kOutside);
  }
  // flows_max = 4096, all of them established.
  EXPECT_EQ(events(kEventFlowCreated), 4096u);
  EXPECT_EQ(drops(kDropFlowTableFull), 0u);
  EXPECT_EQ(events(kEventUnrecordedSent), 3 * (20000u - 4096u));
  const Step last = from_outside(syn_of(20001));
  EXPECT_EQ(from_tunnel(returned(last.bytes)).outcome.verdict, kVerdictInside);
  const Bytes to_listener = with_checksum(ethernet(
      kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000), {.destination = {10, 0, 0, 100}})));
  EXPECT_EQ(from_outside(to_listener).outcome.reason, kDropFlowTableFull);
}

// A million connections that are never answered, while the guard lets few be opened: established
// flows keep their records, and connections that begin in the middle of it work, both ways,
// without.
TEST_F(Unrecorded, AFloodOfAMillionTuplesStopsNobody) {
  constexpr uint32_t kFlood = 1'000'000;
  constexpr uint16_t kEstablished = 500;
  guard(1000);
  const auto segment = [](uint16_t client_port, bool back, uint8_t flags) {
    const Bytes client = {10, 0, 0, 1}, server = {10, 0, 0, 2};
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
  }
  Bytes syn = segment(1, false, kTcpSyn);
  FrameBuffer buffer;
  std::vector<int> of;  // of the connections that begin meanwhile
  for (uint32_t n = 0; n < kFlood; n++) {
    store_be32(&syn[26], 0x0b000000 + n);
    buffer.assign(syn);
    ASSERT_EQ(host->run(buffer, kOutside).verdict, kVerdictTarget);
    if (n % 1000 != 999) continue;
    const auto port = static_cast<uint16_t>(20000 + n / 1000);
    const Step out = from_outside(segment(port, false, kTcpSyn));
    ASSERT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
    const Step answer = from_inside(segment(port, true, kTcpSyn | kTcpAck));
    ASSERT_EQ(appliance(answer), appliance(out));
    ASSERT_EQ(from_tunnel(returned(answer.bytes)).outcome.verdict, kVerdictOutside);
    of.push_back(appliance(out));
  }
  EXPECT_EQ(events(kEventFlowCreated), 1000u) << "no second has passed";
  EXPECT_GT(events(kEventUnrecordedEvicted), kFlood / 2);
  // The flood has taken the places of its own only: the connections go on where they were.
  for (uint32_t n = 0; n < of.size(); n++) {
    const auto port = static_cast<uint16_t>(20000 + n);
    const Step out = from_outside(segment(port, false, kTcpAck));
    ASSERT_EQ(appliance(out), of[n]);
    ASSERT_EQ(from_tunnel(returned(out.bytes)).outcome.verdict, kVerdictInside);
  }
  for (uint16_t n = 0; n < kEstablished; n++)
    ASSERT_EQ(from_inside(segment(1000 + n, true, kTcpSyn | kTcpAck)).bytes, before[n]);
  EXPECT_EQ(events(kEventFlowCreated), 1000u);
  uint64_t dropped = 0;
  for (const uint64_t count : tables().counters[0].drop) dropped += count;
  EXPECT_EQ(dropped, 0u);
}

}  // namespace
}  // namespace sluice::gateway
