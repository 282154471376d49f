// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tunnels/yaml.h"

namespace sluice::inspect {
namespace {

// Numbers as the index; they need not be nDPI's.
const DpiNames kNames = {{"Unknown", "TLS", "HTTP", "YouTube", "Facebook", "BitTorrent", "Z39.50"},
                         {"Unspecified", "Web", "Video", ""}};
constexpr uint16_t kTls = 1, kHttp = 2, kYouTube = 3, kFacebook = 4, kBitTorrent = 5, kZ3950 = 6;
constexpr uint16_t kWeb = 1, kVideo = 2;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Policy must_parse(const std::string& text) {
  auto policy = Policy::parse(text, "p", kNames);
  EXPECT_TRUE(policy) << policy.error().text();
  return policy ? *policy : Policy();
}

std::string decided(const Policy& policy, Application application, bool final = true) {
  const PolicyDecision decision = policy.decide(application, final);
  return std::string(policy_action_name(decision.action)) + " by " + std::string(decision.rule);
}

TEST(Policy, TheMostTellingRuleWins) {
  const Policy policy = must_parse(R"(
applications:
  - {name: TLS.YouTube, action: reject}
  - {name: Facebook, action: drop}
  - {name: TLS, action: allow}
  - {name: Z39.50, action: drop}
categories:
  - {name: Video, action: drop}
fallback: drop
)");
  EXPECT_EQ(decided(policy, {kTls, kYouTube, kVideo}), "reject by application TLS.YouTube");
  EXPECT_EQ(decided(policy, {kHttp, kYouTube, kVideo}), "drop by category Video");
  EXPECT_EQ(decided(policy, {kTls, kFacebook, kWeb}), "drop by application Facebook");
  EXPECT_EQ(decided(policy, {0, kTls, kWeb}), "allow by application TLS");
  EXPECT_EQ(decided(policy, {kTls, kBitTorrent, kVideo}), "allow by application TLS");
  EXPECT_EQ(decided(policy, {0, kZ3950, kWeb}), "drop by application Z39.50");
  EXPECT_EQ(decided(policy, {0, kHttp, kWeb}), "drop by fallback");
  EXPECT_EQ(decided(policy, {}), "drop by fallback");
}

TEST(Policy, WithoutRulesAllowsAll) {
  EXPECT_EQ(decided(Policy(), {0, kTls, kWeb}), "allow by fallback");
  EXPECT_EQ(decided(must_parse("fallback: allow"), {}, false), "allow by fallback");
}

TEST(Policy, ApplicationsBlockAtOnceCategoriesAndFallbackWhenFinal) {
  const Policy policy = must_parse(R"(
applications: [{name: TLS, action: drop}]
categories: [{name: Video, action: drop}]
fallback: drop
)");
  EXPECT_EQ(decided(policy, {0, kTls, kWeb}, false), "drop by application TLS");
  EXPECT_EQ(decided(policy, {0, kHttp, kVideo}, false), "allow by undecided");
  EXPECT_EQ(decided(policy, {0, kHttp, kVideo}, true), "drop by category Video");
  EXPECT_EQ(decided(policy, {}, false), "allow by undecided");
}

TEST(Policy, ABlockWaitsWhenAnAllowMayStillFollow) {
  const Policy policy =
      must_parse("applications: [{name: TLS, action: drop}, {name: YouTube, action: allow}]");
  EXPECT_EQ(decided(policy, {0, kTls, kWeb}, false), "allow by undecided");
  EXPECT_EQ(decided(policy, {kTls, kYouTube, kVideo}, false), "allow by application YouTube");
  EXPECT_EQ(decided(policy, {0, kTls, kWeb}, true), "drop by application TLS");
}

TEST(Policy, ErrorsNameTheirPlaceAllAtOnce) {
  const struct {
    const char* text;
    const char* errors;
  } cases[] = {
      {"", "p:1:1: the file is empty"},
      {"- 1", "p:1:1: expected a map, found a list"},
      {"fallback: maybe", "p:1:11: fallback: 'maybe' is not one of: allow, drop, reject"},
      {"falback: drop", "p:1:10: falback: unknown key 'falback', did you mean 'fallback'?"},
      {"fallback: drop\nfallback: allow", "p:2:1: key 'fallback' is there twice"},
      {"applications: 7", "p:1:15: applications: expected a list, found a value"},
      {"applications: [x]", "p:1:16: applications[0]: expected a map, found a value"},
      {"applications: [{name: Youtub, action: drop}]",
       "p:1:23: applications[0].name: unknown application 'Youtub', did you mean 'YouTube'?"},
      {"applications: [{name: youtube, action: drop}]",
       "p:1:23: applications[0].name: unknown application 'youtube', did you mean 'YouTube'?"},
      {"applications: [{name: TLSS.YouTube, action: drop}]",
       "p:1:23: applications[0].name: unknown application 'TLSS', did you mean 'TLS'?"},
      {"applications: [{name: qqqqqqqq, action: drop}]",
       "p:1:23: applications[0].name: unknown application 'qqqqqqqq'"},
      {"applications: [{name: Unknown, action: drop}]",
       "p:1:23: applications[0].name: unknown application 'Unknown'"},
      {"applications: [{name: TLS}]", "p:1:16: applications[0]: 'action' is missing"},
      {"applications: [{action: drop}]", "p:1:16: applications[0]: 'name' is missing"},
      {"applications: [{name: TLS, action: drop}, {name: TLS, action: drop}]",
       "p:1:50: applications[1].name: 'TLS' is there twice"},
      {"categories: [{name: Vidio, action: drop}]",
       "p:1:21: categories[0].name: unknown category 'Vidio', did you mean 'Video'?"},
      {"categories: [{name: '', action: drop}]", "p:1:21: categories[0].name: unknown category ''"},
      {"applications: [", "p:1:1: not YAML: end of sequence flow not found"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto policy = Policy::parse(c.text, "p", kNames);
    ASSERT_FALSE(policy);
    EXPECT_EQ(policy.error().text(), c.errors);
  }
  const auto policy = Policy::parse(
      "applications:\n  - {name: Youtub, action: dropp}\n  - {nam: TLS, action: drop}\nfallback: "
      "5\n",
      "p", kNames);
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().text(),
            "p:2:12: applications[0].name: unknown application 'Youtub', did you mean 'YouTube'?\n"
            "p:2:28: applications[0].action: 'dropp' is not one of: allow, drop, reject\n"
            "p:3:5: applications[1]: 'name' is missing\n"
            "p:3:11: applications[1].nam: unknown key 'nam', did you mean 'name'?\n"
            "p:4:11: fallback: '5' is not one of: allow, drop, reject");
}

TEST(Policy, LimitsHold) {
  EXPECT_FALSE(Policy::parse(std::string(tunnels::kYamlFileBytesMax + 1, '#'), "p", kNames));
  EXPECT_FALSE(Policy::parse(std::string(100'000, '['), "p", kNames));
  std::string many = "applications:\n";
  for (size_t i = 0; i <= kPolicyNamesMax; i++) many += "  - x\n";
  const auto policy = Policy::parse(many, "p", kNames);
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().text(), "p:2:3: applications: 1001 elements; at most 1000 are possible");
}

TEST(Policy, LoadsTheDocumentedExample) {
  auto classifier = Classifier::create();
  ASSERT_TRUE(classifier);
  const std::string docs = std::string(SLUICE_SOURCE_DIR) + "/docs/features/";
  const std::string file = docs + "examples/dpi.yaml";
  const auto policy = Policy::load(file, (*classifier)->names());
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_NE(read_file(docs + "dpi.md").find("```yaml\n" + read_file(file) + "```"),
            std::string::npos);
  const auto missing = Policy::load("/nonexistent/policy", kNames);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(), "/nonexistent/policy: cannot open: No such file or directory");
}

}  // namespace
}  // namespace sluice::inspect
