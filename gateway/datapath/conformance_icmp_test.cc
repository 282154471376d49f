// SPDX-License-Identifier: Apache-2.0
// The conformance list, row 4: ICMP errors about flows of NLB listeners. Their quotes are taken
// from packets that are built whole for either end, so whatever is changed is compared, checksums
// included, with what was never translated.
#include "gateway/datapath/conformance_fixture.h"
#include "gateway/nlb/cases_for_test.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

struct Kind {
  const char* name;
  uint8_t type, code;
  uint32_t rest;  // of the ICMP header
};
constexpr Kind kKinds4[] = {{"port unreachable", 3, 3, 0},
                            {"fragmentation needed", 3, 4, 1280},
                            {"time exceeded", 11, 0, 0},
                            {"parameter problem", 12, 0, 0x01000000}};
constexpr Kind kKinds6[] = {{"port unreachable", 1, 4, 0},
                            {"packet too big", 2, 0, 1280},
                            {"time exceeded", 3, 0, 0},
                            {"parameter problem", 4, 1, 6}};

bool is_four(const Bytes& ip) { return ip[0] >> 4 == 4; }
Bytes slice(const Bytes& from, size_t at, size_t length) {
  return first({from.begin() + static_cast<ptrdiff_t>(at), from.end()}, length);
}
Bytes source_of(const Bytes& ip) { return is_four(ip) ? slice(ip, 12, 4) : slice(ip, 8, 16); }
Bytes destination_of(const Bytes& ip) { return is_four(ip) ? slice(ip, 16, 4) : slice(ip, 24, 16); }

// Computes the checksums of a bare ICMP packet.
Bytes summed(Bytes ip) {
  const size_t icmp = is_four(ip) ? (ip[0] & 15) * 4u : 40;
  const auto length =
      static_cast<uint32_t>(load_be16(&ip[is_four(ip) ? 2 : 4]) - (is_four(ip) ? icmp : 0));
  uint64_t sum = 0;
  if (is_four(ip)) {
    store_u16(&ip[10], 0);
    store_u16(&ip[10], checksum_fold(checksum_add(0, ip.data(), static_cast<uint32_t>(icmp))));
  } else {
    sum = checksum_add(0, &ip[8], 32) + swap_be16(static_cast<uint16_t>(length)) +
          swap_be16(kProtocolIcmpv6);
  }
  store_u16(&ip[icmp + 2], 0);
  store_u16(&ip[icmp + 2], checksum_fold(checksum_add(sum, &ip[icmp], length)));
  return ip;
}

// A bare ICMP error.
Bytes error_about(const Bytes& quote, const Kind& kind, const Bytes& source,
                  const Bytes& destination) {
  Bytes message = icmp(kind.type, kind.code, quote);
  store_be32(&message[4], kind.rest);
  return summed(
      is_four(quote)
          ? ipv4(kProtocolIcmp, message, {.source = source, .destination = destination})
          : ipv6(kProtocolIcmpv6, message, {.source = source, .destination = destination}));
}

Bytes framed(const Bytes& ip) {
  return ethernet(is_four(ip) ? kEtherTypeIpv4 : kEtherTypeIpv6, {}, ip);
}

class NlbErrors : public Conformance {
 protected:
  // The flow that the errors are about.
  void open(const NlbCase& c) {
    const Step there = from_outside(c.to_listener);
    ASSERT_EQ(there.outcome.verdict, kVerdictTarget);
    target_ = appliance(there);
    ASSERT_EQ(from_tunnel(returned(there.bytes)).outcome.verdict, kVerdictInside);
    const Step back = from_inside(c.from_target);
    ASSERT_EQ(from_tunnel(returned(back.bytes)).outcome.verdict, kVerdictOutside);
  }
  // From the client's side to the target, by the flow's appliance, which sees what came in.
  void expect_reaches_target(const Bytes& error, const Bytes& expected) {
    const Step out = from_outside(framed(error));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    EXPECT_EQ(appliance(out), target_);
    EXPECT_EQ(inner_of(out.bytes), error);
    const Step delivered = from_tunnel(returned(out.bytes));
    EXPECT_EQ(delivered.outcome.verdict, kVerdictInside)
        << drop_reason_name(delivered.outcome.reason);
    EXPECT_EQ(ip_of(delivered.bytes), expected);
    if (is_four(error)) {
      EXPECT_EQ(delivered.bytes[5], 0x21) << "to the target's MAC";
    }
  }
  // From the target's side to the client, by the flow's appliance, which sees the listener.
  void expect_reaches_client(const Bytes& error, const Bytes& expected) {
    const Step out = from_inside(framed(error));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    EXPECT_EQ(appliance(out), target_);
    EXPECT_EQ(inner_of(out.bytes), expected);
    const Step delivered = from_tunnel(returned(out.bytes));
    EXPECT_EQ(delivered.outcome.verdict, kVerdictOutside)
        << drop_reason_name(delivered.outcome.reason);
    EXPECT_EQ(ip_of(delivered.bytes), expected);
  }
  void expect_untranslatable(const Bytes& error) {
    const Step out = from_outside(framed(error));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    expect_refused(returned(out.bytes), kDropNlbTranslation);
  }

  int target_ = 0;
};

INSTANTIATE_TEST_SUITE_P(In, NlbErrors, testing::Values(HostKind::kProcess, HostKind::kKernel),
                         host_name);

const Bytes kRouter4 = {192, 0, 2, 7};
const Bytes kRouter6 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};

TEST_P(NlbErrors, Row4ErrorsAboutAListenersFlowReachItsTarget) {
  for (const NlbCase& c : nlb_cases()) {
    open(c);
    const Bytes seen = ip_of(c.from_listener), sent = ip_of(c.from_target);
    for (const Kind& kind : is_four(seen) ? kKinds4 : kKinds6)
      for (const Bytes& speaker : {destination_of(seen), is_four(seen) ? kRouter4 : kRouter6}) {
        SCOPED_TRACE(std::string(c.name) + ": " + kind.name);
        expect_reaches_target(error_about(seen, kind, speaker, source_of(seen)),
                              error_about(sent, kind, speaker, source_of(sent)));
      }
  }
}

TEST_P(NlbErrors, Row4ErrorsAboutAListenersFlowReachItsClient) {
  for (const NlbCase& c : nlb_cases()) {
    open(c);
    const Bytes seen = ip_of(c.to_target), sent = ip_of(c.to_listener);
    const Bytes router = is_four(seen) ? kRouter4 : kRouter6;
    for (const Kind& kind : is_four(seen) ? kKinds4 : kKinds6) {
      SCOPED_TRACE(std::string(c.name) + ": " + kind.name);
      expect_reaches_client(error_about(seen, kind, router, source_of(seen)),
                            error_about(sent, kind, router, source_of(sent)));
      expect_reaches_client(error_about(seen, kind, destination_of(seen), source_of(seen)),
                            error_about(sent, kind, destination_of(sent), source_of(sent)));
    }
  }
}

TEST_P(NlbErrors, Row4AListenersQuotesMayBeCutAnywhere) {
  for (const NlbCase& c : nlb_cases()) {
    open(c);
    const Bytes seen = ip_of(c.from_listener), sent = ip_of(c.from_target);
    const Kind& kind = is_four(seen) ? kKinds4[1] : kKinds6[1];
    for (size_t length = (is_four(seen) ? 20 : 40) + 8; length <= seen.size(); length++) {
      SCOPED_TRACE(std::string(c.name) + ", quoted " + std::to_string(length));
      expect_reaches_target(
          error_about(first(seen, length), kind, destination_of(seen), source_of(seen)),
          error_about(first(sent, length), kind, destination_of(sent), source_of(sent)));
    }
  }
}

// An appliance may return less of an error than it got, and say so in its length only.
TEST_P(NlbErrors, Row4WhatIsCutOffAListenersErrorIsNotThere) {
  const NlbCase c = nlb_cases()[0];
  open(c);
  const auto cut = [](Bytes error) {
    store_be16(&error[2], 20 + 8 + 28);
    return summed(error);
  };
  const Bytes seen = ip_of(c.from_listener), sent = ip_of(c.from_target);
  const Bytes error = error_about(seen, kKinds4[1], kRouter4, source_of(seen));
  const Step out = from_outside(framed(error));
  const Bytes returned_cut = returned(with_inner(out.bytes, cut(error)));
  const Bytes expected = first(cut(error_about(sent, kKinds4[1], kRouter4, source_of(sent))), 56);
  const Step delivered = from_tunnel(returned_cut);
  EXPECT_EQ(delivered.outcome.verdict, kVerdictInside);
  EXPECT_EQ(ip_of(delivered.bytes), expected);
}

TEST_P(NlbErrors, Row4AListenersQuotesKeepAnAbsentUdpChecksum) {
  NlbCase c = nlb_cases()[1];
  open(c);
  Bytes seen = ip_of(c.from_listener), sent = ip_of(c.from_target);
  store_u16(&seen[26], 0);
  store_u16(&sent[26], 0);
  expect_reaches_target(error_about(seen, kKinds4[0], destination_of(seen), source_of(seen)),
                        error_about(sent, kKinds4[0], destination_of(sent), source_of(sent)));
}

TEST_P(NlbErrors, Row4LyingErrorsAboutAListenersFlowAreDroppedByName) {
  for (const NlbCase& c : nlb_cases()) {
    SCOPED_TRACE(c.name);
    open(c);
    const Bytes seen = ip_of(c.from_listener);
    const Kind& kind = is_four(seen) ? kKinds4[1] : kKinds6[1];
    // It is not for whom it says has sent the quoted packet.
    expect_untranslatable(
        error_about(seen, kind, destination_of(seen), is_four(seen) ? kRouter4 : kRouter6));
    // It names another router for an address that its receiver does not know.
    if (is_four(seen))
      expect_untranslatable(
          error_about(seen, {"redirect", 5, 1, 0x0a000001}, kRouter4, source_of(seen)));
    // The quoted packet ends inside its own headers.
    const size_t headers = load_be16(&seen[is_four(seen) ? 2 : 4]) -
                           (std::string_view(c.name).starts_with("udp") ? 5 : 0);
    for (const size_t length : {headers - 1, size_t{0}}) {
      Bytes quote = seen;
      store_be16(&quote[is_four(seen) ? 2 : 4], static_cast<uint16_t>(length));
      expect_untranslatable(error_about(quote, kind, destination_of(seen), source_of(seen)));
    }
    // The error itself says that it is longer than what came.
    Bytes longer = error_about(seen, kind, destination_of(seen), source_of(seen));
    uint8_t* length = &longer[is_four(seen) ? 2 : 4];
    store_be16(length, static_cast<uint16_t>(load_be16(length) + 1));
    const Step step = from_outside(framed(longer));
    EXPECT_EQ(step.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(step.outcome.reason, kDropFrameTruncated);
  }
}

// From the client's side, but about what only the target's side has seen.
TEST_P(NlbErrors, Row4ErrorsFromTheWrongSideOfAListenerAreDroppedByName) {
  const NlbCase c = nlb_cases()[0];
  open(c);
  for (const Bytes& sent : {ip_of(c.from_target), ip_of(c.to_target)}) {
    const Step step =
        from_outside(framed(error_about(sent, kKinds4[1], destination_of(sent), source_of(sent))));
    EXPECT_EQ(step.outcome.verdict, kVerdictDrop);
    EXPECT_EQ(step.outcome.reason, kDropNlbTupleConflict);
  }
}

TEST_P(NlbErrors, Row4ErrorsAboutARemovedListenerAreDroppedByName) {
  const NlbCase c = nlb_cases()[0];
  open(c);
  const Bytes seen = ip_of(c.from_listener);
  const Step out =
      from_outside(framed(error_about(seen, kKinds4[1], destination_of(seen), source_of(seen))));
  for (uint32_t i = 0; i < kListenersMax; i++) tables().listeners[i].in_use = 0;
  expect_refused(returned(out.bytes), kDropNlbTranslation);
}

// Another gateway may have had the flow until now: its target is the same.
TEST_P(NlbErrors, Row4AnErrorBeforeItsListenersFlowDoesNotKeepThatFromItsTarget) {
  const NlbCase c = nlb_cases()[0];
  const Bytes seen = ip_of(c.from_listener), sent = ip_of(c.from_target);
  const Step first_seen =
      from_outside(framed(error_about(seen, kKinds4[1], destination_of(seen), source_of(seen))));
  target_ = appliance(first_seen);
  expect_reaches_target(error_about(seen, kKinds4[1], destination_of(seen), source_of(seen)),
                        error_about(sent, kKinds4[1], destination_of(sent), source_of(sent)));
  const Step there = from_outside(c.to_listener);
  EXPECT_EQ(appliance(there), target_);
  const Step delivered = from_tunnel(returned(there.bytes));
  EXPECT_EQ(delivered.outcome.verdict, kVerdictInside);
  EXPECT_EQ(ip_of(delivered.bytes), ip_of(c.to_target));
}

}  // namespace
}  // namespace sluice::gateway
