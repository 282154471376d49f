// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/explain.h"

#include <atomic>
#include <thread>

#include "appliances/dpi/appliance_for_test.h"
#include "appliances/dpi/command.h"
#include "appliances/dpi/dpi_controls.h"
#include "appliances/sdk/commands.h"

namespace sluice::dpi {
namespace {

using inspect::testing::Ends;
using nlohmann::json;

class ExplainTest : public ApplianceTest {
 protected:
  static void SetUpTestSuite() {
    auto made = inspect::Classifier::create();
    ASSERT_TRUE(made);
    classifier = made->release();
  }
  static void TearDownTestSuite() { delete classifier; }

  static std::string explained(const std::string& policy, const DescribedFlow& flow) {
    const std::string file = testing::TempDir() + "dpi_explain_" + std::to_string(getpid());
    std::ofstream(file) << policy;
    const auto text = explain(file, flow, *classifier, 1'700'000'000'000'000);
    std::remove(file.c_str());
    return text ? *text : text.error().text();
  }

  static inline inspect::Classifier* classifier = nullptr;
};

const std::string kPolicy = R"(
rules:
  - {name: night, match: {schedule: {from: "22:00", to: "23:00"}, application: TLS}, action: drop}
  - {match: {host: "*.example.com", score: 50}, action: {limit: {rate: 1000, burst: 2000, per: client}}}
  - {match: {client: 10.1.0.0/16, endpoint: 7}, action: {mark: {dscp: 8}}}
  - {match: {risk: Weak TLS Cipher}, action: {quota: {bytes: 9, then: {limit: {rate: 50000}}}}}
applications: [{name: YouTube, action: {steer: {hint: 3}}}]
categories: [{name: Web, action: reject}]
)";

TEST_F(ExplainTest, DescribedFlows) {
  // The test's now is 22:13 UTC.
  EXPECT_EQ(explained(kPolicy, {.application = "TLS"}),
            "TLS, category Web\n"
            "  yes      rule 'night': all its conditions hold\n"
            "decision: drop, by rule 'night'\n");
  const std::string time = "2026-11-21T21:59";
  EXPECT_EQ(
      explained(kPolicy,
                {.application = "TLS.YouTube", .score = 50, .host = "a.example.com", .time = time}),
      "TLS.YouTube, category Media\n"
      "  no       rule 'night': schedule is not now\n"
      "  yes      rule 2: all its conditions hold\n"
      "decision: limit to 1000 bytes a second (2000 at once) for each client, by rule 2\n");
  EXPECT_EQ(explained(kPolicy, {.application = "YouTube", .client = "10.2.0.1", .time = time}),
            "YouTube, category Media\n"
            "  no       rule 'night': schedule is not now; application is YouTube\n"
            "  no       rule 2: score is 0; host is unknown\n"
            "  no       rule 3: client is 10.2.0.1; endpoint is 0\n"
            "  no       rule 4: risk is none\n"
            "  yes      application YouTube: application is YouTube\n"
            "decision: steer with hint 3, by application YouTube\n");
  EXPECT_EQ(
      explained(kPolicy, {.application = "HTTP", .time = time + ":59Z", .first = true}),
      "HTTP, category Web\n"
      "  no       rule 'night': schedule is not now; application is HTTP so far\n"
      "  not yet  rule 2: score is 0 so far; host is unknown so far\n"
      "  no       rule 3: client is 0.0.0.0; endpoint is 0\n"
      "  not yet  rule 4: risk is none so far\n"
      "  not yet  applications: none of 1: application is HTTP\n"
      "  for now  category Web: category is Web\n"
      "  yes      undecided: category Web would block, but what is learned later may end that\n"
      "decision: allow, by undecided\n");
  const auto last_line = [](const std::string& text) {
    return text.substr(text.rfind('\n', text.size() - 2) + 1);
  };
  EXPECT_EQ(last_line(explained(kPolicy, {.client = "10.1.0.1", .endpoint = 7})),
            "decision: mark with DSCP 8, by rule 3\n");
  EXPECT_EQ(last_line(explained(kPolicy, {.category = "Video", .risks = {"Weak TLS Cipher"}})),
            "decision: 9 bytes a day for each client, then limit to 50000 bytes a second (15000 at "
            "once) for each flow, by rule 4\n");
  EXPECT_EQ(last_line(explained(kPolicy, {})), "decision: allow, by fallback\n");
}

TEST_F(ExplainTest, WhatIsWrongIsSaid) {
  const struct {
    DescribedFlow flow;
    const char* error;
  } cases[] = {
      {{.application = "Youtub"},
       "--application: unknown application 'Youtub', did you mean 'YouTube'?"},
      {{.application = "TLS.Youtub"},
       "--application: unknown application 'Youtub', did you mean 'YouTube'?"},
      {{.category = "web"}, "--category: unknown category 'web', did you mean 'Web'?"},
      {{.risks = {"Weak TLS"}}, "--risk: unknown risk 'Weak TLS'"},
      {{.client = "here"}, "--client: not an IP address: 'here'"},
      {{.time = "21:59"}, "--time: a time like 2026-11-21T18:30 or 2026-11-21T18:30Z is expected"},
      {{.time = "2026-11-21T18:30ZZ"},
       "--time: a time like 2026-11-21T18:30 or 2026-11-21T18:30Z is expected"},
  };
  for (const auto& c : cases) EXPECT_EQ(explained("fallback: allow", c.flow), c.error);
  EXPECT_NE(explained("falback: allow", {}).find("unknown key 'falback'"), std::string::npos);
  EXPECT_EQ(explain("", {}, *classifier, 0).error().text(), "explain: say --policy FILE");
}

TEST_F(ExplainTest, AFlowThatIsThere) {
  start(
      "rules: [{name: risky, match: {score: 5000}, action: drop}]\n"
      "applications: [{name: NetFlix, action: reject}]");
  sdk::Errands errands;
  sdk::Commands commands(dpi_controls(""), sdk::Workers({&errands}, 60'000), {});
  const auto ask = [&](const std::string& fields) {
    std::atomic<bool> done{false};
    std::thread worker([&] {
      while (!done) errands.run(*appliance_);
    });
    const std::string reply = commands.answer(R"({"command":"explain")" + fields + "}");
    done = true;
    worker.join();
    return json::parse(reply);
  };
  const Ends ends;
  handshake(ends);
  request(ends);
  // Either direction finds it.
  for (
      const char* tuple :
      {R"(,"src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","dest_port":80)",
       R"(,"src_ip":"10.0.0.2","src_port":80,"dest_ip":"10.0.0.1","dest_port":40000,"proto":"TCP")"}) {
    const json reply = ask(tuple);
    ASSERT_EQ(reply["ok"], true) << reply;
    EXPECT_EQ(reply["src_ip"], "10.0.0.1");
    EXPECT_EQ(reply["dest_port"], 80);
    EXPECT_EQ(reply["application"], "HTTP.NetFlix");
    EXPECT_EQ(reply["hostname"], "www.netflix.com");
    EXPECT_EQ(reply["action"], "reject");
    EXPECT_EQ(reply["rule"], "application NetFlix");
    EXPECT_EQ(reply["reason"], "policy");
    EXPECT_EQ(reply["packets_blocked"], 1);
    ASSERT_EQ(reply["history"].size(), 2u);
    EXPECT_EQ(reply["history"][1]["packet"], 4);
    EXPECT_EQ(reply["steps"][0]["matches"], "not yet");
    EXPECT_EQ(reply["steps"][1]["rule"], "application NetFlix");
  }
  for (const char* bad :
       {"", R"(,"src_ip":1,"dest_ip":"10.0.0.2")", R"(,"src_ip":"x","dest_ip":"10.0.0.2")",
        R"(,"src_ip":"10.0.0.1","dest_ip":"::1")",
        R"(,"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","src_port":-1)",
        R"(,"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","dest_port":65536)",
        R"(,"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","proto":"XYZ")",
        R"(,"src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","dest_port":80,"proto":41)",
        R"(,"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","src_port":1,"dest_port":80)"})
    EXPECT_EQ(ask(bad)["ok"], false) << bad;
}

TEST_F(ExplainTest, TheStepsOfAFlowAreBounded) {
  start("fallback: allow");
  const Ends ends;
  handshake(ends);
  // Policies that each lead to another rule; their steps go with them.
  for (int i = 0; i < 20; i++) {
    auto policy = inspect::Policy::parse(
        "rules: [{name: r" + std::to_string(i) + ", action: allow}]", "p", appliance_->names());
    ASSERT_TRUE(policy);
    appliance_->set_policy(std::make_shared<const inspect::Policy>(std::move(*policy)));
    data(ends, 100);
  }
  const auto report = appliance_->report(inspect::testing::parsed(ip_).tuple);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->history.size(), 1u);
  EXPECT_EQ(report->history[0].rule, "rule 'r19'");

  // One policy whose schedules do.
  std::string rules = "rules:\n";
  for (int i = 0; i < 12; i++)
    rules += "  - {match: {schedule: {from: '23:" + std::to_string(10 + i) +
             "', to: '23:" + std::to_string(11 + i) +
             "'}}, action: {mark: {dscp: " + std::to_string(i) + "}}}\n";
  start(rules);
  time_us_ = 1'700'000'000'000'000 + 57 * 60'000'000ll;
  for (int i = 0; i < 12; i++) {
    data(ends, 100);
    EXPECT_EQ(ip_[1] >> 2, i);
    time_us_ += 60'000'000 - 1000;
  }
  const auto marked = appliance_->report(inspect::testing::parsed(ip_).tuple);
  ASSERT_TRUE(marked);
  ASSERT_EQ(marked->history.size(), kFlowStepsMax);
  EXPECT_EQ(marked->history.back().rule, "rule 12");
  EXPECT_EQ(marked->history.back().packet, 12u);
}

TEST(DpiCommandLine, TheProgramsOptions) {
  const std::vector<std::string> arguments = {"--policy", "p.yaml", "--shadow"};
  const auto command = parse_arguments(arguments);
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->dpi.shadow);
}

}  // namespace
}  // namespace sluice::dpi
