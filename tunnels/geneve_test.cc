// SPDX-License-Identifier: Apache-2.0
#include "tunnels/geneve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tunnels/frames_for_test.h"

namespace sluice::tunnels {
namespace {

using frames::append;
using frames::Bytes;

constexpr geneve_profile kAws = SLUICE_GENEVE_AWS;

constexpr geneve kExample = {.endpoint_id = 0x2b8ee1d4db0c51c4,
                             .attachment_id = 0,
                             .flow_cookie = 0xc00c1e01,
                             .header_length = 40,
                             .vni = 0,
                             .protocol = kEtherTypeIpv4,
                             .hint = 0};

const Bytes kBase = {0x08, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00};
const Bytes kEndpoint = {0x01, 0x08, 0x01, 0x02, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4};
const Bytes kAttachment = {0x01, 0x08, 0x02, 0x02, 0, 0, 0, 0, 0, 0, 0, 0};
const Bytes kCookie = {0x01, 0x08, 0x03, 0x01, 0xc0, 0x0c, 0x1e, 0x01};

// A header of these options with its Opt Len right.
Bytes header_of(std::initializer_list<Bytes> options) {
  Bytes out = kBase;
  for (const Bytes& option : options) append(out, option);
  out[0] = static_cast<uint8_t>((out.size() - 8) / 4);
  return out;
}

Bytes with_byte(Bytes bytes, size_t at, uint8_t value) {
  bytes[at] = value;
  return bytes;
}

const Bytes kExampleBytes = header_of({kEndpoint, kAttachment, kCookie});

struct Decoded {
  DropReason reason = kDropNone;
  geneve header{};
};

// From a heap block of exactly the right size, so that ASan sees any read past its end.
Decoded decode(const Bytes& bytes) {
  const auto exact = std::make_unique<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), exact.get());
  Decoded d;
  d.reason = geneve_decode(exact.get(), exact.get() + bytes.size(), &kAws, &d.header);
  return d;
}

void expect_example(const Decoded& d, size_t header_length) {
  EXPECT_EQ(drop_reason_name(d.reason), "none");
  EXPECT_EQ(d.header.endpoint_id, kExample.endpoint_id);
  EXPECT_EQ(d.header.attachment_id, kExample.attachment_id);
  EXPECT_EQ(d.header.flow_cookie, kExample.flow_cookie);
  EXPECT_EQ(d.header.header_length, header_length);
  EXPECT_EQ(d.header.protocol, kExample.protocol);
}

TEST(Geneve, EncodesTheExactBytes) {
  Bytes out(40, 0xee);
  geneve_encode(out.data(), &kAws, &kExample);
  EXPECT_EQ(out, kExampleBytes);
  EXPECT_EQ(out[0], 0x08);
}

TEST(Geneve, DecodesTheExactBytes) { expect_example(decode(kExampleBytes), 40); }

TEST(Geneve, RoundTripOfEveryField) {
  const geneve sent = {.endpoint_id = 0x0102030405060708,
                       .attachment_id = 0x1112131415161718,
                       .flow_cookie = 0x21222324,
                       .header_length = 40,
                       .vni = 0xa1a2a3,
                       .protocol = kEtherTypeIpv6,
                       .hint = 0};
  Bytes out(40);
  geneve_encode(out.data(), &kAws, &sent);
  const Decoded d = decode(out);
  EXPECT_EQ(d.reason, kDropNone);
  EXPECT_EQ(0, memcmp(&d.header, &sent, sizeof(sent)));
}

TEST(Geneve, AnotherProfileIsOnlyData) {
  const geneve_profile profile = {
      0x0132,
      2,
      kGeneveHasCookie,
      28,
      {{9, 1, kGeneveWord, 0}, {4, 2, kGeneveEndpointId, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}};
  geneve sent = kExample;
  sent.header_length = 28;
  Bytes out(28);
  geneve_encode(out.data(), &profile, &sent);
  EXPECT_EQ(out,
            (Bytes{5,    0,    8, 0,    0, 0, 0,    0,    0x01, 0x32, 9,    1,    0xc0, 0x0c,
                   0x1e, 0x01, 1, 0x32, 4, 2, 0x2b, 0x8e, 0xe1, 0xd4, 0xdb, 0x0c, 0x51, 0xc4}));
  geneve got{};
  EXPECT_EQ(geneve_decode(out.data(), out.data() + out.size(), &profile, &got), kDropNone);
  EXPECT_EQ(0, memcmp(&got, &sent, sizeof(sent)));
  EXPECT_EQ(geneve_decode(out.data(), out.data() + out.size(), &kAws, &got),
            kDropGeneveOptionMissing);
}

// Class ff53, type 1, one word of 1 to 65535; anything else of that class is an unknown option.
TEST(Geneve, ReadsTheHintOfAnAppliance) {
  const auto hint_of = [](const Bytes& option) {
    const Decoded d = decode(header_of({kEndpoint, kAttachment, kCookie, option}));
    EXPECT_EQ(d.reason, kDropNone);
    return d.header.hint;
  };
  EXPECT_EQ(hint_of({0xff, 0x53, 1, 1, 0, 0, 0x12, 0x34}), 0x1234);
  EXPECT_EQ(hint_of({0xff, 0x53, 1, 1, 0, 1, 0x12, 0x34}), 0);
  EXPECT_EQ(hint_of({0xff, 0x53, 2, 1, 0, 0, 0x12, 0x34}), 0);
  EXPECT_EQ(hint_of({0xff, 0x53, 1, 2, 0, 0, 0x12, 0x34, 0, 0, 0, 1}), 0);
}

TEST(Geneve, CutAtEveryByteIsTruncated) {
  for (size_t length = 0; length < kExampleBytes.size(); length++)
    EXPECT_EQ(decode(frames::first(kExampleBytes, length)).reason, kDropGeneveTruncated) << length;
}

// As a cut, but with Opt Len made to agree: an option runs past the options, or one is missing.
TEST(Geneve, CutWithAnAgreeingLengthIsRefused) {
  for (uint8_t words = 0; words < 8; words++) {
    const DropReason reason = decode(with_byte(kExampleBytes, 0, words)).reason;
    EXPECT_TRUE(reason == kDropGeneveTruncated || reason == kDropGeneveOptionMissing) << int{words};
  }
}

TEST(Geneve, OptionsComeInAnyOrder) {
  std::vector<Bytes> options = {kEndpoint, kAttachment, kCookie};
  std::sort(options.begin(), options.end());
  do {
    expect_example(decode(header_of({options[0], options[1], options[2]})), 40);
  } while (std::next_permutation(options.begin(), options.end()));
}

TEST(Geneve, ExtraOptions) {
  const Bytes unknown_class = {0x01, 0x09, 0x01, 0x01, 1, 2, 3, 4};
  const Bytes unknown_type = {0x01, 0x08, 0x7f, 0x00};
  expect_example(decode(header_of({unknown_class, kEndpoint, unknown_type, kAttachment, kCookie,
                                   unknown_class})),
                 60);

  const Bytes critical_class = {0x01, 0x09, 0x81, 0x00};
  const Bytes critical_type = {0x01, 0x08, 0x81, 0x02, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const Bytes& critical : {critical_class, critical_type}) {
    EXPECT_EQ(decode(header_of({kEndpoint, kAttachment, kCookie, critical})).reason,
              kDropGeneveCriticalOption);
    EXPECT_EQ(decode(header_of({critical, kEndpoint, kAttachment, kCookie})).reason,
              kDropGeneveCriticalOption);
  }
}

TEST(Geneve, MissingOrWronglySizedOptionIsRefused) {
  EXPECT_EQ(decode(header_of({})).reason, kDropGeneveOptionMissing);
  EXPECT_EQ(decode(header_of({kAttachment, kCookie})).reason, kDropGeneveOptionMissing);
  EXPECT_EQ(decode(header_of({kEndpoint, kCookie})).reason, kDropGeneveOptionMissing);
  EXPECT_EQ(decode(header_of({kEndpoint, kAttachment})).reason, kDropGeneveOptionMissing);
  EXPECT_EQ(decode(header_of({kEndpoint, kAttachment, {0x01, 0x08, 0x03, 0x00}})).reason,
            kDropGeneveOptionMissing);
  EXPECT_EQ(
      decode(header_of({kEndpoint, kAttachment, {0x01, 0x08, 0x03, 0x02, 1, 2, 3, 4, 5, 6, 7, 8}}))
          .reason,
      kDropGeneveOptionMissing);
  EXPECT_EQ(decode(header_of({{0x01, 0x08, 0x01, 0x01, 1, 2, 3, 4}, kAttachment, kCookie})).reason,
            kDropGeneveOptionMissing);
}

TEST(Geneve, OfAnOptionThatComesTwiceTheLastCounts) {
  const Bytes other = {0x01, 0x08, 0x03, 0x01, 9, 9, 9, 9};
  expect_example(decode(header_of({other, kEndpoint, kAttachment, kCookie})), 48);
}

// Opt Len 63: the three options, then bare ones to the last word.
TEST(Geneve, TheLongestHeaderIsRead) {
  Bytes bytes = kExampleBytes;
  while (bytes.size() < 8 + kGeneveOptionsLengthMax) append(bytes, {0x01, 0x09, 0x01, 0x00});
  bytes[0] = 63;
  expect_example(decode(bytes), 260);
  append(bytes, {0x01, 0x09, 0x81, 0x00});
  expect_example(decode(bytes), 260);  // what follows the options is payload
}

TEST(Geneve, ReservedBitsAreIgnored) {
  Bytes bytes = with_byte(kExampleBytes, 1, 0x3f);
  bytes[7] = 0xff;
  for (size_t length_at : {11u, 23u, 35u}) bytes[length_at] |= 0xe0;
  expect_example(decode(bytes), 40);
}

TEST(Geneve, TheCriticalBitOfTheBaseHeaderAloneRefusesNothing) {
  expect_example(decode(with_byte(kExampleBytes, 1, 0x40)), 40);
}

TEST(Geneve, BaseHeaderRefusals) {
  for (uint8_t version : {1, 2, 3})
    EXPECT_EQ(decode(with_byte(kExampleBytes, 0, static_cast<uint8_t>(version << 6 | 8))).reason,
              kDropGeneveVersion);
  EXPECT_EQ(decode(with_byte(kExampleBytes, 1, 0x80)).reason, kDropGeneveControl);
  EXPECT_EQ(decode(with_byte(kExampleBytes, 2, 0x65)).reason, kDropGeneveProtocol) << "0x6500";
  Bytes ethernet = kExampleBytes;
  store_be16(&ethernet[2], 0x6558);
  EXPECT_EQ(decode(ethernet).reason, kDropGeneveProtocol);
}

}  // namespace
}  // namespace sluice::tunnels
