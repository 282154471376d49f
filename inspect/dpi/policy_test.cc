// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/policy.h"

#include <gtest/gtest.h>

#include "inspect/dpi/policy_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;

TEST(Policy, TheMostTellingNameWins) {
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
  EXPECT_EQ(decided(policy, {{kTls, kYouTube, kVideo}}), "reject by application TLS.YouTube");
  EXPECT_EQ(decided(policy, {{kHttp, kYouTube, kVideo}}), "drop by category Video");
  EXPECT_EQ(decided(policy, {{kTls, kFacebook, kWeb}}), "drop by application Facebook");
  EXPECT_EQ(decided(policy, {{0, kTls, kWeb}}), "allow by application TLS");
  EXPECT_EQ(decided(policy, {{kTls, kBitTorrent, kVideo}}), "allow by application TLS");
  EXPECT_EQ(decided(policy, {{0, kZ3950, kWeb}}), "drop by application Z39.50");
  EXPECT_EQ(decided(policy, {{0, kHttp, kWeb}}), "drop by fallback");
  EXPECT_EQ(decided(policy, {}), "drop by fallback");
}

TEST(Policy, WithoutRulesAllowsAll) {
  EXPECT_EQ(decided(Policy(), {{0, kTls, kWeb}}), "allow by fallback");
  EXPECT_EQ(decided(must_parse("fallback: allow"), {{}, false}), "allow by fallback");
}

TEST(Policy, RulesComeFirstInTheirOrder) {
  const Policy policy = must_parse(R"(
rules:
  - {match: {application: YouTube, client: 10.1.0.0/16}, action: allow}
  - {name: no video, match: {category: Video}, action: drop}
  - {match: {application: [TLS, Facebook]}, action: reject}
applications: [{name: YouTube, action: allow}, {name: Facebook, action: allow}]
categories: [{name: Web, action: drop}]
fallback: allow
)");
  EXPECT_EQ(decided(policy, {{kTls, kYouTube, kVideo}, true, "10.1.2.3"}), "allow by rule 1");
  EXPECT_EQ(decided(policy, {{kTls, kYouTube, kVideo}, true, "10.2.2.3"}),
            "drop by rule 'no video'");
  EXPECT_EQ(decided(policy, {{kTls, kYouTube, kWeb}, true, "10.2.2.3"}), "reject by rule 3");
  EXPECT_EQ(decided(policy, {{kHttp, kFacebook, kWeb}}), "reject by rule 3");
  EXPECT_EQ(decided(policy, {{kHttp, kYouTube, kWeb}}), "allow by application YouTube");
  EXPECT_EQ(decided(policy, {{0, kHttp, kWeb}}), "drop by category Web");
  EXPECT_EQ(decided(policy, {{0, kHttp, 0}}), "allow by fallback");
}

TEST(Policy, EveryCondition) {
  const std::string ja3(32, 'a');
  const std::string ja4 = "t13d1516h2_8daaf6152771_b186095e22b6";
  const struct {
    std::string match;
    FlowFacts yes;
    FlowFacts no;
  } cases[] = {
      {"application: TLS.YouTube", {{kTls, kYouTube, 0}}, {{kHttp, kYouTube, 0}}},
      {"application: YouTube", {{kHttp, kYouTube, 0}}, {{kHttp, kFacebook, 0}}},
      {"application: [TLS, HTTP]", {{kHttp, kYouTube, 0}}, {{0, kBitTorrent, 0}}},
      {"category: [Web, Video]", {{0, 0, kVideo}}, {{0, 0, 0}}},
      {"risk: [XSS Attack, Weak TLS Cipher]",
       {.findings = {.risks = 1 << 2}},
       {.findings = {.risks = 1 << 3}}},
      {"score: 100", {.findings = {.risk_score = 100}}, {.findings = {.risk_score = 99}}},
      {"host: www.example.com",
       {.findings = {.host = "WWW.example.com."}},
       {.findings = {.host = "www.example.com.evil.test"}}},
      {"host: ['*.example.com', '/^cdn[0-9]+/']",
       {.findings = {.host = "cdn7.test"}},
       {.findings = {.host = "example.com"}}},
      {"ja3: " + ja3, {.findings = {.ja3_client = ja3}}, {.findings = {.ja3_server = ja3}}},
      {"ja4: [" + ja4 + "]", {.findings = {.ja4 = ja4}}, {.findings = {.ja4 = ja3}}},
      {"client: 10.0.0.0/24", {.client = "10.0.0.255"}, {.client = "10.0.1.0"}},
      {"client: ['2001:db8::/32', 192.0.2.1]", {.client = "2001:db8::7"}, {.client = "2001:db9::"}},
      {"client: 0.0.0.0/0", {.client = "1.2.3.4"}, {.client = "::"}},
      {"endpoint: [7, 0x10]", {.endpoint_id = 16}, {.endpoint_id = 10}},
      {"schedule: {from: '08:00'}", {.schedules = 1}, {.schedules = 2}},
      {"application: TLS, host: a.test",
       {.application = {0, kTls, 0}, .findings = {.host = "a.test"}},
       {.application = {0, kHttp, 0}, .findings = {.host = "a.test"}}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.match);
    const Policy policy = must_parse("rules: [{match: {" + c.match + "}, action: drop}]");
    EXPECT_EQ(decided(policy, c.yes), "drop by rule 1");
    EXPECT_EQ(decided(policy, c.no), "allow by fallback");
  }
  EXPECT_EQ(decided(must_parse("rules: [{action: drop}]"), {}), "drop by rule 1");
}

TEST(Policy, ActionsCarryTheirNumbers) {
  const Policy policy = must_parse(R"(
rules:
  - match: {application: TLS.YouTube}
    action: {limit: {rate: 1000000, burst: 20000, per: client}}
  - match: {application: YouTube}
    action: {quota: {bytes: 5000, per: application, reset: '04:30', then: {limit: {rate: 800}}}}
  - {match: {application: Facebook}, action: {mark: {dscp: 46}}}
  - {match: {application: TLS}, action: {steer: {hint: 65535}}}
applications: [{name: BitTorrent, action: {limit: {rate: 400000}}}]
)");
  const Limit& limit = decide(policy, {{kTls, kYouTube, 0}}).action().limit;
  EXPECT_EQ(limit.rate, 1'000'000u);
  EXPECT_EQ(limit.burst, 20'000u);
  EXPECT_EQ(limit.per, Per::kClient);
  const PolicyDecision by_quota = decide(policy, {{kHttp, kYouTube, 0}});
  const Quota& quota = by_quota.action().quota;
  EXPECT_EQ(by_quota.action().kind, PolicyAction::kQuota);
  EXPECT_EQ(quota.bytes, 5000u);
  EXPECT_EQ(quota.per, Per::kApplication);
  EXPECT_EQ(quota.reset, 4 * 60 + 30);
  EXPECT_EQ(quota.then, PolicyAction::kLimit);
  EXPECT_EQ(quota.limit.rate, 800u);
  EXPECT_EQ(quota.limit.burst, 15'000u);
  EXPECT_EQ(decide(policy, {{kHttp, kFacebook, 0}}).action().dscp, 46);
  EXPECT_EQ(decide(policy, {{0, kTls, 0}}).action().hint, 65535);
  const PolicyDecision bittorrent = decide(policy, {{0, kBitTorrent, 0}});
  EXPECT_EQ(bittorrent.rule->text, "application BitTorrent");
  EXPECT_EQ(bittorrent.action().limit.burst, 100'000u);
}

// What holds back a block, and what does not. A row is a policy and a flow that is not final.
TEST(Policy, BlocksAsSoonAsNothingCanEndIt) {
  const struct {
    const char* policy;
    FlowFacts flow;
    const char* decision;
    bool settled;
  } cases[] = {
      {"applications: [{name: TLS, action: drop}]",
       {{0, kTls, 0}},
       "drop by application TLS",
       true},
      {"applications: [{name: TLS, action: drop}, {name: YouTube, action: allow}]",
       {{0, kTls, 0}},
       "allow by undecided",
       false},
      {"applications: [{name: TLS, action: drop}, {name: YouTube, action: {mark: {dscp: 1}}}]",
       {{0, kTls, 0}},
       "allow by undecided",
       false},
      {"applications: [{name: TLS, action: drop}, {name: YouTube, action: allow}]",
       {{kTls, kYouTube, 0}},
       "allow by application YouTube",
       false},
      {"categories: [{name: Video, action: drop}]",
       {{0, kHttp, kVideo}},
       "allow by undecided",
       false},
      {"{categories: [{name: Video, action: drop}], fallback: drop}",
       {{0, kHttp, kVideo}},
       "drop by category Video",
       true},
      {"{categories: [{name: Video, action: drop}, {name: Web, action: allow}], fallback: drop}",
       {{0, kHttp, kVideo}},
       "allow by undecided",
       false},
      {"{applications: [{name: TLS, action: allow}], fallback: drop}",
       {{}},
       "allow by undecided",
       false},
      {"fallback: drop", {{}}, "drop by fallback", true},
      {"fallback: allow", {{}}, "allow by fallback", true},
      {"applications: [{name: TLS, action: drop}]", {{}}, "allow by fallback", false},
      // The first rule may still come to match, and would not block.
      {"rules: [{match: {host: a.test}, action: allow}, {match: {application: TLS}, action: drop}]",
       {{0, kTls, 0}},
       "allow by undecided",
       false},
      // Its host is known by now, and another.
      {"rules: [{match: {host: a.test}, action: allow}, {match: {application: TLS}, action: drop}]",
       {.application = {0, kTls, 0}, .findings = {.host = "b.test"}},
       "drop by rule 2",
       true},
      // It may still come to match, and would block too.
      {"rules: [{match: {host: a.test}, action: reject}, {match: {application: TLS}, action: "
       "drop}]",
       {{0, kTls, 0}},
       "drop by rule 2",
       true},
      // It can never match this client.
      {"rules: [{match: {host: a.test, client: 10.9.0.0/16}, action: allow}, {action: drop}]",
       {{0, kTls, 0}},
       "drop by rule 2",
       true},
      {"rules: [{match: {client: 10.0.0.0/8}, action: allow}, {match: {score: 10}, action: drop}]",
       {{}},
       "allow by rule 1",
       true},
      {"rules: [{match: {score: 10}, action: drop}]",
       {.findings = {.risk_score = 10}},
       "drop by rule 1",
       true},
      {"rules: [{match: {score: 10}, action: drop}]", {{}}, "allow by fallback", false},
      {"rules: [{match: {category: Web}, action: drop}]",
       {{0, 0, kWeb}},
       "allow by undecided",
       false},
      {"rules: [{match: {category: Web}, action: {steer: {hint: 1}}}]",
       {{0, 0, kWeb}},
       "steer by rule 1",
       false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.policy) + " " + std::to_string(c.flow.application.application));
    const Policy policy = must_parse(c.policy);
    FlowFacts flow = c.flow;
    flow.final = false;
    EXPECT_EQ(decided(policy, flow), c.decision);
    EXPECT_EQ(decide(policy, flow).settled, c.settled);
    flow.final = true;
    EXPECT_TRUE(decide(policy, flow).settled);
    EXPECT_NE(decide(policy, flow).rule->text, "undecided");
  }
}

TEST(Policy, ARuleKeepsItsIdentityWhereverItStands) {
  const std::string limit = "{match: {application: TLS}, action: {limit: {rate: 5000}}}";
  const std::string named = "{name: slow, match: {application: HTTP}, action: {limit: {rate: 5}}}";
  const std::string other = "{match: {application: TLS}, action: {limit: {rate: 5001}}}";
  const std::string renumbered =
      "{name: slow, match: {application: HTTP}, action: {limit: {rate: 6}}}";
  const Policy first = must_parse("rules: [" + limit + ", " + named + "]");
  const Policy second = must_parse("rules: [" + renumbered + ",\n\n " + limit + "]");
  const Policy third = must_parse("rules: [" + other + "]");
  const FlowFacts tls{{0, kTls, 0}}, http{{0, kHttp, 0}};
  EXPECT_EQ(decide(first, tls).rule->identity, decide(second, tls).rule->identity);
  EXPECT_EQ(decide(first, http).rule->identity, decide(second, http).rule->identity);
  EXPECT_NE(decide(first, tls).rule->identity, decide(third, tls).rule->identity);
  EXPECT_NE(decide(first, tls).rule->identity, decide(first, http).rule->identity);
}

std::string explained(const Policy& policy, const FlowFacts& flow) {
  return flow.with([&](const PolicyFacts& facts) {
    std::string text;
    for (const PolicyStep& step : policy.explain(facts, kNames))
      text += step.rule + ": " + step.why + "\n";
    return text;
  });
}

TEST(Policy, ExplainsEachStep) {
  const Policy policy = must_parse(R"(
rules:
  - {match: {application: BitTorrent, client: 10.1.0.0/16, score: 50}, action: drop}
  - {name: night, match: {schedule: {from: '22:00', to: '06:00'}, category: Video}, action: drop}
  - {match: {host: '*.example.com', risk: XSS Attack}, action: allow}
applications: [{name: YouTube, action: allow}]
categories: [{name: Web, action: drop}]
)");
  const FlowFacts flow{
      .application = {0, kHttp, kWeb}, .final = false, .findings = {.host = "b.test"}};
  EXPECT_EQ(explained(policy, flow),
            "rule 1: client is 10.0.0.1; application is HTTP so far; score is 0 so far\n"
            "rule 'night': schedule is not now; category is Web so far\n"
            "rule 3: risk is none so far; host is 'b.test'\n"
            "applications: none of 1: application is HTTP\n"
            "category Web: category is Web\n"
            "undecided: category Web would block, but what is learned later may end that\n");
  FlowFacts final = flow;
  final.final = true;
  final.application = {kTls, kYouTube, kVideo};
  final.schedules = 1;
  EXPECT_EQ(explained(policy, final),
            "rule 1: client is 10.0.0.1; application is TLS.YouTube; score is 0\n"
            "rule 'night': all its conditions hold\n");
  final.schedules = 0;
  EXPECT_EQ(explained(policy, final),
            "rule 1: client is 10.0.0.1; application is TLS.YouTube; score is 0\n"
            "rule 'night': schedule is not now\n"
            "rule 3: risk is none; host is 'b.test'\n"
            "application YouTube: application is TLS.YouTube\n");
  EXPECT_EQ(explained(must_parse("fallback: drop"), {}), "fallback: nothing else matches\n");
}

}  // namespace
}  // namespace sluice::inspect
