// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/limit_settings.h"

#include <gtest/gtest.h>

#include "appliances/ids/settings_for_test.h"

namespace sluice::ids {
namespace {

using LimitSettingsTest = SettingsTest;

TEST_F(LimitSettingsTest, ExceptionPolicies) {
  using enum inspect::ExceptionCause;
  EXPECT_TRUE(choose_policy("app-error=drop-flow", options_));
  EXPECT_TRUE(choose_policy("midstream=reject", options_));
  EXPECT_EQ(options_.inspection.exceptions[kAppError], inspect::ExceptionPolicy::kDropFlow);
  EXPECT_EQ(options_.inspection.exceptions[kMidstream], inspect::ExceptionPolicy::kReject);
  EXPECT_TRUE(choose_policy("stream-memcap=auto", options_));
  EXPECT_EQ(options_.inspection.exceptions[kStreamMemory], inspect::ExceptionPolicy::kDropFlow);
  for (const char* bad :
       {"", "=", "midstream", "midstream=", "midstream=drop-packet", "flow=ignore",
        "stream-memcap=ignore", "defrag-memcap=drop-flow", "flow-memcap=pass-flow"})
    EXPECT_FALSE(choose_policy(bad, options_)) << bad;
}

TEST_F(LimitSettingsTest, LimitsOfFragments) {
  EXPECT_EQ(apply("defrag:\n  memcap: 8mb\n  hash-size: 65536\n  trackers: 100\n  max-frags: 200\n"
                  "  prealloc: yes\n  timeout: 90\n"),
            std::vector<std::string>{
                config() + ":3: defrag.hash-size, defrag.prealloc: memory for fragments is "
                           "taken as they come"});
  const inspect::DefragLimits& limits = options_.inspection.defrag;
  EXPECT_EQ(limits.memory_max, 8u << 20);
  EXPECT_EQ(limits.datagrams_max, 100u);
  EXPECT_EQ(limits.fragments_max, 200u);
  EXPECT_EQ(limits.timeout_us, 90'000'000);
  for (const char* bad :
       {"defrag.memcap=0", "defrag.memcap=1kb", "defrag.memcap=much", "defrag.trackers=0",
        "defrag.trackers=-1", "defrag.trackers=99999999999", "defrag.max-frags=0",
        "defrag.max-frags=", "defrag.timeout=0", "defrag.timeout=60s", "defrag.timeout=100000"})
    EXPECT_FALSE(apply_setting(bad, options_)) << bad;
}

TEST_F(LimitSettingsTest, WhatIsOutOfRangeIsToldTheRange) {
  EXPECT_EQ(refusal("stream:\n  reassembly:\n    depth: 0\n"),
            config() +
                ":3: 'stream.reassembly.depth=0' is not supported: it can be from 1 to "
                "1073741824 (64kb, 1gb ... too)");
}

TEST_F(LimitSettingsTest, OnePolicyForAll) {
  using enum inspect::ExceptionCause;
  using inspect::ExceptionPolicy;
  apply(
      "stream:\n  midstream-policy: reject\n"
      "exception-policy: drop-packet\n"
      "app-layer:\n  error-policy: bypass\n");
  const inspect::ExceptionPolicies& policies = options_.inspection.exceptions;
  EXPECT_EQ(policies[kMidstream], ExceptionPolicy::kReject);
  EXPECT_EQ(policies[kAppError], ExceptionPolicy::kPassFlow);
  EXPECT_EQ(policies[kStreamMemory], ExceptionPolicy::kDropPacket);
  EXPECT_EQ(policies[kFlowMemory], ExceptionPolicy::kDropPacket);
  EXPECT_EQ(policies[kOverload], ExceptionPolicy::kIgnore);
  IdsOptions automatic;
  EXPECT_TRUE(apply_setting("exception-policy=auto", automatic));
  EXPECT_EQ(automatic.inspection.exceptions[kAppError], ExceptionPolicy::kDropFlow);
  EXPECT_EQ(automatic.inspection.exceptions[kMidstream], ExceptionPolicy::kIgnore);
  EXPECT_FALSE(apply_setting("exception-policy=perhaps", automatic));
}

TEST_F(LimitSettingsTest, WhatIsRefusedNamesItsLineAndWhatCanBe) {
  EXPECT_EQ(refusal("%YAML 1.1\n---\nflow:\n  memcap-policy: drop-flow\n"),
            config() +
                ":4: 'flow.memcap-policy=drop-flow' is not supported: it can be auto, ignore, "
                "pass-packet, drop-packet, reject");
}

// The example of the documentation says what is documented.
TEST_F(LimitSettingsTest, ExampleOfLimits) {
  using enum inspect::ExceptionCause;
  using inspect::ExceptionPolicy;
  apply_example("ids-limits.yaml");
  const inspect::InspectorOptions& inspection = options_.inspection;
  EXPECT_EQ(inspection.exceptions[kMidstream], ExceptionPolicy::kReject);
  EXPECT_EQ(inspection.exceptions[kAppError], ExceptionPolicy::kIgnore);
  EXPECT_EQ(inspection.exceptions[kAppMemory], ExceptionPolicy::kDropFlow);
  EXPECT_EQ(inspection.exceptions[kOverload], ExceptionPolicy::kPassPacket);
  EXPECT_EQ(inspection.exceptions[kFlowMemory], ExceptionPolicy::kDropPacket);
  EXPECT_EQ(inspection.stream_memory_max, 512u << 20);
  EXPECT_EQ(inspection.session_memory_max, 64u << 20);
  EXPECT_EQ(inspection.app_memory_max, 128u << 20);
  EXPECT_EQ(inspection.app_flow_memory_max, 4u << 20);
  EXPECT_EQ(inspection.wait_max_us, 50'000);
  EXPECT_EQ(inspection.latency.max_us, 500u);
  EXPECT_EQ(inspection.latency.timeouts_max, 5u);
  EXPECT_EQ(inspection.latency.suspend_seconds, 30u);
  for (const char* bad : {"latency.packet-max=2000000", "latency.rule-timeouts=0",
                          "overload-wait-max=0", "stream.memcap=1kb", "app-layer.memcap=0"})
    EXPECT_FALSE(apply_setting(bad, options_)) << bad;
}

constexpr const char* kLibhtp = "app-layer.protocols.http.libhtp.";

TEST_F(LimitSettingsTest, AsMuchOfABodyIsLookedAtAsIsAskedFor) {
  const auto& bodies = options_.inspection.http_bodies;
  EXPECT_EQ(bodies, (inspect::HttpBodyLimits{128 << 10, 128 << 10}));
  const auto config_of = [](const std::string& request, const std::string& response) {
    return "app-layer: {protocols: {http: {libhtp: {default-config: {request-body-limit: " +
           request + ", response-body-limit: " + response +
           "}, server-config: [apache: {request-body-limit: 4096}]}}}}\n";
  };
  EXPECT_EQ(apply(config_of("100kb", "1mb")), None{});
  EXPECT_EQ(bodies, (inspect::HttpBodyLimits{100 << 10, 1 << 20}));
  EXPECT_EQ(apply(config_of("1000", "0")), None{});
  EXPECT_EQ(bodies, (inspect::HttpBodyLimits{4096, 1 << 20}))
      << "of several servers the most counts, and no limit is the depth of a stream";
  const std::string name = std::string(kLibhtp) + "default-config.response-body-limit";
  const std::string why = "' is not supported: a megabyte of a body is looked at: say 1mb at most";
  EXPECT_EQ(refusal(config_of("1mb", "10mb")), config() + ":1: '" + name + "=10mb" + why);
  EXPECT_EQ(refusal("\n" + config_of("1mb", "0") + "stream: {reassembly: {depth: 2mb}}\n"),
            config() + ":2: '" + name + "=0" + why);
  EXPECT_TRUE(apply_setting(name + "=200kb", options_));
  EXPECT_EQ(bodies[1], 200u << 10);
  EXPECT_FALSE(apply_setting(name + "=2mb", options_));
  EXPECT_FALSE(apply_setting(name + "=-1", options_));
}

TEST_F(LimitSettingsTest, LargerLimitsThanThereAreAreRefused) {
  const std::string mail = "app-layer.protocols.smtp.inspected-tracker.content-limit";
  const std::string limits = "app-layer: {protocols: {smtp: {inspected-tracker: {content-limit: ";
  for (const std::string value : {"0", "131073", "much"})
    EXPECT_EQ(refusal(limits + value + "}}}}\n"),
              config() + ":1: '" + mail + "=" + value +
                  "' is not supported: 128 KB of an attachment are looked at: say 128kb at most");
  EXPECT_EQ(apply(limits + "100000}}}}\n").size(), 1u) << "more is looked at";
  EXPECT_EQ(refusal("pcre:\n  match-limit: 50001\n"),
            config() + ":2: 'pcre.match-limit=50001' is not supported: say 50000 at most");
  EXPECT_EQ(apply("pcre: {match-limit: 3500, match-limit-recursion: 1500}\n").size(), 1u);
}

}  // namespace
}  // namespace sluice::ids
