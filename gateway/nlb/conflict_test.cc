// SPDX-License-Identifier: Apache-2.0
// Two flows that a target could not tell apart: which of them makes way. In both hosts.
#include "gateway/datapath/conformance_fixture.h"
#include "gateway/nlb/cases_for_test.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr uint16_t kOtherPort = 7002;  // of a second listener, with the same target

class NlbConflict : public Conformance {
 protected:
  // A packet of the client's, through the appliance: what becomes of it then.
  Step through(const Bytes& in) {
    const Step there = from_outside(in);
    EXPECT_EQ(there.outcome.verdict, kVerdictTarget) << drop_reason_name(there.outcome.reason);
    return there.outcome.verdict == kVerdictTarget ? from_tunnel(returned(there.bytes)) : there;
  }
  void expect_at_target(const Bytes& in, const Bytes& at_target) {
    const Step step = through(in);
    EXPECT_EQ(step.outcome.verdict, kVerdictInside) << drop_reason_name(step.outcome.reason);
    EXPECT_EQ(ip_of(step.bytes), ip_of(at_target));
  }
  void expect_conflict(const Bytes& in) {
    const Step step = through(in);
    EXPECT_EQ(step.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(step.outcome.reason, kDropNlbTupleConflict);
  }
  // An answer of the target's, through the appliance, at the client.
  void expect_at_client(const Bytes& in, const Bytes& at_client) {
    const Step back = from_inside(in);
    ASSERT_EQ(back.outcome.verdict, kVerdictTarget) << drop_reason_name(back.outcome.reason);
    const Step step = from_tunnel(returned(back.bytes));
    EXPECT_EQ(step.outcome.verdict, kVerdictOutside) << drop_reason_name(step.outcome.reason);
    EXPECT_EQ(ip_of(step.bytes), ip_of(at_client));
  }
  // As a bucket that overflows does.
  void lose_aliases() {
    for (uint32_t i = 0; i < tables().flow_buckets_count * kFlowWays; i++)
      if (table_flow_records(&tables(), i)->flags & kFlowAlias)
        tables().flow_buckets[i / kFlowWays].entry[i % kFlowWays] = 0;
  }
  void add_other_listener() {
    const uint32_t vip[4] = {ipv4_word(10, 0, 0, 100), 0, 0, 0};
    for (uint8_t protocol : {kProtocolTcp, kProtocolUdp})
      add_listener(tables(), vip, kOtherPort, protocol, 4, kNetworkGroup);
  }
  // A packet of nlb_cases()[0], the TCP flow, with other flags, and to another port or address.
  static Bytes segment(const Bytes& like, uint8_t flags, uint16_t port = 0) {
    Bytes out = like;
    out[14 + 20 + 13] = flags;
    if (port != 0) store_be16(&out[14 + 20 + 2], port);
    return with_checksum(out);
  }
};
INSTANTIATE_TEST_SUITE_P(Hosts, NlbConflict, testing::Values(HostKind::kProcess, HostKind::kKernel),
                         host_name);

TEST_P(NlbConflict, AnswersThatHaveLostTheirAliasKeepNobodyOut) {
  for (const NlbCase& c : nlb_cases()) {
    SCOPED_TRACE(c.name);
    expect_at_target(c.to_listener, c.to_target);
    lose_aliases();
    // Nothing says whose answer that is: it begins a flow of its own.
    expect_at_client(c.from_target, c.from_target);
    expect_at_client(c.from_target, c.from_target);
    expect_at_target(c.to_listener, c.to_target);
    expect_at_client(c.from_target, c.from_listener);
  }
}

TEST_P(NlbConflict, AConnectionThatIsNotOpenYetMakesWay) {
  const NlbCase c = nlb_cases()[0];
  expect_at_target(c.to_target, c.to_target);  // past the listener
  expect_at_target(c.to_listener, c.to_target);
  expect_at_client(c.from_target, c.from_listener);
}

TEST_P(NlbConflict, AnOpenConnectionAndDatagramsOfTheClientsDoNot) {
  const NlbCase tcp_case = nlb_cases()[0], udp_case = nlb_cases()[1];
  expect_at_target(tcp_case.to_target, tcp_case.to_target);
  expect_at_client(tcp_case.from_target, tcp_case.from_target);
  const Bytes ack = segment(tcp_case.to_target, kTcpAck);
  expect_at_target(ack, ack);
  expect_conflict(tcp_case.to_listener);
  expect_at_target(udp_case.to_target, udp_case.to_target);
  expect_conflict(udp_case.to_listener);
}

TEST_P(NlbConflict, ATargetsConversationWithTheClientDoesNot) {
  const NlbCase c = nlb_cases()[1];
  expect_at_client(c.from_target, c.from_target);
  expect_at_target(c.to_target, c.to_target);
  expect_conflict(c.to_listener);
}

TEST_P(NlbConflict, AConnectionOfAnotherListenerMakesWayWhenItIsOver) {
  add_other_listener();
  const NlbCase c = nlb_cases()[0];
  const Bytes other = segment(c.to_listener, kTcpSyn, kOtherPort);
  expect_at_target(c.to_listener, c.to_target);
  expect_conflict(other);
  expect_at_client(c.from_target, c.from_listener);
  const uint8_t reset = kTcpRst | kTcpAck;
  expect_at_target(segment(c.to_listener, reset), segment(c.to_target, reset));
  expect_at_target(other, c.to_target);
  const Step back = from_inside(c.from_target);
  ASSERT_EQ(back.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(load_be16(&inner_of(back.bytes)[20]), kOtherPort) << "now it answers for the other one";
  expect_conflict(segment(c.to_listener, kTcpAck));
}

}  // namespace
}  // namespace sluice::gateway
