// SPDX-License-Identifier: Apache-2.0
// Tunnels over IPv6, in both hosts: the bytes that appliances get, and what they may return.
#include <set>

#include "gateway/datapath/conformance_fixture.h"
#include "gateway/datapath/outer_ipv6_fixture.h"
#include "gateway/datapath/profiles_fixture.h"
#include "gateway/targets/tunnel_prober.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

constexpr size_t kPayloadLength = 18;  // of the outer IPv6 header
constexpr size_t kUdp = 54;
constexpr size_t kGeneve = 62;
constexpr size_t kInner = 102;  // in the profile aws
constexpr uint8_t kAll[] = {kProfileAws, kProfileGoogle, kProfilePlain};

class OuterIpv6 : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    if (!IsSkipped()) all_speak(kProfileAws);
  }
  void all_speak(uint8_t profile) {
    tables().attachments[0].endpoint_id = profile == kProfileAws ? kEndpoint : kSmallEndpoint;
    for (uint16_t i = 0; i < kAppliances; i++) move_to_ipv6(tables(), i, profile);
  }
  void expect_stack(const Bytes& in) { EXPECT_EQ(from_tunnel(in).outcome.verdict, kVerdictStack); }
};

INSTANTIATE_TEST_SUITE_P(In, OuterIpv6,
                         testing::Values(fixture::HostKind::kProcess, fixture::HostKind::kKernel),
                         host_name);

Bytes six(uint16_t port = 53, size_t length = 20) {
  return ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(5, port, Bytes(length, 1))));
}

// With `header` between the outer IPv6 and UDP headers; `next` says what it is.
Bytes with_extension(const Bytes& datagram, uint8_t next, const Bytes& header) {
  Bytes out = first(datagram, kUdp);
  append(out, header);
  out.insert(out.end(), datagram.begin() + kUdp, datagram.end());
  out[20] = next;
  store_be16(&out[kPayloadLength], static_cast<uint16_t>(out.size() - kUdp));
  return out;
}

Bytes with16(Bytes datagram, size_t at, size_t value) {
  store_be16(&datagram[at], static_cast<uint16_t>(value));
  return datagram;
}

uint32_t label_of(const Bytes& datagram) { return load_be32(&datagram[14]) & 0xfffff; }

TEST_P(OuterIpv6, TheHeaderIsTheseBytes) {
  const std::pair<Bytes, uint32_t> packets[] = {
      {request(), kOutside}, {reply(), kInside}, {six(), kOutside}};
  for (const auto& [in, interface_index] : packets) {
    const Step out = run(in, interface_index);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    const Bytes& got = out.bytes;
    const size_t length = in.size() - 14;
    const uint8_t type[2] = {in[12], in[13]};
    Bytes expected = {2, 9, 0, 0, 1, got[5], 2, 9, 0, 0, 0, 1, 0x86, 0xdd};
    append(expected, {0x60, static_cast<uint8_t>(got[15] & 15), got[16], got[17]});
    append16(expected, static_cast<uint16_t>(8 + 40 + length));
    append(expected, {17, 64});
    append(expected, {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    append(expected,
           {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(11 + got[5])});
    append(expected, {got[54], got[55], 0x17, 0xc1});
    append16(expected, static_cast<uint16_t>(8 + 40 + length));
    append(expected, {0, 0});
    append(expected, {8, 0, type[0], type[1], 0, 0, 0, 0});
    append(expected, {1, 8, 1, 2, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4});
    append(expected, {1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0});
    append(expected, {1, 8, 3, 1, got[98], got[99], got[100], got[101]});
    append(expected, ip_of(in));
    EXPECT_EQ(got, expected);
    EXPECT_GE(got[54], 0x80) << "the source port";
    EXPECT_NE(load_be32(&got[98]), 0u) << "the cookie";
  }
}

// RFC 6438: routers that know nothing of GENEVE spread flows by these.
TEST_P(OuterIpv6, LabelAndPortAreTheFlows) {
  const Bytes there = from_outside(request()).bytes, back = from_inside(reply()).bytes;
  EXPECT_EQ(label_of(there), label_of(back));
  EXPECT_EQ(load_be16(&there[kUdp]), load_be16(&back[kUdp]));
  std::set<uint32_t> labels;
  for (uint16_t port = 1; port <= 64; port++)
    labels.insert(label_of(from_outside(six(port)).bytes));
  EXPECT_GT(labels.size(), 60u);
}

TEST_P(OuterIpv6, WhatTheFlowsTargetReturnsIsDelivered) {
  for (const uint8_t profile : kAll) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    expect_delivered(request(), kOutside);
    expect_delivered(reply(), kInside);
    const Bytes in = ethernet(kEtherTypeIpv6, {kEtherTypeVlan}, ip_of(six(profile)));
    const Step out = from_outside(in);
    EXPECT_EQ(out.bytes.size(), in.size() - 18 + kGeneve + kGeneveProfiles[profile].header_length);
    expect_return(returned(out.bytes), kVerdictInside, in);
    // With any checksum, from any port, with any label, class and hop limit, and padded.
    Bytes odd = returned(out.bytes);
    store_be16(&odd[kUdp + 6], 0x1234);
    store_be16(&odd[kUdp], 6081);
    store_be32(&odd[14], 0x6ff12345);
    odd[21] = 255;
    odd.resize(odd.size() + 7);
    expect_return(odd, kVerdictInside, in);
  }
}

TEST_P(OuterIpv6, OnlyTheFlowsTargetReturnsIt) {
  for (const uint8_t profile : kAll) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const Bytes good = returned(from_outside(request()).bytes);
    for (uint8_t last = 11; last < 11 + kAppliances; last++) {
      Bytes other = good;
      other[37] = last;
      if (last != good[37]) expect_refused(other, kDropTargetMismatch);
    }
    for (size_t at = 22; at < 38; at++) {
      Bytes unknown = good;
      unknown[at] ^= 0x40;
      expect_refused(unknown, kDropSourceUnregistered);
    }
    expect_return(good, kVerdictInside, request());
  }
}

// Neither is who has an address that looks like a target's: ::ffff:10.9.0.12, fe80::b, ::, ::1,
// ff02::1, the gateway's own.
TEST_P(OuterIpv6, AddressesOfNoTargetAreRefused) {
  configure(tables());
  for (uint32_t i = 0; i < kApplianceRows; i++) tables().rows[i] = {0, kNone16, 0};
  const Bytes over_ipv4 = returned(from_outside(request()).bytes);
  move_to_ipv6(tables(), 0);
  const Bytes good = returned(from_outside(request()).bytes);
  ASSERT_EQ(load_be16(&good[12]), kEtherTypeIpv6);
  const Bytes others[] = {
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 12},
      {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
      {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
      {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
      {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
  };
  for (const Bytes& source : others) {
    Bytes other = good;
    std::copy(source.begin(), source.end(), other.begin() + 22);
    expect_refused(other, kDropSourceUnregistered);
  }
  // Nor its own former one, of the other version.
  expect_refused(over_ipv4, kDropSourceUnregistered);
  expect_return(good, kVerdictInside, request());
}

// One that is gone may not return any more.
TEST_P(OuterIpv6, GoneSourcesAreUnknown) {
  const Bytes good = returned(from_outside(request()).bytes);
  for (uint32_t i = 0; i < kSourcesMax; i++) tables().sources6[i].target = kNone16;
  expect_refused(good, kDropSourceUnregistered);
}

TEST_P(OuterIpv6, CookiesAndEndpointsAreVerified) {
  const Bytes good = returned(from_outside(request()).bytes);
  Bytes cookie = good;
  cookie[101] ^= 1;
  expect_refused(cookie, kDropCookieMismatch);
  Bytes endpoint = good;
  endpoint[74] ^= 1;
  expect_refused(endpoint, kDropEndpointMismatch);
  Bytes tuple = good;
  tuple[kInner + 15] ^= 1;
  expect_refused(tuple, kDropFlowUnknown);
}

TEST_P(OuterIpv6, LengthsMustAgree) {
  const Bytes good = returned(from_outside(request(kTcpSyn, Bytes(30, 7))).bytes);
  const size_t payload = good.size() - kUdp;
  expect_refused(with16(good, kPayloadLength, payload + 1), kDropOuterInvalid);
  expect_refused(with16(good, kPayloadLength, payload - 1), kDropOuterInvalid);
  expect_refused(with16(good, kPayloadLength, 0), kDropOuterInvalid);
  expect_refused(with16(good, kUdp + 4, payload + 1), kDropOuterInvalid);
  expect_refused(with16(good, kUdp + 4, 7), kDropOuterInvalid);
  expect_refused(with16(good, kUdp + 4, 47), kDropGeneveTruncated);
  expect_refused(with16(good, kUdp + 4, payload - 1), kDropInnerInvalid);
  // A frame that ends anywhere: nobody's, or dropped, and never delivered.
  for (size_t length = 14; length < good.size(); length++) {
    const Verdict verdict = from_tunnel(first(good, length)).outcome.verdict;
    EXPECT_EQ(verdict, length < kGeneve ? kVerdictStack : kVerdictDrop) << length;
  }
}

// Appliances send 0, as the gateway does, or what their kernel computes; and what does not fit is
// not looked at either.
TEST_P(OuterIpv6, TheUdpChecksumDoesNotMatter) {
  Bytes datagram = returned(from_outside(request()).bytes);
  ASSERT_EQ(load_be16(&datagram[kUdp + 6]), 0);
  expect_return(datagram, kVerdictInside, request());
  const uint8_t rest[4] = {datagram[kUdp + 4], datagram[kUdp + 5], 0, kProtocolUdp};
  const uint64_t pseudo = checksum_add(checksum_add(0, &datagram[22], 32), rest, 4);
  const auto length = static_cast<uint32_t>(datagram.size() - kUdp);
  store_u16(&datagram[kUdp + 6], checksum_fold(checksum_add(pseudo, &datagram[kUdp], length)));
  ASSERT_NE(load_be16(&datagram[kUdp + 6]), 0);
  expect_return(datagram, kVerdictInside, request());
  datagram[kUdp + 7] ^= 1;
  expect_return(datagram, kVerdictInside, request());
}

TEST_P(OuterIpv6, ProbesComeBack) {
  const auto returned_probe = [](uint64_t token, uint8_t from) {
    Ipv6 header;
    header.source = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, from};
    header.destination = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    const Bytes probe = make_tunnel_probe({.endpoint_id = kEndpoint}, token);
    return ethernet(kEtherTypeIpv6, {}, ipv6(kProtocolUdp, udp(40000, kGenevePort, probe), header));
  };
  tables().tunnel_probes[2].expected = 77;
  EXPECT_EQ(from_tunnel(returned_probe(77, 13)).outcome.verdict, kVerdictProbe);
  EXPECT_EQ(tables().tunnel_probes[2].returned, 77u);
  expect_refused(returned_probe(78, 13), kDropProbeStale);
  expect_refused(returned_probe(77, 12), kDropProbeStale);
  expect_refused(returned_probe(77, 99), kDropSourceUnregistered);
}

// No place in the table of flows: records of others that are alive.
TEST_P(OuterIpv6, FlowsWithoutARecord) {
  fill_flows(tables(), now_ms());
  for (const uint8_t profile : kAll) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    expect_delivered(six(profile), kOutside);
    Bytes other = returned(from_outside(six(profile)).bytes);
    other[37] = other[37] == 11 ? 12 : 11;
    expect_refused(other, kDropTargetMismatch);
  }
  EXPECT_EQ(events(kEventUnrecordedSent), 6u);
  EXPECT_EQ(events(kEventUnrecordedReturned), 3u);
}

// Neighbour discovery, health checks and whatever else is the gateway's own.
TEST_P(OuterIpv6, WhatIsNoDatagramForTheGatewayIsLeftToTheKernel) {
  const Bytes good = returned(from_outside(request()).bytes);
  const auto changed = [&](size_t at, uint8_t value) {
    Bytes out = good;
    out[at] = value;
    return out;
  };
  expect_stack(changed(20, kProtocolTcp));
  expect_stack(changed(20, kProtocolIcmpv6));
  expect_stack(changed(20, 59));
  expect_stack(changed(14, 0x40));
  for (size_t at = 38; at < kUdp; at++) expect_stack(changed(at, good[at] ^ 1));
  expect_stack(with16(good, kUdp + 2, 6082));
}

TEST_P(OuterIpv6, ExtensionHeadersOutsideAreRefused) {
  const Bytes good = returned(from_outside(request()).bytes);
  const Bytes options = {17, 0, 1, 4, 0, 0, 0, 0};
  for (const uint8_t next : {0, 60, 43}) {
    SCOPED_TRACE(int{next});
    expect_refused(with_extension(good, next, options), kDropOuterInvalid);
  }
  Bytes two = {60, 0, 1, 4, 0, 0, 0, 0};
  append(two, options);
  expect_refused(with_extension(good, 0, two), kDropOuterInvalid);
  const auto fragment = [](uint16_t offset_and_flag) {
    Bytes out = {17, 0};
    append16(out, offset_and_flag);
    append(out, {1, 2, 3, 4});
    return out;
  };
  expect_refused(with_extension(good, 44, fragment(1)), kDropOuterInvalid);
  expect_refused(with_extension(good, 44, fragment(0)), kDropOuterInvalid);
  // What does not show the port, or another one, is the kernel's.
  expect_stack(with_extension(good, 44, fragment(8)));
  expect_stack(with_extension(with16(good, kUdp + 2, 6082), 0, options));
  Bytes tcp_behind = options;
  tcp_behind[0] = kProtocolTcp;
  expect_stack(with_extension(good, 60, tcp_behind));
  Bytes many;
  for (int i = 0; i < kExtensionHeadersMax + 1; i++) append(many, {60, 0, 1, 4, 0, 0, 0, 0});
  expect_refused(with_extension(good, 60, many), kDropOuterInvalid);
  Bytes longer = options;
  longer[1] = 255;
  expect_refused(with_extension(good, 60, longer), kDropOuterInvalid);
  expect_return(good, kVerdictInside, request());
}

TEST_P(OuterIpv6, SendersAreToldWhatFits) {
  constexpr size_t kOverheads[] = {88, 88, 56};
  for (const uint8_t profile : kAll) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const size_t fits = kMtu - kOverheads[profile];
    const auto four = [](size_t length) {
      return ethernet(kEtherTypeIpv4, {},
                      ipv4(kProtocolUdp, udp(7, 53, Bytes(length - 28, 1)), {.fragment = 0x4000}));
    };
    const Step out = from_outside(four(fits));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(out.bytes.size(), size_t{14 + kMtu});
    EXPECT_EQ(load_be16(&out.bytes[kPayloadLength]), kMtu - 40);
    const Step told = from_outside(four(fits + 1));
    ASSERT_EQ(told.outcome.verdict, kVerdictAnswered);
    EXPECT_EQ(load_be16(&told.bytes[14 + 20 + 6]), fits);
    EXPECT_EQ(from_outside(six(54, fits - 48)).outcome.verdict, kVerdictTarget);
    const Step six_told = from_outside(six(54, fits - 47));
    ASSERT_EQ(six_told.outcome.verdict, kVerdictAnswered);
    EXPECT_EQ(load_be32(&six_told.bytes[14 + 40 + 4]), fits);
  }
}

// Hop 1 over IPv6, hop 2 over IPv4, and back.
TEST_P(OuterIpv6, AChainOverBoth) {
  configure(tables());
  move_to_ipv6(tables(), 0);
  for (uint16_t group = 0; group < 2; group++)
    for (uint32_t i = 0; i < kApplianceRows; i++)
      tables().rows[first_row(group) + i] = {group, kNone16, 0};
  policy_rule& r = tables().policy_rules[1];
  r.in_use = 1;
  r.hops = 2;
  for (uint16_t i = 0; i < 2; i++) r.hop[i] = {{0xffffffff}, {i}, 1};
  policy_entry& e = tables().policy_entries[0];
  e.attachments[0] = 1;
  e.port_last = 0xffff;
  e.protocol = kPolicyAnyProtocol;
  e.rule = 1;
  e.share = 0xffffffff;
  tables().settings[0].policy = 1;
  tables().attachments[0].flags |= kAttachmentPolicy;

  const Step one = from_outside(request());
  ASSERT_EQ(one.outcome.verdict, kVerdictTarget) << drop_reason_name(one.outcome.reason);
  EXPECT_EQ(one.bytes.size(), request().size() + 88);
  const Step two = from_tunnel(returned(one.bytes));
  ASSERT_EQ(two.outcome.verdict, kVerdictTarget) << drop_reason_name(two.outcome.reason);
  EXPECT_EQ(two.bytes.size(), request().size() + 68);
  expect_return(returned(two.bytes), kVerdictInside, request());
  const Step back = from_inside(reply());
  EXPECT_EQ(back.bytes.size(), reply().size() + 68);
  const Step last = from_tunnel(returned(back.bytes));
  EXPECT_EQ(last.bytes.size(), reply().size() + 88);
  expect_return(returned(last.bytes), kVerdictOutside, reply());
}

TEST_P(OuterIpv6, HintsAreFollowed) {
  const Bytes in = six(77);
  expect_return(hinted(from_outside(in).bytes, kBypassHint), kVerdictInside, in);
  EXPECT_EQ(from_outside(in).outcome.verdict, kVerdictInside) << "uninspected";
}

TEST_P(OuterIpv6, FragmentsFollowTheirFlow) {
  const Bytes whole = udp(7000, 53, Bytes(40, 3));
  const Bytes head(whole.begin(), whole.begin() + 24), tail(whole.begin() + 24, whole.end());
  expect_delivered(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, head, {.fragment = 0x2000})),
                   kOutside);
  expect_delivered(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, tail, {.fragment = 3})),
                   kOutside);
}

}  // namespace
}  // namespace sluice::gateway
