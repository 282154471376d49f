// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/control/attributes.h"
#include "gateway/control/config.h"
#include "gateway/control/validate.h"

namespace sluice::gateway {
namespace {

using tunnels::kProfileAws;
using tunnels::kProfileGoogle;
using tunnels::kProfilePlain;

class ProfileConfig : public testing::Test {
 protected:
  void SetUp() override {
    auto read = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/profiles.yaml");
    ASSERT_TRUE(read) << read.error()[0].text();
    config = std::move(*read);
  }
  std::string errors() const {
    std::string out;
    for (const Error& error : validate(config)) out += error.text() + "\n";
    return out;
  }
  TargetGroup& group(size_t i) { return config.target_groups[i]; }
  Config config;
};

TEST_F(ProfileConfig, TheExampleIsValid) {
  EXPECT_EQ(profile_of(group(0)), kProfileAws);
  EXPECT_EQ(profile_of(group(1)), kProfileGoogle);
  EXPECT_EQ(profile_of(group(2)), kProfilePlain);
  EXPECT_EQ(group(1).attributes.at("sluice.profile"), "google");
  EXPECT_FALSE(all_attributes(group(0)).contains("sluice.profile")) << "own ones only if set";
  EXPECT_EQ(errors(), "");
}

TEST_F(ProfileConfig, APlainEndpointFitsTheVni) {
  config.attachments[0].endpoint_id = 0xffffff;
  EXPECT_EQ(errors(), "");
  config.attachments[0].endpoint_id = 0x1000000;
  EXPECT_EQ(errors(),
            "attachments[0].endpoint_id: does not fit 24 bits, and is the VNI in the profile plain "
            "of target group 'own-filters'\n");
  group(2).attributes["sluice.profile"] = "google";
  EXPECT_EQ(errors(), "");
}

TEST_F(ProfileConfig, AnApplianceSpeaksOneProfile) {
  group(1).targets.push_back(group(0).targets[1]);
  EXPECT_EQ(errors(),
            "target_groups[1].targets[1].id: is in target group 'firewalls', too, which has the "
            "profile aws; an appliance speaks one profile\n");
  group(0).attributes["sluice.profile"] = "google";
  EXPECT_EQ(errors(), "");
}

TEST_F(ProfileConfig, CopiesNeedACookie) {
  PolicyRule& rule = config.gateway.policy[0];
  rule.hops.clear();
  rule.decision = PolicyDecision::kBypass;
  rule.mirror.emplace().target_group = "mail-scanners";
  EXPECT_EQ(errors(),
            "gateway.policy[0].actions[1].target_group: target group 'mail-scanners' must have the "
            "profile aws: by its cookie the answers to copies are known\n");
  rule.mirror->target_group = "firewalls";
  EXPECT_EQ(errors(), "");
}

TEST_F(ProfileConfig, HopsWithoutCookiesShareNoAppliance) {
  PolicyRule& rule = config.gateway.policy[0];
  rule.hops.resize(2);
  rule.hops[0].target_group = "mail-scanners";
  rule.hops[1].target_group = "own-filters";
  EXPECT_EQ(errors(), "");
  rule.hops[1].target_group = "mail-scanners";
  EXPECT_EQ(errors(),
            "gateway.policy[0].actions[1]: 10.9.0.21 is a target of an earlier hop, too; the "
            "profile google cannot tell the two apart\n");
  // A cookie tells.
  rule.hops[0].target_group = rule.hops[1].target_group = "firewalls";
  EXPECT_EQ(errors(), "");
}

TEST(ProfileWords, AreCheckedWhereTheyAreWritten) {
  const auto errors_of = [](const std::string& keys) {
    auto config = parse_config(R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
target_groups:
  - {name: a, )" + keys + "}\n",
                               "f");
    return config ? std::string() : config.error()[0].text();
  };
  EXPECT_EQ(errors_of("protocol: GENEVE, profile: plain"), "");
  EXPECT_EQ(errors_of("protocol: GENEVE, attributes: {sluice.profile: google}"), "");
  EXPECT_NE(errors_of("protocol: GENEVE, profile: azure").find("expected aws or google or plain"),
            std::string::npos);
  EXPECT_NE(errors_of("protocol: TCP, port: 1, profile: aws").find("for GENEVE target groups"),
            std::string::npos);
  EXPECT_NE(errors_of("protocol: TCP, port: 1, attributes: {sluice.profile: aws}")
                .find("is not recognized"),
            std::string::npos);
}

}  // namespace
}  // namespace sluice::gateway
