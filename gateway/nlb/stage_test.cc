// SPDX-License-Identifier: Apache-2.0
// The NLB stage, through the whole path: translated after inspection, answers translated back
// before it.
#include "gateway/datapath/path_test_base.h"
#include "gateway/nlb/cases_for_test.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

TEST_F(Path, NlbTranslatesBothWaysAndInspectsTheListenersFlow) {
  for (const NlbCase& c : nlb_cases()) {
    SCOPED_TRACE(c.name);
    const Step there = from_outside(c.to_listener);
    ASSERT_EQ(there.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(inner_of(there.bytes), Bytes(c.to_listener.begin() + 14, c.to_listener.end()))
        << "inspected untranslated";
    const Step delivered = from_tunnel(returned(there.bytes));
    ASSERT_EQ(delivered.outcome.verdict, kVerdictInside)
        << drop_reason_name(delivered.outcome.reason);
    EXPECT_EQ(Bytes(delivered.bytes.begin() + 14, delivered.bytes.end()),
              Bytes(c.to_target.begin() + 14, c.to_target.end()));
    if (c.to_listener[12] == 0x08) {
      EXPECT_EQ(delivered.bytes[5], 0x21) << "to the target's MAC";
    }

    const Step back = from_inside(c.from_target);
    ASSERT_EQ(back.outcome.verdict, kVerdictTarget) << drop_reason_name(back.outcome.reason);
    EXPECT_EQ(cookie_of(back.bytes), cookie_of(there.bytes)) << "the same flow, the same appliance";
    EXPECT_EQ(load_u32(&back.bytes[30]), load_u32(&there.bytes[30]));
    const Step answered = from_tunnel(returned(back.bytes));
    ASSERT_EQ(answered.outcome.verdict, kVerdictOutside);
    EXPECT_EQ(Bytes(answered.bytes.begin() + 14, answered.bytes.end()),
              Bytes(c.from_listener.begin() + 14, c.from_listener.end()));
  }
}

TEST_F(Path, NlbTargetsAreCountedForTheirFlowsPacketsAndResets) {
  const NlbCase c = nlb_cases()[0];
  const auto counted = [&](uint16_t index) { return host->tables().target_counters[index]; };
  const uint64_t flows = counted(kBackend).flows;
  round_trip(c.to_listener, kOutside);
  EXPECT_EQ(counted(kBackend).flows, flows + 1);
  EXPECT_EQ(counted(kBackend).packets_sent, 1u);
  EXPECT_EQ(counted(kBackend).bytes_sent, c.to_target.size() - 14);
  round_trip(c.from_target, kInside);
  EXPECT_EQ(counted(kBackend).packets_returned, 1u);
  EXPECT_EQ(counted(kBackend).bytes_returned, c.from_target.size() - 14);
  const auto reset = [](const Bytes& source, const Bytes& destination, uint16_t from, uint16_t to) {
    return with_checksum(ethernet(
        kEtherTypeIpv4, {},
        ipv4(6, tcp(from, to, kTcpRst | kTcpAck), {.source = source, .destination = destination})));
  };
  round_trip(reset({10, 0, 0, 21}, {10, 0, 0, 1}, 7001, 4242), kInside);
  EXPECT_EQ(counted(kBackend).resets_returned, 1u);
  EXPECT_EQ(counted(kBackend).resets_sent, 0u);
  round_trip(reset({10, 0, 0, 1}, {10, 0, 0, 100}, 4242, 7000), kOutside);
  EXPECT_EQ(counted(kBackend).resets_sent, 1u);
}

TEST_F(Path, NlbKeepsAnAbsentUdpChecksum) {
  Bytes in =
      ethernet(kEtherTypeIpv4, {},
               ipv4(kProtocolUdp, udp(4242, 7000, {1, 2, 3}), {.destination = {10, 0, 0, 100}}));
  const Step delivered = round_trip(in, kOutside);
  ASSERT_EQ(delivered.outcome.verdict, kVerdictInside);
  EXPECT_EQ(load_u16(&delivered.bytes[14 + 20 + 6]), 0);
}

TEST_F(Path, NlbRefusesWhatItsTargetCouldNotTellApart) {
  const NlbCase c = nlb_cases()[1];
  // A direct flow with the tuple that the NLB flow would have at the target.
  ASSERT_EQ(round_trip(c.to_target, kOutside).outcome.verdict, kVerdictInside);
  const Step there = from_outside(c.to_listener);
  EXPECT_EQ(from_tunnel(returned(there.bytes)).outcome.reason, kDropNlbTupleConflict);
}

TEST_F(Path, NlbRefusesAClientThatGoesPastTheListenerWithTheSameTuple) {
  const NlbCase c = nlb_cases()[1];
  ASSERT_EQ(round_trip(c.to_listener, kOutside).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_outside(c.to_target).outcome.reason, kDropNlbTupleConflict);
  EXPECT_EQ(round_trip(c.from_target, kInside).outcome.verdict, kVerdictOutside)
      << "the NLB flow works on";
}

TEST_F(Path, NlbNamesItsTroubles) {
  const NlbCase c = nlb_cases()[0];
  const Step there = from_outside(c.to_listener);
  host->tables().targets[kBackend].flags = 0;
  EXPECT_EQ(from_tunnel(returned(there.bytes)).outcome.reason, kDropNlbNoTarget);
  host->tables().targets[kBackend].flags = kTargetInUse;
  EXPECT_EQ(from_tunnel(returned(there.bytes)).outcome.reason, kDropNeighbourUnresolved);
  for (uint32_t i = 0; i < kNetworkRows; i++)
    host->tables().rows[first_row(kNetworkGroup) + i].target = kNone16;
  EXPECT_EQ(from_outside(nlb_cases()[1].to_listener).outcome.reason, kDropNlbNoTarget);
}

}  // namespace
}  // namespace sluice::gateway
