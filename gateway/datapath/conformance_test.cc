// SPDX-License-Identifier: Apache-2.0
// The conformance list, rows 1 to 8: bytes, returns, stickiness, sizes. docs/conformance.md says
// what the rows are.
#include <algorithm>
#include <set>

#include "gateway/datapath/conformance_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

INSTANTIATE_TEST_SUITE_P(In, Conformance, testing::Values(HostKind::kProcess, HostKind::kKernel),
                         host_name);

Bytes udp_there(uint16_t port_number, const Bytes& payload = {}) {
  return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port_number, 53, payload)));
}
Bytes udp_back(uint16_t port_number, const Bytes& payload = {}) {
  return turned(ethernet(kEtherTypeIpv4, {},
                         ipv4(kProtocolUdp, udp(53, port_number, payload),
                              {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}})));
}

TEST_P(Conformance, Row1TheHeaderIsTheseBytes) {
  const Bytes six = ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(5, 53)));
  for (const Bytes& in : {request(), six}) {
    const Step out = from_outside(in);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    const bool four = in[12] == 8;
    const auto inner_length = static_cast<uint16_t>(in.size() - 14);
    Bytes expected = {2, 9, 0, 0, 1, out.bytes[5], 2, 9, 0, 0, 0, 1, 8, 0, 0x45, 0};
    append16(expected, inner_length + 68);
    append(expected, {0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, out.bytes[33]});
    store_u16(&expected[24], checksum_fold(checksum_add(0, &expected[14], 20)));
    append(expected, {out.bytes[34], out.bytes[35], 0x17, 0xc1});
    append16(expected, inner_length + 48);
    append(expected, {0, 0, 8, 0, static_cast<uint8_t>(four ? 8 : 0x86),
                      static_cast<uint8_t>(four ? 0 : 0xdd), 0, 0, 0, 0});
    append(expected, {1, 8, 1, 2, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4});
    append(expected, {1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 3, 1});
    append(expected, Bytes(out.bytes.begin() + 78, out.bytes.begin() + 82));
    append(expected, ip_of(in));
    EXPECT_EQ(out.bytes, expected);
    EXPECT_EQ(out.bytes[5] + 11, out.bytes[33]) << "MAC and address are of one target";
  }
}

TEST_P(Conformance, Row1TheSourcePortIsTheFlowsOwn) {
  std::set<uint16_t> ports;
  for (uint16_t n = 1000; n < 1100; n++) {
    const Step there = from_outside(udp_there(n));
    const Step back = from_inside(udp_back(n, Bytes(30, 1)));
    ASSERT_EQ(load_be16(&there.bytes[34]), load_be16(&back.bytes[34]));
    ASSERT_NE(load_be16(&there.bytes[34]), 6081);
    ports.insert(load_be16(&there.bytes[34]));
  }
  EXPECT_GT(ports.size(), 90u);
}

TEST_P(Conformance, Row2SourcePortChecksumAndTtlDoNotMatter) {
  const Bytes good = returned(from_outside(request()).bytes);
  for (const uint8_t ttl : {1, 2, 255})
    for (const uint16_t port_number : {0, 1, 6081, 65535})
      for (const uint16_t checksum : {0, 1, 0xffff}) {
        Bytes datagram = good;
        datagram[22] = ttl;
        store_be16(&datagram[34], port_number);
        store_be16(&datagram[40], checksum);
        datagram[15] = 0xb8;  // DSCP
        expect_return(datagram, kVerdictInside, request());
      }
}

TEST_P(Conformance, Row2OnlyRegisteredTargetsReturnAndOnlyToTheTunnel) {
  const Bytes good = returned(from_outside(request()).bytes);
  Bytes stranger = good, other_port = good, other_address = good;
  stranger[29] = 200;
  expect_refused(stranger, kDropSourceUnregistered);
  other_port[37] ^= 1;
  other_address[33] ^= 1;
  for (const Bytes& in : {other_port, other_address, ethernet(0x0806, {}, Bytes(46, 1))}) {
    const Step left = from_tunnel(in);
    EXPECT_EQ(left.outcome.verdict, kVerdictStack);
    EXPECT_EQ(left.bytes, in);
  }
}

TEST_P(Conformance, Row3OptionsComeInAnyOrderWithOthersBetween) {
  const Bytes good = returned(from_outside(request()).bytes);
  const Bytes endpoint(good.begin() + 50, good.begin() + 62);
  const Bytes attachment_id(good.begin() + 62, good.begin() + 74);
  const Bytes cookie(good.begin() + 74, good.begin() + 82);
  const Bytes unknown = {0x01, 0x08, 0x04, 0x01, 1, 2, 3, 4};
  const Bytes foreign = {0x01, 0x32, 0x01, 0x00};
  const auto joined = [](const std::vector<Bytes>& parts) {
    Bytes out;
    for (const Bytes& part : parts) append(out, part);
    return out;
  };
  for (const auto& options :
       {joined({cookie, attachment_id, endpoint}), joined({attachment_id, endpoint, cookie}),
        joined({unknown, endpoint, attachment_id, cookie}),
        joined({endpoint, foreign, attachment_id, unknown, cookie, foreign})})
    expect_return(with_options(good, options), kVerdictInside, request());
  Bytes critical = unknown;
  critical[2] |= 0x80;
  expect_refused(with_options(good, joined({endpoint, attachment_id, cookie, critical})),
                 kDropGeneveCriticalOption);
  expect_refused(with_options(good, joined({endpoint, attachment_id})), kDropGeneveOptionMissing);
}

TEST_P(Conformance, Row3WhatIsNotTheFlowsOwnIsDroppedByName) {
  const Bytes good = returned(from_outside(request()).bytes);
  const auto changed = [&](size_t at, uint8_t mask) {
    Bytes out = good;
    out[at] ^= mask;
    return out;
  };
  Bytes other_target = good;
  other_target[29] = static_cast<uint8_t>(11 + (good[29] - 11 + 1) % kAppliances);
  expect_refused(changed(81, 1), kDropCookieMismatch);
  expect_refused(changed(78, 0x80), kDropCookieMismatch);
  expect_refused(other_target, kDropTargetMismatch);
  expect_refused(changed(61, 1), kDropEndpointMismatch);
  expect_refused(changed(73, 1), kDropEndpointMismatch);
  expect_refused(changed(kTargetHeaderLength + 21, 1), kDropFlowUnknown);
  expect_refused(changed(43, 0x80), kDropGeneveControl);
  expect_refused(changed(42, 0x40), kDropGeneveVersion);
  EXPECT_EQ(drops(kDropCookieMismatch), 2u);
  EXPECT_EQ(drops(kDropEndpointMismatch), 2u);
  expect_return(good, kVerdictInside, request());
}

TEST_P(Conformance, Row4BothDirectionsAndIcmpErrorsGoToOneTarget) {
  for (uint16_t n = 1000; n < 1020; n++) {
    const Step there = from_outside(udp_there(n));
    const Step back = from_inside(udp_back(n));
    const Bytes error =
        turned(ethernet(kEtherTypeIpv4, {},
                        ipv4(kProtocolIcmp, icmp(3, 1, first(ip_of(udp_there(n)), 28)),
                             {.source = {10, 0, 9, 9}, .destination = {10, 0, 0, 1}})));
    const Step about = from_inside(error);
    for (const Step& step : {back, about}) {
      ASSERT_EQ(step.outcome.verdict, kVerdictTarget);
      EXPECT_EQ(appliance(step), appliance(there));
      EXPECT_EQ(cookie_of(step.bytes), cookie_of(there.bytes));
    }
    expect_return(returned(about.bytes), kVerdictOutside, error);
    // One that the appliance itself has made.
    expect_return(returned(with_inner(there.bytes, ip_of(error))), kVerdictOutside, error);
  }
}

TEST_P(Conformance, Row4AllFragmentsGoToTheirFlowsTargetInAnyOrder) {
  const auto fragment = [](const Bytes& payload, uint16_t field, uint16_t id) {
    Bytes out = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, payload, {.fragment = field}));
    store_be16(&out[18], id);
    return out;
  };
  const Step whole = from_outside(udp_there(1000));
  std::vector<int> order = {0, 1, 2};
  uint16_t id = 1;
  do {
    const Bytes pieces[] = {fragment(udp(1000, 53, Bytes(24, 1)), 0x2000, id),
                            fragment(Bytes(32, 2), 0x2004, id), fragment(Bytes(9, 3), 8, id)};
    id++;
    std::vector<Step> sent;
    for (const int n : order)
      for (const Step& step : all_of(pieces[n], kOutside)) sent.push_back(step);
    ASSERT_EQ(sent.size(), 3u);
    for (const Step& step : sent) {
      ASSERT_EQ(step.outcome.verdict, kVerdictTarget) << drop_reason_name(step.outcome.reason);
      EXPECT_EQ(cookie_of(step.bytes), cookie_of(whole.bytes));
      EXPECT_EQ(from_tunnel(returned(step.bytes)).outcome.verdict, kVerdictInside);
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(Conformance, Row4RetransmitsStayUnlessFlowsAreRebalanced) {
  const Step before = from_outside(request(kTcpAck, {1, 2, 3}));
  from_inside(reply(kTcpAck));
  const auto next = static_cast<uint16_t>((appliance(before) + 1) % kAppliances);
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i].target = next;
  EXPECT_EQ(from_outside(request(kTcpAck, {1, 2, 3})).bytes, before.bytes);
  tables().targets[appliance(before)].flags |= kTargetMoves;
  const Step after = from_outside(request(kTcpAck, {1, 2, 3}));
  EXPECT_EQ(appliance(after), next);
  EXPECT_NE(cookie_of(after.bytes), cookie_of(before.bytes));
  EXPECT_EQ(appliance(from_inside(reply(kTcpAck))), next) << "both directions together";
}

TEST_P(Conformance, Row5ATupleUsedAgainHasANewCookieAndTheOldOneEnds) {
  const Step first_use = from_outside(request());
  expect_return(returned(first_use.bytes), kVerdictInside, request());
  expect_delivered(reply(kTcpRst), kInside);
  const Step second_use = from_outside(request());
  EXPECT_NE(cookie_of(second_use.bytes), cookie_of(first_use.bytes));
  // For 10 s what is on its way is taken under the former cookie, never one before that.
  expect_return(returned(first_use.bytes), kVerdictInside, request());
  EXPECT_EQ(events(kEventFormerCookie), 1u);
  pass_seconds(11);
  expect_refused(returned(first_use.bytes), kDropCookieExpired);
  expect_return(returned(second_use.bytes), kVerdictInside, request());
  expect_delivered(reply(kTcpRst), kInside);
  const Step third_use = from_outside(request());
  expect_refused(returned(first_use.bytes), kDropCookieMismatch);
  expect_return(returned(third_use.bytes), kVerdictInside, request());
  EXPECT_EQ(events(kEventFlowCreated), 3u);
}

TEST_P(Conformance, Row5AnExpiredTupleMayHaveANewTarget) {
  const Step first_use = from_outside(request());
  from_inside(reply());
  const auto next = static_cast<uint16_t>((appliance(first_use) + 1) % kAppliances);
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i].target = next;
  pass_seconds(360);
  const Step second_use = from_outside(request());
  EXPECT_EQ(appliance(second_use), next);
  EXPECT_NE(cookie_of(second_use.bytes), cookie_of(first_use.bytes));
}

TEST_P(Conformance, Row6WhatAnApplianceInjectsGoesToWhomItIsAddressed) {
  const Step there = from_outside(request(kTcpAck));
  // To the client, before anything has come from the server; then to the server.
  expect_return(returned(with_inner(there.bytes, ip_of(reply(kTcpRst)))), kVerdictOutside,
                reply(kTcpRst));
  const Step back = from_inside(reply(kTcpAck));
  expect_return(returned(with_inner(back.bytes, ip_of(request(kTcpRst)))), kVerdictInside,
                request(kTcpRst));
  expect_return(returned(with_inner(there.bytes, ip_of(reply(kTcpAck, Bytes(500, 'x'))))),
                kVerdictOutside, reply(kTcpAck, Bytes(500, 'x')));
}

TEST_P(Conformance, Row7AChangedPacketIsDeliveredAsItIs) {
  const Step out = from_outside(request(kTcpAck, Bytes(100, 'a')));
  const auto changed = [&](auto change) {
    Bytes frame_bytes = request(kTcpAck, Bytes(100, 'a'));
    change(frame_bytes);
    return frame_bytes;
  };
  for (const Bytes& wanted :
       {changed([](Bytes& f) { f[22]--; }), changed([](Bytes& f) { f.back() = 'X'; }),
        changed([](Bytes& f) { store_be16(&f[50], 0xbeef); }), request(kTcpAck, Bytes(90, 'a')),
        request(kTcpAck, Bytes(130, 'b'))})
    expect_return(returned(with_inner(out.bytes, ip_of(wanted))), kVerdictInside, wanted);
}

TEST_P(Conformance, Row8AnInnerPacketOf1500FitsAWayOf1568) {
  for (int i = 0; i < kAppliances; i++) tables().targets[i].mtu = 1500;
  const auto four = [](size_t length) {
    return ethernet(
        kEtherTypeIpv4, {},
        ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(length - 40, 1)), {.fragment = 0x4000}));
  };
  const auto six = [](size_t length) {
    return ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(5, 53, Bytes(length - 48, 1))));
  };
  expect_delivered(four(1500), kOutside);
  expect_delivered(six(1500), kOutside);
  const Step told = from_outside(four(1501));
  EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(told.outcome.reason, kDropTooBig);
  EXPECT_EQ(load_be16(&told.bytes[34]), 0x0304);  // unreachable, fragmentation needed
  EXPECT_EQ(load_be16(&told.bytes[40]), 1500);
  const Step told6 = from_outside(six(1501));
  EXPECT_EQ(told6.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(load_be16(&told6.bytes[54]), 0x0200);  // packet too big
  EXPECT_EQ(load_be32(&told6.bytes[58]), 1500u);
}

TEST_P(Conformance, Row8AnInnerPacketOf8500FitsAWayOf8568) {
  if (GetParam() == HostKind::kKernel)
    GTEST_SKIP() << "XDP gives the kernel host frames of up to a page";
  for (int i = 0; i < kAppliances; i++) tables().targets[i].mtu = 8500;
  const auto sized = [](size_t length) {
    return ethernet(
        kEtherTypeIpv4, {},
        ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(length - 40, 1)), {.fragment = 0x4000}));
  };
  expect_delivered(sized(8500), kOutside);
  const Step told = from_outside(sized(8501));
  EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
  EXPECT_EQ(load_be16(&told.bytes[40]), 8500);
}

}  // namespace
}  // namespace sluice::gateway
