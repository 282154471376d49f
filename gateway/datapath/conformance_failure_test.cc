// SPDX-License-Identifier: Apache-2.0
// The conformance list, rows 9 and 10: silence, and what becomes of flows whose target is unhealthy
// or deregistered. What the rows of the matrix mean to the path is which target its rows have and
// how the lost one is marked; that the daemon writes exactly that is the reconciler's test.
#include <algorithm>

#include "gateway/datapath/conformance_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

class ConformanceFailure : public Conformance {
 protected:
  static Bytes there(const char* kind, uint16_t port_number, uint8_t flags = kTcpAck) {
    return ethernet(kEtherTypeIpv4, {},
                    kind == std::string("tcp") ? ipv4(kProtocolTcp, tcp(port_number, 80, flags))
                                               : ipv4(kProtocolUdp, udp(port_number, 53)));
  }
  static Bytes back(const char* kind, uint16_t port_number, uint8_t flags = kTcpAck) {
    const Ipv4 header{.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}};
    return turned(ethernet(kEtherTypeIpv4, {},
                           kind == std::string("tcp")
                               ? ipv4(kProtocolTcp, tcp(80, port_number, flags), header)
                               : ipv4(kProtocolUdp, udp(53, port_number), header)));
  }

  // 40 answered flows of each kind; how many of both are the lost target's.
  void open_flows() {
    for (const char* kind : {"tcp", "udp"})
      for (uint16_t n = 0; n < 40; n++) {
        const Step out = from_outside(there(kind, 1000 + n, kTcpSyn));
        expect_delivered(back(kind, 1000 + n, kTcpSyn | kTcpAck), kInside);
        at_.push_back(appliance(out));
      }
    lost_ = static_cast<uint16_t>(at_[0]);
  }
  // The lost target's rows are its neighbour's; it is marked.
  void lose(uint16_t mark) {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[i];
      if (r.target == lost_) r = {next(), lost_, static_cast<uint32_t>(now_ms() / 1000)};
    }
    tables().targets[lost_].flags |= mark;
  }
  void recover() {
    for (uint32_t i = 0; i < kApplianceRows; i++) {
      row& r = tables().rows[i];
      if (r.previous == lost_) r = {lost_, r.target, static_cast<uint32_t>(now_ms() / 1000)};
    }
    tables().targets[lost_].flags = kTargetInUse | kTargetResolved | kTargetAppliance;
  }
  uint16_t next() const { return static_cast<uint16_t>((lost_ + 1) % kAppliances); }

  // Each flow of the lost target is at `wanted` now, in both directions; the others stayed.
  void expect_flows_at(uint16_t wanted) {
    size_t i = 0;
    for (const char* kind : {"tcp", "udp"})
      for (uint16_t n = 0; n < 40; n++, i++) {
        const int expected = at_[i] == lost_ ? wanted : at_[i];
        const Step out = from_outside(there(kind, 1000 + n));
        const Step answer = from_inside(back(kind, 1000 + n));
        ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << kind << n;
        ASSERT_EQ(answer.outcome.verdict, kVerdictTarget) << kind << n;
        ASSERT_EQ(appliance(out), expected) << kind << n;
        ASSERT_EQ(appliance(answer), expected) << kind << n;
        expect_return(returned(out.bytes), kVerdictInside, there(kind, 1000 + n));
      }
  }
  void expect_new_flows_elsewhere() {
    for (uint16_t n = 0; n < 40; n++)
      EXPECT_NE(appliance(from_outside(there("udp", 2000 + n))), lost_);
  }
  uint64_t flows_of_the_lost() const {
    return static_cast<uint64_t>(std::count(at_.begin(), at_.end(), lost_));
  }

  std::vector<int> at_;
  uint16_t lost_ = 0;
};

INSTANTIATE_TEST_SUITE_P(In, ConformanceFailure,
                         testing::Values(HostKind::kProcess, HostKind::kKernel), host_name);

// ---- row 9 ----

TEST_P(ConformanceFailure, Row9Tcp350SecondsOthers120) {
  const uint64_t begun = 3;
  from_outside(there("tcp", 1, kTcpSyn));
  from_inside(back("tcp", 1, kTcpSyn | kTcpAck));
  const Step udp_first = from_outside(there("udp", 1));
  from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 1))));
  EXPECT_EQ(events(kEventFlowCreated), begun);
  pass_seconds(110);
  EXPECT_EQ(cookie_of(from_outside(there("udp", 1)).bytes), cookie_of(udp_first.bytes));
  from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 1))));
  EXPECT_EQ(events(kEventFlowCreated), begun);
  pass_seconds(121);
  EXPECT_NE(cookie_of(from_outside(there("udp", 1)).bytes), cookie_of(udp_first.bytes));
  from_outside(ethernet(kEtherTypeIpv4, {}, ipv4(47, Bytes(40, 1))));
  EXPECT_EQ(events(kEventFlowCreated), begun + 2);
  // 231 s of silence so far; a keepalive begins them anew.
  EXPECT_EQ(from_outside(there("tcp", 1)).outcome.verdict, kVerdictTarget);
  pass_seconds(340);
  EXPECT_EQ(from_inside(back("tcp", 1)).outcome.verdict, kVerdictTarget);
  pass_seconds(351);
  const Step late = from_outside(there("tcp", 1));
  EXPECT_EQ(late.outcome.verdict, kVerdictDrop);
  EXPECT_EQ(late.outcome.reason, kDropFlowExpired);
  EXPECT_EQ(from_inside(back("tcp", 1, kTcpFin | kTcpAck)).outcome.reason, kDropFlowExpired);
  EXPECT_EQ(from_outside(there("tcp", 1, kTcpSyn)).outcome.verdict, kVerdictTarget);
  EXPECT_EQ(events(kEventFlowCreated), begun + 3);
}

TEST_P(ConformanceFailure, Row9OrResetIfThatIsOn) {
  tables().attachments[0].flags = kAttachmentResets | kAttachmentDropsUnknown;
  from_outside(there("tcp", 1, kTcpSyn));
  from_inside(back("tcp", 1, kTcpSyn | kTcpAck));
  pass_seconds(351);
  const Step expired = from_outside(there("tcp", 1));
  EXPECT_EQ(expired.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(expired.outcome.reason, kDropFlowExpired);
  EXPECT_EQ(expired.bytes[14 + 20 + 13], kTcpRst);
  const Step unknown = from_inside(back("tcp", 2));
  EXPECT_EQ(unknown.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(unknown.outcome.reason, kDropFlowNotBegun);
  EXPECT_EQ(events(kEventResetSent), 2u);
}

// ---- row 10: the failure matrix ----

TEST_P(ConformanceFailure, Row10LostWithoutRebalanceFlowsStay) {
  open_flows();
  lose(0);
  expect_flows_at(lost_);
  expect_new_flows_elsewhere();
  recover();
  expect_flows_at(lost_);
  EXPECT_EQ(events(kEventFlowMoved), 0u);
}

TEST_P(ConformanceFailure, Row10LostWithRebalanceFlowsMoveOnceAndStayThere) {
  open_flows();
  lose(kTargetMoves);
  expect_flows_at(next());
  EXPECT_EQ(events(kEventFlowMoved), flows_of_the_lost());
  expect_new_flows_elsewhere();
  recover();
  expect_flows_at(next());
  EXPECT_EQ(events(kEventFlowMoved), flows_of_the_lost());
}

TEST_P(ConformanceFailure, Row10ResetsGoToBothEndsAndUdpStays) {
  open_flows();
  lose(kTargetResets);
  uint64_t resets = 0;
  for (uint16_t n = 0; n < 40; n++) {
    if (at_[n] != lost_) continue;
    for (const bool client : {true, false}) {
      const Step told =
          client ? from_outside(there("tcp", 1000 + n)) : from_inside(back("tcp", 1000 + n));
      EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
      EXPECT_EQ(told.outcome.reason, kDropTargetLost);
      EXPECT_EQ(told.bytes[14 + 20 + 13], kTcpRst);
      resets++;
    }
    EXPECT_EQ(appliance(from_outside(there("tcp", 1000 + n, kTcpSyn))), next()) << "a new one";
  }
  EXPECT_GT(resets, 0u);
  EXPECT_EQ(events(kEventResetSent), resets);
  for (uint16_t n = 0; n < 40; n++)
    EXPECT_EQ(appliance(from_outside(there("udp", 1000 + n))), at_[40 + n]);
}

TEST_P(ConformanceFailure, Row10ATargetThatIsGoneKeepsNobody) {
  open_flows();
  lose(0);
  tables().targets[lost_].flags = 0;
  expect_flows_at(next());
  EXPECT_EQ(events(kEventFlowMoved), flows_of_the_lost());
}

TEST_P(ConformanceFailure, Row10WithoutAHealthyTarget) {
  open_flows();
  // Last resort, AWS's way: the rows are those of unhealthy targets, and nothing is different.
  expect_flows_at(lost_);
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i] = {kNone16, kNone16, 0};
  for (int i = 0; i < kAppliances; i++) tables().targets[i].flags |= kTargetMoves;
  // Closed: old flows stay where they are, new ones are dropped.
  EXPECT_EQ(from_outside(there("udp", 1000)).outcome.verdict, kVerdictTarget);
  const Step closed = from_outside(there("udp", 3000));
  EXPECT_EQ(closed.outcome.verdict, kVerdictDrop);
  EXPECT_EQ(closed.outcome.reason, kDropNoTarget);
  // Open: all pass uninspected, and are counted.
  tables().groups[0].flags = kGroupFailsOpen;
  EXPECT_EQ(from_outside(there("udp", 1000)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_inside(back("udp", 1000)).outcome.verdict, kVerdictOutside);
  EXPECT_EQ(from_outside(there("udp", 3001)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFailedOpen), 3u);
}

}  // namespace
}  // namespace sluice::gateway
