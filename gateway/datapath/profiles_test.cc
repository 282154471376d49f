// SPDX-License-Identifier: Apache-2.0
// Encapsulation profiles, in both hosts: the bytes that appliances get, and what they may return.
#include "gateway/datapath/profiles_fixture.h"

#include "gateway/datapath/conformance_fixture.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT

class Profiles : public Conformance {
 protected:
  void all_speak(uint8_t profile) {
    if (IsSkipped()) return;
    tables().attachments[0].endpoint_id = kSmallEndpoint;
    for (uint16_t i = 0; i < kAppliances; i++) speak(tables(), i, profile);
  }
  void rows_to(uint16_t group, uint16_t target) {
    for (uint32_t i = 0; i < kApplianceRows; i++)
      tables().rows[first_row(group) + i] = {target, kNone16, 0};
  }
};

INSTANTIATE_TEST_SUITE_P(In, Profiles, testing::Values(HostKind::kProcess, HostKind::kKernel),
                         host_name);

Bytes six_there() {
  return ethernet(kEtherTypeIpv6, {kEtherTypeVlan}, ipv6(kProtocolUdp, udp(5, 53, Bytes(20, 1))));
}

Bytes with_right_sum(Bytes datagram) {
  store_u16(&datagram[kOuterIpChecksum], 0);
  store_u16(&datagram[kOuterIpChecksum], checksum_fold(checksum_add(0, &datagram[kOuterIp], 20)));
  return datagram;
}

// With other options in front of the inner packet, which begins at `inner`.
Bytes with_header(const Bytes& datagram, size_t inner, const Bytes& options) {
  Bytes out = first(datagram, kOuterGeneve + 8);
  append(out, options);
  out.insert(out.end(), datagram.begin() + static_cast<ptrdiff_t>(inner), datagram.end());
  out[kOuterGeneve] = static_cast<uint8_t>(options.size() / 4);
  store_be16(&out[kOuterIpLength], static_cast<uint16_t>(out.size() - kOuterIp));
  store_be16(&out[kOuterUdpLength], static_cast<uint16_t>(out.size() - kOuterUdp));
  return with_right_sum(out);
}

// The same datagram from another address.
Bytes from_address(Bytes datagram, uint8_t last) {
  datagram[29] = last;
  return with_right_sum(datagram);
}

// Ethernet to GENEVE of a packet of `length` bytes: `geneve` is the last of them.
Bytes expected_outer(const Step& out, size_t inner_length, const Bytes& geneve) {
  Bytes expected = {2, 9, 0, 0, 1, out.bytes[5], 2, 9, 0, 0, 0, 1, 8, 0, 0x45, 0};
  append16(expected, static_cast<uint16_t>(20 + 8 + geneve.size() + inner_length));
  append(expected, {0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, out.bytes[33]});
  store_u16(&expected[24], checksum_fold(checksum_add(0, &expected[14], 20)));
  append(expected, {out.bytes[34], out.bytes[35], 0x17, 0xc1});
  append16(expected, static_cast<uint16_t>(8 + geneve.size() + inner_length));
  append(expected, {0, 0});
  append(expected, geneve);
  return expected;
}

TEST_P(Profiles, TheGoogleHeaderIsTheseBytes) {
  all_speak(kProfileGoogle);
  tables().attachments[0].endpoint_id = kEndpoint;
  tables().attachments[0].attachment_id = 0x1112131415161718;
  for (const bool inside : {false, true}) {
    const Bytes in = inside ? reply() : request();
    const Step out = inside ? from_inside(in) : from_outside(in);
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
    Bytes geneve = {8, 0, 8, 0, 0, 0, 0, 0};
    const uint8_t leaving = inside ? 1 : 0;
    append(geneve, {0x01, 0x32, 1, 1, 0xb0, 0xc5, 0x1c, static_cast<uint8_t>(0x40 | leaving)});
    append(geneve, {0x01, 0x32, 2, 2, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4});
    append(geneve, {0x01, 0x32, 3, 2, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18});
    Bytes expected = expected_outer(out, in.size() - 14, geneve);
    append(expected, ip_of(in));
    EXPECT_EQ(out.bytes, expected);
  }
}

TEST_P(Profiles, ThePlainHeaderIsTheseBytes) {
  all_speak(kProfilePlain);
  const Bytes six = six_there();
  const Step out = from_outside(six);
  ASSERT_EQ(out.outcome.verdict, kVerdictTarget) << drop_reason_name(out.outcome.reason);
  Bytes expected = expected_outer(out, six.size() - 18, {0, 0, 0x86, 0xdd, 0xa1, 0xb2, 0xc3, 0});
  expected.insert(expected.end(), six.begin() + 18, six.end());
  EXPECT_EQ(out.bytes, expected);
}

TEST_P(Profiles, WhatTheFlowsTargetReturnsIsDelivered) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    expect_delivered(request(), kOutside);
    expect_delivered(reply(), kInside);
    expect_delivered(six_there(), kOutside);
    // Changed, and the other direction's under this one's header.
    const Step there = from_outside(request(kTcpAck, {1, 2, 3}));
    const size_t inner = header_length_of(profile);
    Bytes changed = returned(there.bytes);
    changed[inner + 8]--;
    Bytes expected = request(kTcpAck, {1, 2, 3});
    expected[14 + 8]--;
    expect_return(changed, kVerdictInside, expected);
    Bytes reset = first(returned(there.bytes), inner);
    append(reset, ip_of(reply(kTcpRst)));
    store_be16(&reset[kOuterIpLength], static_cast<uint16_t>(reset.size() - kOuterIp));
    store_be16(&reset[kOuterUdpLength], static_cast<uint16_t>(reset.size() - kOuterUdp));
    expect_return(with_right_sum(reset), kVerdictOutside, reply(kTcpRst));
    all_speak(kProfileAws);
    expect_delivered(request(), kOutside);
  }
}

TEST_P(Profiles, OptionsComeInAnyOrderWithOthersBetween) {
  const Bytes unknown = {0x01, 0x09, 0x01, 0x01, 1, 2, 3, 4};
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const Bytes good = returned(from_outside(request()).bytes);
    const size_t inner = header_length_of(profile);
    Bytes turned_round = unknown;
    if (profile == kProfileGoogle) {
      turned_round.insert(turned_round.end(), good.begin() + 58, good.begin() + 82);
      turned_round.insert(turned_round.end(), good.begin() + 50, good.begin() + 58);
    }
    expect_return(with_header(good, inner, turned_round), kVerdictInside, request());
    Bytes critical = turned_round;
    critical[2] |= 0x80;
    expect_refused(with_header(good, inner, critical), kDropGeneveCriticalOption);
  }
}

TEST_P(Profiles, OnlyTheFlowsTargetReturnsIt) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const Bytes good = returned(from_outside(request()).bytes);
    const size_t inner = header_length_of(profile);
    const uint8_t own = good[29];
    for (uint8_t last = 11; last < 11 + kAppliances; last++)
      if (last != own) expect_refused(from_address(good, last), kDropTargetMismatch);
    expect_refused(from_address(good, 200), kDropSourceUnregistered);
    // A flow that nobody has begun, and one that went elsewhere.
    Bytes another = good;
    another[inner + 15] ^= 1;
    expect_refused(another, kDropFlowUnknown);
    // Cut off: the datagram ends inside the packet.
    Bytes cut = first(good, good.size() - 1);
    store_be16(&cut[kOuterIpLength], static_cast<uint16_t>(cut.size() - kOuterIp));
    store_be16(&cut[kOuterUdpLength], static_cast<uint16_t>(cut.size() - kOuterUdp));
    expect_refused(with_right_sum(cut), kDropInnerInvalid);
    expect_return(good, kVerdictInside, request());
  }
}

TEST_P(Profiles, AnotherEndpointsIdIsRefused) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    tables().attachments[1] = tables().attachments[0];
    tables().attachments[1].endpoint_id = kSmallEndpoint + 1;
    Bytes swapped = returned(from_outside(request()).bytes);
    // The whole header as it would be from there.
    geneve header{};
    header.protocol = kEtherTypeIpv4;
    header.endpoint_id = kSmallEndpoint + 1;
    geneve_say(&kGeneveProfiles[profile], &header, 0);
    geneve_encode(&swapped[kOuterGeneve], &kGeneveProfiles[profile], &header);
    expect_refused(swapped, kDropEndpointMismatch);
    tables().attachments[1] = {};
    expect_refused(swapped, kDropEndpointMismatch);
  }
}

TEST_P(Profiles, GoogleOptionsAreAllThereAndAgree) {
  all_speak(kProfileGoogle);
  const Bytes good = returned(from_outside(request()).bytes);
  const Bytes network(good.begin() + 50, good.begin() + 58);
  const Bytes endpoint(good.begin() + 58, good.begin() + 70);
  const Bytes id(good.begin() + 70, good.begin() + 82);
  const auto joined = [](Bytes a, const Bytes& b) {
    append(a, b);
    return a;
  };
  for (const Bytes& options :
       {joined(network, endpoint), joined(network, id), joined(endpoint, id), Bytes{}})
    expect_refused(with_header(good, 82, options), kDropGeneveOptionMissing);
  const auto changed = [&](size_t at) {
    Bytes out = good;
    out[at] ^= 0x10;
    return out;
  };
  expect_refused(changed(54), kDropEndpointMismatch);
  expect_refused(changed(57), kDropEndpointMismatch);
  expect_refused(changed(81), kDropEndpointMismatch);  // the profile id
  Bytes longer = network;
  longer[3] = 2;
  append(longer, {0, 0, 0, 0});
  expect_refused(with_header(good, 82, joined(joined(longer, endpoint), id)),
                 kDropGeneveOptionMissing);
  // The direction is the packet's, whatever the header says.
  Bytes other_direction = good;
  other_direction[57] ^= 1;
  expect_return(other_direction, kVerdictInside, request());
}

// An appliance speaks the profile of its group, and no other.
TEST_P(Profiles, AnotherProfilesHeaderIsRefused) {
  all_speak(kProfileAws);
  const Bytes aws = returned(from_outside(request()).bytes);
  all_speak(kProfileGoogle);
  const Bytes google = returned(from_outside(request()).bytes);
  expect_refused(aws, kDropGeneveOptionMissing);
  all_speak(kProfilePlain);
  const Bytes plain = returned(from_outside(request()).bytes);
  // To one that demands no options those of others mean nothing; the VNI is not the endpoint.
  expect_refused(aws, kDropEndpointMismatch);
  expect_refused(google, kDropEndpointMismatch);
  all_speak(kProfileGoogle);
  expect_refused(plain, kDropGeneveOptionMissing);
  all_speak(kProfileAws);
  expect_refused(plain, kDropGeneveOptionMissing);
  expect_refused(google, kDropGeneveOptionMissing);
  expect_return(aws, kVerdictInside, request());
}

TEST_P(Profiles, TheMtuFollowsTheProfile) {
  for (const auto& [profile, overhead] :
       {std::pair{kProfileGoogle, 68}, std::pair{kProfilePlain, 36}}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(static_cast<uint8_t>(profile));
    const auto packet_of = [](size_t length) {
      return ethernet(kEtherTypeIpv4, {},
                      ipv4(kProtocolUdp, udp(7, 53, Bytes(length - 28, 1)), {.fragment = 0x4000}));
    };
    const auto fits = static_cast<size_t>(kMtu - overhead);
    const Step out = from_outside(packet_of(fits));
    EXPECT_EQ(out.outcome.verdict, kVerdictTarget);
    EXPECT_EQ(load_be16(&out.bytes[16]), kMtu);
    const Step told = from_outside(packet_of(fits + 1));
    EXPECT_EQ(told.outcome.verdict, kVerdictAnswered);
    EXPECT_EQ(load_be16(&told.bytes[14 + 20 + 6]), fits);
  }
}

// A hint is one more option in any profile.
TEST_P(Profiles, HintsAreFollowed) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const Bytes in = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(profile, 53)));
    const Bytes good = returned(from_outside(in).bytes);
    const size_t inner = header_length_of(profile);
    Bytes options(good.begin() + kOuterGeneve + 8, good.begin() + static_cast<ptrdiff_t>(inner));
    append(options, {0xff, 0x53, 1, 1, 0, 0, 0, kBypassHint});
    const uint64_t taken = events(kEventHintTaken);
    expect_return(with_header(good, inner, options), kVerdictInside, in);
    EXPECT_EQ(events(kEventHintTaken), taken + 1);
    EXPECT_EQ(from_outside(in).outcome.verdict, kVerdictInside) << "uninspected";
  }
}

TEST_P(Profiles, FragmentsFollowTheirFlow) {
  all_speak(kProfilePlain);
  const Bytes whole = udp(7000, 53, Bytes(40, 3));
  const Bytes head(whole.begin(), whole.begin() + 24), tail(whole.begin() + 24, whole.end());
  const Bytes in[] = {ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, head, {.fragment = 0x2000})),
                      ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, tail, {.fragment = 3}))};
  for (const Bytes& piece : in) expect_delivered(piece, kOutside);
}

// Flows without a record: what the target of the tuple was given last, it may return.
TEST_P(Profiles, FlowsWithoutARecord) {
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    SCOPED_TRACE(tunnels::profile_name(profile));
    all_speak(profile);
    const auto guard = [&](uint32_t rate) { tables().attachments[0].new_flows_per_second = rate; };
    guard(1);
    const auto flow = [&](uint16_t number) {
      return ethernet(kEtherTypeIpv4, {},
                      ipv4(kProtocolUdp, udp(static_cast<uint16_t>(profile * 1000 + number), 99)));
    };
    for (uint16_t i = 0; i < 3; i++) from_outside(flow(i));  // on one CPU: the first one at most
    const uint64_t sent = events(kEventUnrecordedSent);
    const Step out = from_outside(flow(7));
    ASSERT_EQ(out.outcome.verdict, kVerdictTarget);
    guard(0);
    if (events(kEventUnrecordedSent) == sent) continue;  // the test has come to another CPU
    const Bytes good = returned(out.bytes);
    const auto other = static_cast<uint8_t>(good[29] == 11 ? 12 : 11);
    expect_refused(from_address(good, other), kDropTargetMismatch);
    expect_return(good, kVerdictInside, flow(7));
    EXPECT_GT(events(kEventUnrecordedReturned), 0u);
  }
}

// Whoever sends packets with the ends of the gateway's own probes makes no flow of them, with a
// record or without: the probes are taken, and nothing with their ends is delivered.
TEST_P(Profiles, AFlowWithTheEndsOfAProbeTakesNone) {
  const auto packet = [](uint64_t token) {
    Bytes payload(24, 1);
    store_u64(payload.data(), token);
    return ipv4(kProtocolUdp, udp(9, 9, payload),
                {.source = {192, 0, 2, 1}, .destination = {198, 51, 100, 1}});
  };
  for (const uint8_t profile : {kProfileGoogle, kProfilePlain}) {
    for (const bool recorded : {false, true}) {
      SCOPED_TRACE(testing::Message() << tunnels::profile_name(profile) << ' ' << recorded);
      all_speak(profile);
      if (!recorded) fill_flows(tables(), now_ms());
      const Step sent = from_outside(ethernet(kEtherTypeIpv4, {}, packet(5)));
      ASSERT_EQ(sent.outcome.verdict, kVerdictTarget);
      expect_refused(returned(sent.bytes), kDropProbeStale);
      tunnel_probe& probe = tables().tunnel_probes[appliance(sent)];
      probe.expected = 77;
      Bytes back = first(returned(sent.bytes), header_length_of(profile));
      append(back, packet(77));
      EXPECT_EQ(from_tunnel(back).outcome.verdict, kVerdictProbe);
      EXPECT_EQ(probe.returned, 77u);
      std::fill_n(tables().flow_buckets, tables().flow_buckets_count, flow_bucket{});
    }
    EXPECT_GT(events(kEventUnrecordedSent), 0u);
  }
}

// Hop 1 speaks plain, hop 2 AWS's: each gets its own bytes, and each speaks for itself.
TEST_P(Profiles, AChainOfTwoProfiles) {
  all_speak(kProfilePlain);
  speak(tables(), 1, kProfileAws);
  for (uint16_t group = 0; group < 2; group++) rows_to(group, group);
  policy_rule& r = tables().policy_rules[1];
  r.in_use = 1;
  r.hops = 2;
  for (uint16_t i = 0; i < 2; i++) r.hop[i] = {{0xffffffff}, {i}, 1};
  use_for_all(tables(), 1);

  const Step one = from_outside(request());
  ASSERT_EQ(one.outcome.verdict, kVerdictTarget);
  EXPECT_EQ(one.bytes.size(), request().size() + 36);
  expect_refused(from_address(returned(one.bytes), 13), kDropTargetMismatch);
  const Step two = from_tunnel(returned(one.bytes));
  ASSERT_EQ(two.outcome.verdict, kVerdictTarget) << drop_reason_name(two.outcome.reason);
  EXPECT_EQ(appliance(two), 1);
  EXPECT_EQ(two.bytes.size(), request().size() + 68);
  expect_return(returned(two.bytes), kVerdictInside, request());
  // And back.
  const Step back = from_inside(reply());
  EXPECT_EQ(appliance(back), 1);
  const Step last = from_tunnel(returned(back.bytes));
  EXPECT_EQ(appliance(last), 0);
  expect_return(returned(last.bytes), kVerdictOutside, reply());
  // One that is both hops cannot say which of them it speaks for.
  rows_to(1, 0);
  const Bytes next = ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(8, 9)));
  expect_refused(returned(from_outside(next).bytes), kDropTargetMismatch);
}

// What has a cookie is verified by it (path.h), and what has none by its tuple.
TEST(ProfileRows, OnlyAwsHasACookie) {
  for (int i = 0; i < kProfiles; i++)
    EXPECT_EQ(kGeneveProfiles[i].flags & kGeneveHasCookie, i == kProfileAws ? kGeneveHasCookie : 0);
}

}  // namespace
}  // namespace sluice::gateway
