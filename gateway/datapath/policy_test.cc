// SPDX-License-Identifier: Apache-2.0
// Rules of the policy in the packet path: who decides about a new flow, and that it stays decided.
#include "gateway/datapath/policy.h"

#include <atomic>
#include <thread>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint8_t kRule = 9;
constexpr uint8_t kSecond = 200;

int appliance(const Step& step) { return step.bytes[33] - 11; }

class Policy : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    rows_to(0, 1);
    rows_to(kOtherGroup, 2);
  }
  Tables& tables() { return host->tables(); }
  void rows_to(uint32_t group, uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++)
      tables().rows[first_row(group) + i] = {target, kNone16, 0};
  }
  // Of rows that are given to somebody else now.
  void rows_move(uint32_t group, uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[first_row(group) + i];
      r = {target, r.target, static_cast<uint32_t>(host->now_ms() / 1000)};
    }
  }
  policy_rule& rule(uint8_t place, PolicyAction action) {
    policy_rule& r = tables().policy_rules[copy_ * kPolicySlots + place];
    r = {};
    r.in_use = 1;
    r.action = action;
    if (action != kPolicyForward) return r;
    r.hops = 1;
    r.hop[0].groups = 1;
    r.hop[0].group[0] = kOtherGroup;
    r.hop[0].upto[0] = 0xffffffff;
    return r;
  }
  // Fits all flows of the attachment until the test makes it narrower.
  policy_entry& entry(uint8_t place) {
    const uint64_t count = static_cast<uint32_t>(tables().settings[0].policy);
    policy_entry& e = tables().policy_entries[copy_ * kPolicyEntriesMax + count];
    e = entry_for_all(place);
    in_use(count + 1);
    return e;
  }
  void in_use(uint64_t count) {
    tables().settings[0].policy = uint64_t{copy_} * kPolicyEntriesMax << 32 | count;
    tables().attachments[0].flags |= kAttachmentPolicy;
  }
  void next_copy() {
    copy_ ^= 1;
    in_use(0);
  }
  const flow_record& record() {
    for (uint32_t i = 0; i < tables().flow_buckets_count * kFlowWays; i++)
      if (table_flow_records(&tables(), i)->cookie != 0) return *table_flow_records(&tables(), i);
    ADD_FAILURE() << "no flow";
    return *table_flow_records(&tables(), 0);
  }
  uint32_t copy_ = 0;
};

void prefix(uint32_t (&address)[4], uint32_t (&mask)[4], uint32_t word, uint32_t bits) {
  address[0] = word;
  mask[0] = bits;
}

TEST_F(Policy, TheFirstRuleThatFitsDecidesAndItsFlowKeepsIt) {
  rule(kRule, kPolicyForward);
  rule(kSecond, kPolicyDrop);
  entry(kRule).protocol = kProtocolTcp;
  entry(kSecond);
  const Step out = from_outside(request());
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(appliance(out), 2) << "the rule's group";
  EXPECT_EQ(record().rule, kRule);
  EXPECT_EQ(tables().policy_counters[kRule].flows, 1u);
  EXPECT_EQ(
      from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(1, 2)))).outcome.reason,
      kDropPolicy);
  EXPECT_EQ(tables().policy_counters[kSecond].packets_dropped, 1u);
  EXPECT_EQ(tables().policy_counters[kSecond].flows, 0u);

  // Another policy: what has begun stays as it was decided, in both directions.
  next_copy();
  rule(kRule, kPolicyDrop);
  entry(kRule);
  EXPECT_EQ(appliance(from_inside(reply())), 2);
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), 2);
  EXPECT_EQ(from_tunnel(returned(from_outside(request(kTcpAck)).bytes)).outcome.verdict,
            kVerdictInside);
  from_tunnel(returned(from_inside(reply(kTcpRst)).bytes));
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropPolicy) << "the next connection";
}

TEST_F(Policy, WithoutOneTheListenerDecides) {
  rule(kRule, kPolicyDrop);
  entry(kRule).attachments[0] = 2;  // of another attachment
  EXPECT_EQ(appliance(from_outside(request())), 1);
  EXPECT_EQ(record().rule, 0);
}

TEST_F(Policy, BypassDeliversBothWaysAndKeepsTheNlb) {
  rule(kRule, kPolicyBypass);
  entry(kRule);
  const Step there = from_outside(request());
  EXPECT_EQ(there.outcome.verdict, kVerdictInside);
  EXPECT_EQ(there.bytes, request());
  EXPECT_EQ(from_inside(reply()).outcome.verdict, kVerdictOutside);
  EXPECT_EQ(events(kEventBypassed), 2u);
  EXPECT_EQ(events(kEventFailedOpen), 0u);
  EXPECT_EQ(record().target, uint16_t{kUninspected});
  const Bytes to_listener = with_checksum(
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolTcp, tcp(4242, 7000, kTcpSyn), {.destination = {10, 0, 0, 100}})));
  const Step translated = from_outside(to_listener);
  EXPECT_EQ(translated.outcome.verdict, kVerdictInside);
  EXPECT_EQ(Bytes(translated.bytes.begin() + 30, translated.bytes.begin() + 34),
            (Bytes{10, 0, 0, 21}));
}

TEST_F(Policy, EachConditionMustHold) {
  struct Case {
    const char* what;
    void (*narrow)(policy_entry&);
    bool fits;
  };
  const Case cases[] = {
      {"its source",
       [](policy_entry& e) {
         prefix(e.source, e.source_mask, ipv4_word(10, 0, 0, 0), ipv4_word(255, 255, 255, 254));
       },
       true},
      {"another source",
       [](policy_entry& e) { prefix(e.source, e.source_mask, ipv4_word(10, 0, 0, 2), 0xffffffff); },
       false},
      {"its destination",
       [](policy_entry& e) {
         prefix(e.destination, e.destination_mask, ipv4_word(10, 0, 0, 2), 0xffffffff);
       },
       true},
      {"another destination",
       [](policy_entry& e) {
         prefix(e.destination, e.destination_mask, ipv4_word(10, 0, 0, 1), 0xffffffff);
       },
       false},
      {"a bit of a later word", [](policy_entry& e) { e.source_mask[3] = 1, e.source[3] = 1; },
       false},
      {"its version", [](policy_entry& e) { e.version = 4; }, true},
      {"the other version", [](policy_entry& e) { e.version = 6; }, false},
      {"its protocol", [](policy_entry& e) { e.protocol = kProtocolTcp; }, true},
      {"another protocol", [](policy_entry& e) { e.protocol = kProtocolUdp; }, false},
      {"its port", [](policy_entry& e) { e.port_first = e.port_last = 80; }, true},
      {"from its port on", [](policy_entry& e) { e.port_first = 80; }, true},
      {"up to its port", [](policy_entry& e) { e.port_last = 80; }, true},
      {"ports above", [](policy_entry& e) { e.port_first = 81; }, false},
      {"ports below", [](policy_entry& e) { e.port_last = 79; }, false},
  };
  for (const Case& one : cases) {
    next_copy();
    rule(kRule, kPolicyDrop);
    one.narrow(entry(kRule));
    const Step out = from_outside(request());
    EXPECT_EQ(out.outcome.verdict, one.fits ? kVerdictDrop : kVerdictTarget) << one.what;
    if (!one.fits) from_tunnel(returned(from_outside(request(kTcpRst)).bytes));
  }
}

TEST_F(Policy, APacketThatOpensNothingFitsEitherWay) {
  rule(kRule, kPolicyDrop);
  policy_entry& e = entry(kRule);
  e.protocol = kProtocolTcp;
  e.port_first = e.port_last = 80;
  // The reply of a connection that the gateway has never seen begin.
  EXPECT_EQ(from_inside(reply(kTcpAck)).outcome.reason, kDropPolicy);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.reason, kDropPolicy);
  // A connection from that port to another is not to it.
  EXPECT_EQ(from_inside(reply(kTcpSyn)).outcome.verdict, kVerdictTarget);
}

// Nobody gets past inspection by beginning in the middle, from the port that a rule is about.
TEST_F(Policy, ABypassIsNotForWhatOnlyFitsTurnedRound) {
  rule(kRule, kPolicyBypass);
  policy_entry& e = entry(kRule);
  e.protocol = kProtocolTcp;
  e.port_first = e.port_last = 80;
  const auto from_80 = [](uint8_t flags) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(80, 22, flags)));
  };
  EXPECT_EQ(from_outside(from_80(kTcpAck)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(from_outside(from_80(kTcpSyn)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictInside) << "as it is, it fits";
  EXPECT_EQ(events(kEventBypassed), 1u);
}

TEST_F(Policy, APercentageIsOfFlowsAndTheSameForBothDirections) {
  rule(kRule, kPolicyForward);
  entry(kRule).share = 0x3fffffff;  // a quarter
  int chosen = 0;
  for (uint16_t port = 1; port <= 2000; port++) {
    const auto from = static_cast<uint16_t>(20000 + port);
    const Bytes there = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(from, 80, kTcpAck)));
    const Bytes back = ethernet(kEtherTypeIpv4, {},
                                ipv4(kProtocolTcp, tcp(80, from, kTcpAck),
                                     {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
    const Step first = from_outside(there);
    ASSERT_EQ(first.outcome.verdict, kVerdictTarget);
    chosen += appliance(first) == 2;
    // Without a record of it, the other direction decides alike.
    for (uint32_t i = 0; i < tables().flow_buckets_count; i++) tables().flow_buckets[i] = {};
    ASSERT_EQ(appliance(from_inside(back)), appliance(first)) << port;
    for (uint32_t i = 0; i < tables().flow_buckets_count; i++) tables().flow_buckets[i] = {};
  }
  EXPECT_NEAR(chosen, 500, 80);
}

TEST_F(Policy, WeightsShareTheFlowsOfAHop) {
  policy_rule& r = rule(kRule, kPolicyForward);
  r.hop[0].groups = 2;
  r.hop[0].group[0] = 0;
  r.hop[0].upto[0] = 0xe6666665;  // nine of ten
  r.hop[0].group[1] = kOtherGroup;
  r.hop[0].upto[1] = 0xffffffff;
  entry(kRule);
  int canary = 0;
  for (uint16_t port = 1; port <= 2000; port++) {
    const Step out = from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port, 53))));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    canary += appliance(out) == 2;
  }
  EXPECT_NEAR(canary, 200, 60);
  // What draws by addresses stays together.
  r.form = kFlowHash2Tuple;
  int moved = 0;
  for (uint16_t port = 3001; port <= 3050; port++)
    moved +=
        appliance(from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port, 53))))) ==
        2;
  EXPECT_TRUE(moved == 0 || moved == 50) << moved;
}

TEST_F(Policy, ALostTargetIsReplacedByTheRulesGroup) {
  rule(kRule, kPolicyForward);
  entry(kRule);
  from_outside(request());
  round_trip(reply(), kInside);
  rows_move(kOtherGroup, 3);
  tables().targets[2].flags |= kTargetMoves;
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), 3);
  // The rule is gone, and so is the target: the listener has the flow.
  next_copy();
  tables().targets[3].flags |= kTargetMoves;
  EXPECT_EQ(appliance(from_outside(request(kTcpAck))), 1);
}

TEST_F(Policy, ARuleOfAGroupWithoutTargetsDropsUnlessItFailsOpen) {
  rule(kRule, kPolicyForward);
  entry(kRule);
  rows_to(kOtherGroup, kNone16);
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropNoTarget);
  tables().groups[kOtherGroup].flags = kGroupFailsOpen;
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFailedOpen), 1u);
}

TEST_F(Policy, TheLastPossibleEntryIsFound) {
  rule(kRule, kPolicyDrop);
  for (int i = 1; i < kPolicyEntriesMax; i++) entry(kRule).version = 6;
  entry(kRule).version = 4;
  EXPECT_EQ(from_outside(request()).outcome.reason, kDropPolicy);
}

// Two policies that drop everything, by rules in different places: none lets a packet through while
// one gives way to the other.
TEST_F(Policy, APacketIsDecidedByOneCopy) {
  rule(kRule, kPolicyDrop);
  entry(kRule);
  const uint64_t first = tables().settings[0].policy;
  next_copy();
  rule(kSecond, kPolicyDrop);
  entry(kSecond);
  const uint64_t second = tables().settings[0].policy;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    std::atomic_ref<__u64> policy(tables().settings[0].policy);
    for (uint64_t i = 0; !stop; i++) policy.store(i % 2 == 0 ? first : second);
  });
  Bytes syn = request();
  for (uint32_t n = 0; n < 200'000; n++) {
    store_be32(&syn[26], 0x0b000000 + n);
    from_outside(syn);
  }
  stop = true;
  writer.join();
  EXPECT_EQ(drops(kDropPolicy), 200'000u);
  EXPECT_EQ(events(kEventFlowCreated), 0u);
}

TEST_F(Policy, UnknownTcpIsRefusedBeforeThePolicyIsAsked) {
  rule(kRule, kPolicyBypass);
  entry(kRule);
  tables().attachments[0].flags |= kAttachmentDropsUnknown;
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictInside);
}

}  // namespace
}  // namespace sluice::gateway
