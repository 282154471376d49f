// SPDX-License-Identifier: Apache-2.0
// What a policy file may say, and what is said about one that is wrong.
#include <gtest/gtest.h>

#include <fstream>

#include "inspect/dpi/policy.h"
#include "inspect/dpi/policy_for_test.h"
#include "tunnels/yaml.h"

namespace sluice::inspect {
namespace {

using namespace testing;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string errors_of(const std::string& text) {
  const auto policy = Policy::parse(text, "p", kNames);
  return policy ? "" : policy.error().text();
}

TEST(PolicyLanguage, WrongNamesAndActions) {
  const struct {
    const char* text;
    const char* errors;
  } cases[] = {
      {"", "p:1:1: the file is empty"},
      {"- 1", "p:1:1: expected a map, found a list"},
      {"fallback: maybe",
       "p:1:11: fallback: 'maybe' is not one of: allow, drop, reject, or limit, quota, mark, "
       "steer with a map"},
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
      {"applications: [{name: TLS., action: drop}]",
       "p:1:23: applications[0].name: unknown application ''"},
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
      {"zone: cet", "p:1:7: zone: 'cet' is not one of: utc, local"},
      {"hold: {bytes: 9}", "p:1:7: hold: 'milliseconds' is missing"},
      {"hold: {bytes: 65537, milliseconds: 0}",
       "p:1:15: hold.bytes: 65537 is not between 1 and 65536\n"
       "p:1:36: hold.milliseconds: 0 is not between 1 and 10000"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(errors_of(c.text), c.errors);
  }
}

// `rules: [{match: {` + text + `}, action: drop}]`; the text begins at column 18.
TEST(PolicyLanguage, WrongConditions) {
  const struct {
    const char* match;
    const char* errors;
  } cases[] = {
      {"applications: TLS",
       "p:1:32: rules[0].match.applications: unknown key 'applications', did you mean "
       "'application'?"},
      {"application: [TLS, Youtub]",
       "p:1:37: rules[0].match.application[1]: unknown application 'Youtub', did you mean "
       "'YouTube'?"},
      {"application: []", "p:1:31: rules[0].match.application: an empty list matches nothing"},
      {"application: {a: b}", "p:1:31: rules[0].match.application: expected a word, found a map"},
      {"category: web",
       "p:1:28: rules[0].match.category: unknown category 'web', did you mean 'Web'?"},
      {"risk: weak tls cypher",
       "p:1:24: rules[0].match.risk: unknown risk 'weak tls cypher', did you mean 'Weak TLS "
       "Cipher'?"},
      {"score: 0", "p:1:25: rules[0].match.score: 0 is not between 1 and 65535"},
      {"host: a..b",
       "p:1:24: rules[0].match.host: not a host name, *.name or /regular expression/"},
      {"host: ['*', 'x y', '*.', '.a']",
       "p:1:25: rules[0].match.host[0]: not a host name, *.name or /regular expression/\n"
       "p:1:30: rules[0].match.host[1]: not a host name, *.name or /regular expression/\n"
       "p:1:37: rules[0].match.host[2]: not a host name, *.name or /regular expression/\n"
       "p:1:43: rules[0].match.host[3]: not a host name, *.name or /regular expression/"},
      {"host: *.b", "p:1:24: not YAML: the referenced anchor is not defined"},
      {"host: /a(/",
       "p:1:24: rules[0].match.host: not a regular expression for Hyperscan: Missing close "
       "parenthesis for group started at index 1."},
      {"host: //",
       "p:1:24: rules[0].match.host: a regular expression of 1 to 256 characters is expected"},
      {"host: /a\\z/", "p:1:24: rules[0].match.host: the end of a name is $, not \\z"},
      {"host: /a*/", "p:1:24: rules[0].match.host: the regular expression matches every name"},
      {"host: '/a{254}/'",
       "p:1:24: rules[0].match.host: the regular expression is for more than a name's 253 "
       "characters"},
      {"ja3: xyz", "p:1:23: rules[0].match.ja3: a JA3 is 32 hexadecimal digits, in small letters"},
      {"ja4: xyz",
       "p:1:23: rules[0].match.ja4: a JA4 is like t13d1516h2_8daaf6152771_b186095e22b6"},
      {"client: [10.0.0.0/33, here]",
       "p:1:27: rules[0].match.client[0]: not a prefix length: '10.0.0.0/33'\n"
       "p:1:40: rules[0].match.client[1]: not an address or prefix: 'here'"},
      {"endpoint: x", "p:1:28: rules[0].match.endpoint: expected a number, found 'x'"},
      {"schedule: {days: [mon, Tue]}",
       "p:1:41: rules[0].match.schedule.days[1]: 'Tue' is not one of: mon, tue, wed, thu, fri, "
       "sat, sun"},
      {"schedule: {from: '24:00', to: '8:00'}",
       "p:1:35: rules[0].match.schedule.from: a time from 00:00 to 23:59 is expected\n"
       "p:1:48: rules[0].match.schedule.to: a time from 00:00 to 24:00 is expected"},
      {"schedule: {from: '08:00', to: '08:00'}",
       "p:1:28: rules[0].match.schedule: from and to are the same; for whole days leave both out"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.match);
    EXPECT_EQ(errors_of("rules: [{match: {" + std::string(c.match) + "}, action: drop}]"),
              c.errors);
  }
}

// `rules: [{action: ` + text + `}]`; the text begins at column 18.
TEST(PolicyLanguage, WrongNumbers) {
  const struct {
    const char* action;
    const char* errors;
  } cases[] = {
      {"[drop]", "p:1:18: rules[0].action: expected a word, found a list"},
      {"limit",
       "p:1:18: rules[0].action: 'limit' is not one of: allow, drop, reject, or limit, quota, "
       "mark, steer with a map"},
      {"{}",
       "p:1:18: rules[0].action: an action is one of: allow, drop, reject, limit, quota, mark, "
       "steer"},
      {"{mark: {dscp: 1}, steer: {hint: 1}}",
       "p:1:18: rules[0].action: an action is one of: allow, drop, reject, limit, quota, mark, "
       "steer"},
      {"{mark: {dscp: 64}}", "p:1:32: rules[0].action.mark.dscp: 64 is not between 0 and 63"},
      {"{mark: {}}", "p:1:25: rules[0].action.mark: 'dscp' is missing"},
      {"{steer: {hint: 0}}", "p:1:33: rules[0].action.steer.hint: 0 is not between 1 and 65535"},
      {"{limit: {}}", "p:1:26: rules[0].action.limit: 'rate' is missing"},
      {"{limit: {rate: 0, burst: 1, per: host}}",
       "p:1:33: rules[0].action.limit.rate: 0 is not between 1 and 1000000000\n"
       "p:1:43: rules[0].action.limit.burst: 1 is not between 1500 and 4294967296\n"
       "p:1:51: rules[0].action.limit.per: 'host' is not one of: flow, client, application"},
      {"{quota: {bytes: 1, per: flow, then: allow}}",
       "p:1:42: rules[0].action.quota.per: 'flow' is not one of: client, application\n"
       "p:1:54: rules[0].action.quota.then: 'allow' is not one of: drop, reject, or limit with a "
       "map"},
      {"{quota: {bytes: -1, reset: noon}}",
       "p:1:26: rules[0].action.quota: 'then' is missing\n"
       "p:1:34: rules[0].action.quota.bytes: -1 is not between 1 and 1125899906842624\n"
       "p:1:45: rules[0].action.quota.reset: a time from 00:00 to 23:59 is expected"},
      {"{quota: {bytes: 1, then: {limit: {rat: 1}}}}",
       "p:1:51: rules[0].action.quota.then.limit: 'rate' is missing\n"
       "p:1:57: rules[0].action.quota.then.limit.rat: unknown key 'rat', did you mean 'rate'?"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.action);
    EXPECT_EQ(errors_of("rules: [{action: " + std::string(c.action) + "}]"), c.errors);
  }
  EXPECT_EQ(errors_of("rules: [{name: a}, {name: a, action: drop}, {name: '', action: drop}]"),
            "p:1:9: rules[0]: 'action' is missing\n"
            "p:1:27: rules[1].name: 'a' is there twice\n"
            "p:1:52: rules[2].name: a name of 1 to 64 characters is expected");
}

TEST(PolicyLanguage, AllErrorsAtOnceInFileOrder) {
  EXPECT_EQ(errors_of("applications:\n"
                      "  - {name: Youtub, action: dropp}\n"
                      "  - {nam: TLS, action: drop}\n"
                      "fallback: 5\n"
                      "rules:\n"
                      "  - match: {host: '*', score: x}\n"
                      "    action: drop\n"),
            "p:2:12: applications[0].name: unknown application 'Youtub', did you mean 'YouTube'?\n"
            "p:2:28: applications[0].action: 'dropp' is not one of: allow, drop, reject, or limit, "
            "quota, mark, steer with a map\n"
            "p:3:5: applications[1]: 'name' is missing\n"
            "p:3:11: applications[1].nam: unknown key 'nam', did you mean 'name'?\n"
            "p:4:11: fallback: '5' is not one of: allow, drop, reject, or limit, quota, mark, "
            "steer with a map\n"
            "p:6:19: rules[0].match.host: not a host name, *.name or /regular expression/\n"
            "p:6:31: rules[0].match.score: expected a number, found 'x'");
}

TEST(PolicyLanguage, LimitsHold) {
  EXPECT_NE(errors_of(std::string(tunnels::kYamlFileBytesMax + 1, '#')), "");
  EXPECT_NE(errors_of(std::string(100'000, '[')), "");
  const auto list = [](const std::string& key, const std::string& entry, size_t count) {
    std::string text = key + ":\n";
    for (size_t i = 0; i < count; i++) text += "  - " + entry + "\n";
    return text;
  };
  EXPECT_EQ(errors_of(list("applications", "x", kPolicyNamesMax + 1)),
            "p:2:3: applications: 1001 elements; at most 1000 are possible");
  EXPECT_EQ(errors_of(list("rules", "{action: drop}", kPolicyRulesMax)), "");
  EXPECT_EQ(errors_of(list("rules", "{action: drop}", kPolicyRulesMax + 1)),
            "p:2:3: rules: 1001 elements; at most 1000 are possible");
  const std::string scheduled = "{match: {schedule: {from: '08:00'}}, action: drop}";
  EXPECT_EQ(errors_of(list("rules", scheduled, kPolicySchedulesMax)), "");
  EXPECT_NE(errors_of(list("rules", scheduled, kPolicySchedulesMax + 1)).find("more than 64"),
            std::string::npos);
  std::string hosts = "{match: {host: [a";
  for (size_t i = 1; i < kPolicyNamesMax; i++) hosts += ",a";
  hosts += "]}, action: drop}";
  EXPECT_EQ(errors_of(list("rules", hosts, kHostPatternsMax / kPolicyNamesMax)), "");
  EXPECT_NE(errors_of(list("rules", hosts, kHostPatternsMax / kPolicyNamesMax + 1))
                .find("more than 10000 host patterns"),
            std::string::npos);
}

// The blocks of the documents with these files' texts, loaded with nDPI's own names.
TEST(PolicyLanguage, LoadsTheDocumentedExamples) {
  auto classifier = Classifier::create();
  ASSERT_TRUE(classifier);
  const std::string docs = std::string(SLUICE_SOURCE_DIR) + "/docs/features/";
  for (const auto& [page, example] :
       {std::pair("dpi.md", "dpi.yaml"), std::pair("dpi-policy.md", "dpi-rules.yaml")}) {
    SCOPED_TRACE(example);
    const std::string file = docs + "examples/" + example;
    const auto policy = Policy::load(file, (*classifier)->names());
    ASSERT_TRUE(policy) << policy.error().text();
    EXPECT_NE(read_file(docs + page).find("```yaml\n" + read_file(file) + "```"),
              std::string::npos);
  }
  const auto missing = Policy::load("/nonexistent/policy", kNames);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().text(),
            "/nonexistent/policy: cannot read the policy: No such file or directory");
}

}  // namespace
}  // namespace sluice::inspect
