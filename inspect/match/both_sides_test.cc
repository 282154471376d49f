// SPDX-License-Identifier: Apache-2.0
// Rules about a request and its response (=>), and about one of them.
#include "inspect/match/traffic_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness, traffic

TEST(BothSides, ARuleHoldsWhenBothHaveSaidIt) {
  Harness h(
      "alert http 10.0.0.1 any => 10.0.0.2 80 (http.uri; content:\"/index\"; http.server; "
      "content:\"Engine\"; sid:1;)\n"
      "alert http any any => any any (http.uri; content:\"/index\"; http.server; "
      "content:\"Other\"; sid:2;)\n"
      "alert http any any => any any (http.uri; content:\"/other\"; http.server; "
      "content:\"Engine\"; sid:3;)\n"
      "alert http 10.0.0.2 any => 10.0.0.1 any (http.uri; content:\"/index\"; http.server; "
      "content:\"Engine\"; sid:4;)\n"
      "alert http any any => any any (http.uri; content:\"/index\"; http.stat_code; "
      "content:\"200\"; fast_pattern; sid:5;)\n");
  web_traffic(h);
  EXPECT_EQ(h.alerts(), (Sids{1, 5}));
}

TEST(BothSides, WhatBothSidesHaveIsAskedOfOne) {
  Harness h(
      "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; "
      "http.cookie; content:\"id=7\"; sid:1;)\n"
      "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; "
      "http.cookie; content:\"s=9\"; sid:2;)\n"
      "alert http any any -> any any (flow:to_server; http.uri; content:\"/index\"; "
      "http.header; content:\"Engine\"; sid:3;)\n"
      "alert http any any -> any any (flow:to_server; http.uri; content:\"/index\"; "
      "http.header; content:\"Agent\"; sid:4;)\n"
      "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; "
      "file.data; content:\"name=body\"; sid:5;)\n"
      "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; "
      "file.data; content:\"MZ file\"; sid:6;)\n");
  web_traffic(h);
  EXPECT_EQ(h.alerts(), (Sids{4, 2, 6}));
}

TEST(BothSides, WhatDoesNotTellItsSideRefusesTheRule) {
  EngineOptions options;
  options.rule_texts = {
      {"t",
       "alert http any any => any any (http.uri; content:\"x\"; http.header; content:\"y\"; "
       "sid:1;)\n"
       "alert tcp any any => any any (content:\"x\"; sid:2;)\n"
       "alert http any any => any any (flow:to_server; http.uri; content:\"x\"; sid:3;)\n"
       "alert http any any => any any (http.uri; content:\"x\"; http.location; absent; sid:4;)\n"}};
  const auto engine = Engine::create(options);
  ASSERT_TRUE(engine);
  std::vector<std::string> reasons;
  for (const RefusedRule& refused : (*engine)->refused()) reasons.push_back(refused.reason);
  EXPECT_EQ(reasons, (std::vector<std::string>{
                         "=> needs buffers of one side, and http.header is of both",
                         "=> needs buffers of an application protocol",
                         "=> does not go with a direction in flow", "=> does not go with absent"}));
}

}  // namespace
}  // namespace sluice::inspect
