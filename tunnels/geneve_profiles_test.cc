// SPDX-License-Identifier: Apache-2.0
#include "tunnels/geneve_profiles.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "tunnels/frames_for_test.h"

namespace sluice::tunnels {
namespace {

using frames::Bytes;

TEST(Profiles, RowsAgreeWithThemselves) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i < kProfiles; i++) {
    SCOPED_TRACE(profile_name(i));
    const geneve_profile& profile = kGeneveProfiles[i];
    uint32_t length = kGeneveBaseLength;
    int words = 0, endpoints = 0, attachments = 0;
    for (int k = 0; k < profile.options; k++) {
      const geneve_option& option = profile.option[k];
      length += 4 + option.words * 4u;
      EXPECT_EQ(option.words, option.field == kGeneveWord ? 1 : 2);
      words += option.field == kGeneveWord;
      endpoints += option.field == kGeneveEndpointId;
      attachments += option.field == kGeneveAttachmentId;
    }
    EXPECT_EQ(profile.header_length, length);
    EXPECT_EQ(words, profile.flags & (kGeneveHasCookie | kGeneveHasNetwork) ? 1 : 0);
    EXPECT_EQ(attachments, profile.flags & kGeneveHasAttachment ? 1 : 0);
    EXPECT_EQ(endpoints, profile.flags & kGeneveVniIsEndpoint ? 0 : 1);
    EXPECT_TRUE(names.insert(profile_name(i)).second);
  }
  EXPECT_EQ(profile_name(kProfiles), "");
}

TEST(Profiles, SaidIsHeard) {
  for (unsigned i = 0; i < kProfiles; i++) {
    SCOPED_TRACE(profile_name(i));
    const geneve_profile& profile = kGeneveProfiles[i];
    geneve sent{};
    sent.endpoint_id = 0xa1b2c3;
    sent.attachment_id = profile.flags & kGeneveHasAttachment ? 0x1112131415161718 : 0;
    sent.flow_cookie = 0xc00c1e01;
    sent.protocol = kEtherTypeIpv6;
    geneve_say(&profile, &sent, 1);
    Bytes out(profile.header_length);
    geneve_encode(out.data(), &profile, &sent);
    EXPECT_EQ(profile_of_header(out), i);
    geneve got{};
    ASSERT_EQ(geneve_decode(out.data(), out.data() + out.size(), &profile, &got), kDropNone);
    const uint32_t network = geneve_hear(&profile, &got);
    EXPECT_EQ(got.endpoint_id, sent.endpoint_id);
    EXPECT_EQ(got.attachment_id, sent.attachment_id);
    EXPECT_EQ(got.flow_cookie, profile.flags & kGeneveHasCookie ? 0xc00c1e01 : 0);
    EXPECT_EQ(network, profile.flags & kGeneveHasNetwork ? 0xa1b2c3u : 0u);
    EXPECT_EQ(got.protocol, kEtherTypeIpv6);
  }
}

TEST(Profiles, NothingIsWrittenPastTheEnd) {
  geneve header{};
  header.protocol = kEtherTypeIpv4;
  for (const geneve_profile& profile : kGeneveProfiles)
    for (size_t room = 0; room <= profile.header_length; room++) {
      Bytes out(room);
      EXPECT_EQ(geneve_encode_within(out.data(), out.data() + room, &profile, &header),
                room == profile.header_length ? 1 : 0);
    }
}

TEST(Profiles, AHeaderIsOfTheClassThatComesFirst) {
  EXPECT_EQ(profile_of_header({}), kProfilePlain);
  EXPECT_EQ(profile_of_header(Bytes{0}), kProfilePlain);
  EXPECT_EQ(profile_of_header(Bytes{1, 0, 8, 0, 0, 0, 0, 0, 1, 8, 9}), kProfilePlain) << "cut";
  EXPECT_EQ(profile_of_header(Bytes{1, 0, 8, 0, 0, 0, 0, 0, 1, 8, 9, 0}), kProfileAws);
  EXPECT_EQ(profile_of_header(Bytes{1, 0, 8, 0, 0, 0, 0, 0, 1, 0x32, 9, 0}), kProfileGoogle);
  EXPECT_EQ(profile_of_header(Bytes{0, 0, 8, 0, 0, 0, 0, 0, 1, 8, 9, 0}), kProfilePlain)
      << "what follows the options is no option";
  const Bytes hinted = {4, 0, 8, 0, 0, 0,    0, 0, 0xff, 0x53, 1, 1,
                        0, 0, 0, 1, 1, 0x32, 9, 0, 1,    8,    9, 0};
  EXPECT_EQ(profile_of_header(hinted), kProfileGoogle);
}

}  // namespace
}  // namespace sluice::tunnels
