// SPDX-License-Identifier: Apache-2.0
#include "gateway/alb/rules.h"

#include <gtest/gtest.h>

#include "gateway/alb/access_log.h"
#include "gateway/alb/target_pool.h"
#include "gateway/control/config.h"

namespace sluice::gateway {
namespace {

struct MatchCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Wildcard, Table) {
  const MatchCase cases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything", true},
      {"?", "", false},
      {"?", "a", true},
      {"?", "ab", false},
      {"/api/*", "/api/", true},
      {"/api/*", "/api", false},
      {"/api/*", "/api/v1/x", true},
      {"/api/*", "/API/x", false},
      {"*.png", "/a/b.png", true},
      {"*.png", "/a.png.txt", false},
      {"a*b*c", "aXXbYYc", true},
      {"a*b*c", "aXXbYY", false},
      {"*a*a*b", "aaaaaaaa", false},
      {"a**b", "ab", true},
      {"?*?", "a", false},
      {"?*?", "ab", true},
      {"/x?y", "/x/y", true},
      {"*ab", "aab", true},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(wildcard_match(one.pattern, one.text, false), one.matches)
        << one.pattern << " " << one.text;
  }
  EXPECT_TRUE(wildcard_match("*.Example.COM", "www.example.com", true));
  EXPECT_FALSE(wildcard_match("*.Example.COM", "www.example.com", false));
}

TEST(RuleTable, LowestPriorityWhoseConditionsAllHold) {
  Condition host{ConditionField::kHostHeader, {"a.example", "*.b.example"}};
  Condition path{ConditionField::kPathPattern, {"/api/*", "/v?/*"}};
  Listener listener;
  listener.default_action.target_group = "0";
  listener.rules = {
      {{}, 50, {path}, {"3"}}, {{}, 10, {host, path}, {"1"}}, {{}, 20, {host}, {"2"}}};
  RuleTable rules(listener, [](const std::string& name) { return std::stoul(name); });
  struct {
    const char* host;
    const char* path;
    uint32_t priority;
    size_t group;
  } cases[] = {
      {"a.example", "/api/x", 10, 1},
      {"A.EXAMPLE", "/v2/x", 10, 1},
      {"x.b.example", "/", 20, 2},
      {"b.example", "/", 0, 0},
      {"c.example", "/api/", 50, 3},
      {"c.example", "/API/", 0, 0},
      {"", "/", 0, 0},
  };
  for (const auto& one : cases) {
    auto match = rules.route(one.host, one.path);
    EXPECT_EQ(match.priority, one.priority) << one.host << one.path;
    EXPECT_EQ(match.group, one.group) << one.host << one.path;
  }
}

TEST(RuleTable, OfTheDocumentedExample) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/alb.yaml");
  ASSERT_TRUE(config) << config.error().front().text();
  const LoadBalancer* alb = config->load_balancer("web-alb");
  ASSERT_NE(alb, nullptr);
  std::vector<std::string> names;
  RuleTable rules(alb->listeners[0], [&](const std::string& name) {
    names.push_back(name);
    return names.size() - 1;
  });
  EXPECT_EQ(names[rules.route("www.shop.example", "/api/cart").group], "api");
  EXPECT_EQ(names[rules.route("shop.example", "/v2/cart").group], "api");
  EXPECT_EQ(names[rules.route("shop.example", "/").group], "web");
  EXPECT_EQ(names[rules.route("other.example", "/api/cart").group], "web");
}

TEST(TargetPool, TakesTurnsAmongTheHealthyAndFailsOpen) {
  TargetGroup group;
  for (uint16_t port : {1, 2, 3}) group.targets.push_back({*parse_ip_address("10.0.0.1"), port});
  TargetPool pool(group);
  auto picks = [&](const PooledTarget* avoid) {
    std::string ports;
    for (int i = 0; i < 6; ++i) ports += std::to_string(pool.pick(avoid)->target().port);
    return ports;
  };
  EXPECT_EQ(picks(nullptr), "123123");  // none is healthy: all are tried
  pool.targets()[0].healthy = pool.targets()[2].healthy = true;
  EXPECT_EQ(picks(nullptr), "131313");
  EXPECT_EQ(picks(&pool.targets()[0]), "333333");
  pool.targets()[2].healthy = false;
  EXPECT_EQ(picks(&pool.targets()[0]), "111111");  // the only one left
  TargetGroup empty;
  EXPECT_EQ(TargetPool(empty).pick(nullptr), nullptr);
}

TEST(AccessLog, EveryByteIsEscapedIntoValidJson) {
  AccessRecord record;
  record.path = "/a\"b\\c";
  record.user_agent = "caf\xc3\xa9\x01";
  record.request_processing_us = 1500;
  std::string line;
  append_access_line(record, "web", &line);
  EXPECT_NE(line.find(R"("path":"/a\"b\\c")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("user_agent":"caf\u00c3\u00a9\u0001")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("request_processing_time":0.001500)"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("target_processing_time":-1)"), std::string::npos) << line;
  EXPECT_NE(line.find(R"({"time":"1970-01-01T00:00:00.000000Z")"), std::string::npos) << line;
}

}  // namespace
}  // namespace sluice::gateway
