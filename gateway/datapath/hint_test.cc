// SPDX-License-Identifier: Apache-2.0
#include "gateway/datapath/hint.h"

#include <gtest/gtest.h>

#include "gateway/datapath/path_test_base.h"

namespace sluice::gateway {
namespace {

using namespace fixture;  // NOLINT

int appliance_of(const Bytes& datagram) { return datagram[33] - 11; }

class Hint : public Path {
 protected:
  void SetUp() override {
    Path::SetUp();
    set_owner(kNone16);
  }
  void set_owner(uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++)
      host->tables().rows[first_row(kOtherGroup) + i] = {target, kNone16, 0};
  }
};

TEST_F(Hint, BypassDeliversTheRestOfTheFlowBothWays) {
  const Step first = from_outside(request());
  const Step there = from_tunnel(hinted(first.bytes, kBypassHint));
  EXPECT_EQ(there.outcome.verdict, kVerdictInside);
  EXPECT_EQ(there.bytes, request());
  EXPECT_EQ(events(kEventHintTaken), 1u);

  const Step back = from_inside(reply());
  EXPECT_EQ(back.outcome.verdict, kVerdictOutside);
  EXPECT_EQ(back.outcome.interface, kOutside);
  EXPECT_EQ(back.bytes, reply());
  const Step more = from_outside(request(kTcpAck, {1, 2, 3}));
  EXPECT_EQ(more.outcome.verdict, kVerdictInside);
  EXPECT_EQ(more.outcome.interface, kInside);
  EXPECT_EQ(more.bytes, request(kTcpAck, {1, 2, 3}));
  EXPECT_EQ(events(kEventBypassed), 2u);
  // What the appliance still had comes through, too.
  EXPECT_EQ(from_tunnel(returned(first.bytes)).outcome.verdict, kVerdictInside);

  // The next connection with these ports is inspected again.
  from_inside(reply(kTcpRst));
  EXPECT_EQ(from_outside(request()).outcome.verdict, kVerdictTarget);
}

TEST_F(Hint, BypassNeedsNoApplianceAnyMore) {
  const Step first = from_outside(request());
  from_tunnel(hinted(first.bytes, kBypassHint));
  host->tables().targets[appliance_of(first.bytes)].flags &=
      static_cast<uint16_t>(~kTargetResolved);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictInside);
}

TEST_F(Hint, BypassedNlbFlowsAreTranslated) {
  const Ipv4 to_listener{.destination = {10, 0, 0, 100}};
  const Bytes in = with_checksum(
      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 7000, kTcpSyn), to_listener)));
  const Step first = from_outside(in);
  ASSERT_EQ(first.outcome.verdict, kVerdictTarget);
  const Step inspected = from_tunnel(hinted(first.bytes, kBypassHint));
  ASSERT_EQ(inspected.outcome.verdict, kVerdictInside);
  const Step bypassed = from_outside(in);
  EXPECT_EQ(bypassed.outcome.verdict, kVerdictInside);
  EXPECT_EQ(bypassed.bytes, inspected.bytes) << "the same translation without the appliance";
}

TEST_F(Hint, SteersToAnotherGroupAndLosesNothingOnTheWay) {
  const Step first = from_outside(request());
  const Step second = from_outside(request(kTcpAck));
  const auto other = static_cast<uint16_t>((appliance_of(first.bytes) + 1) % kAppliances);
  set_owner(other);
  EXPECT_EQ(from_tunnel(hinted(first.bytes, kSteerHint)).outcome.verdict, kVerdictInside);
  const Step third = from_outside(request(kTcpAck));
  EXPECT_EQ(appliance_of(third.bytes), other);
  EXPECT_NE(cookie_of(third.bytes), cookie_of(first.bytes));
  EXPECT_EQ(from_inside(reply()).bytes[33], 11 + other) << "both directions move";

  EXPECT_EQ(from_tunnel(returned(second.bytes)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventFormerCookie), 1u);
  EXPECT_EQ(from_tunnel(returned(third.bytes)).outcome.verdict, kVerdictInside);
  // The former target has no say any more.
  EXPECT_EQ(from_tunnel(hinted(second.bytes, kBypassHint)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
  host->set_now_ms(host->now_ms() + kFormerCookieMs + 1);
  EXPECT_EQ(from_tunnel(returned(second.bytes)).outcome.reason, kDropCookieExpired);
}

TEST_F(Hint, AGroupWithoutTargetsMovesNobody) {
  const Step first = from_outside(request());
  from_tunnel(hinted(first.bytes, kSteerHint));
  const Step next = from_outside(request(kTcpAck));
  EXPECT_EQ(appliance_of(next.bytes), appliance_of(first.bytes));
  EXPECT_EQ(cookie_of(next.bytes), cookie_of(first.bytes));
}

TEST_F(Hint, UnknownNumbersAreCountedAndNothingElse) {
  const Step first = from_outside(request());
  for (const uint32_t number : {8u, 1u, 0x10007u})
    EXPECT_EQ(from_tunnel(hinted(first.bytes, number)).outcome.verdict, kVerdictInside);
  EXPECT_EQ(events(kEventHintUnknown), 2u) << "a number beyond 16 bits is no hint";
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
}

TEST_F(Hint, OnlyApprovedPacketsCarryHints) {
  const Step first = from_outside(request());
  Bytes forged = hinted(first.bytes, kBypassHint);
  forged[81] ^= 1;
  EXPECT_EQ(from_tunnel(forged).outcome.reason, kDropCookieMismatch);
  EXPECT_EQ(from_outside(request(kTcpAck)).outcome.verdict, kVerdictTarget);
}

}  // namespace
}  // namespace sluice::gateway
