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

TEST(Wildcard, ABackslashTakesTheMeaningAway) {
  EXPECT_TRUE(wildcard_match("a\\*b", "a*b", false, true));
  EXPECT_FALSE(wildcard_match("a\\*b", "axb", false, true));
  EXPECT_TRUE(wildcard_match("\\?", "?", false, true));
  EXPECT_FALSE(wildcard_match("\\?", "x", false, true));
  EXPECT_TRUE(wildcard_match("\\\\*", "\\anything", false, true));
  EXPECT_TRUE(wildcard_match("a\\b", "a\\b", false, true));
  EXPECT_TRUE(wildcard_match("*\\**", "x*y", false, true));
  EXPECT_FALSE(wildcard_match("*\\**", "xy", false, true));
  EXPECT_FALSE(wildcard_match("a\\*b", "a*b", false, false));
  EXPECT_TRUE(wildcard_match("x\\", "x\\", false, true));
}

// A table whose groups are made as they are named, and requests for it.
class Routing {
 public:
  explicit Routing(const Listener& listener)
      : table_(listener,
               [](const std::string& name) { return std::make_shared<TargetPool>(name); }) {}

  Plan& plan(const std::string& host, const std::string& target, const std::string& lines = "",
             const std::string& method = "GET", const char* client = "192.0.2.7") {
    text_ = method + " " + target + " HTTP/1." + (host.empty() ? "0" : "1") + "\r\n" +
            (host.empty() ? "" : "Host: " + host + "\r\n") + lines + "\r\n";
    EXPECT_FALSE(parse_request_head(text_, &request_)) << text_;
    return table_.route(request_, *SocketAddress::parse(client, 40000));
  }
  const RequestHead& request() const { return request_; }

 private:
  RuleTable table_;
  std::string text_;
  RequestHead request_;
};

TEST(RuleTable, LowestPriorityWhoseConditionsAllHold) {
  Condition host{ConditionField::kHostHeader, {"a.example", "*.b.example"}};
  Condition path{ConditionField::kPathPattern, {"/api/*", "/v?/*"}};
  Listener listener;
  listener.default_action.target_group = "0";
  listener.rules = {
      {{}, 50, {path}, {"3"}}, {{}, 10, {host, path}, {"1"}}, {{}, 20, {host}, {"2"}}};
  Routing rules(listener);
  struct {
    const char* host;
    const char* path;
    uint32_t priority;
    const char* group;
  } cases[] = {
      {"a.example", "/api/x", 10, "1"},
      {"A.EXAMPLE", "/v2/x", 10, "1"},
      {"x.b.example", "/", 20, "2"},
      {"b.example", "/", 0, "0"},
      {"c.example", "/api/", 50, "3"},
      {"c.example", "/API/", 0, "0"},
      {"", "/", 0, "0"},
  };
  for (const auto& one : cases) {
    Plan& plan = rules.plan(one.host, one.path);
    EXPECT_EQ(plan.priority(), one.priority) << one.host << one.path;
    EXPECT_EQ(plan.choose()->name(), one.group) << one.host << one.path;
  }
}

TEST(RuleTable, EveryKindOfCondition) {
  Listener listener;
  listener.default_action.target_group = "0";
  const auto add = [&](uint32_t priority, std::vector<Condition> conditions) {
    listener.rules.push_back({{}, priority, std::move(conditions), {"1"}});
  };
  add(1, {{ConditionField::kHttpHeader, {"*mobile*", "bot?"}, "User-Agent"}});
  add(2, {{ConditionField::kHttpRequestMethod, {"DELETE", "PURGE"}}});
  add(3, {{ConditionField::kQueryString, {}, "", {{"version", "v?"}, {"", "all\\*"}}}});
  add(4, {{ConditionField::kSourceIp, {"10.0.0.0/8", "fd00::/8"}}});
  add(5, {{ConditionField::kHttpHeader, {"x"}, "X-One"},
          {ConditionField::kHttpHeader, {"y"}, "X-Two"}});
  Routing rules(listener);
  struct {
    const char* target;
    const char* lines;
    const char* method;
    const char* client;
    uint32_t priority;
  } cases[] = {
      {"/", "", "GET", "192.0.2.7", 0},
      {"/", "User-Agent: some MOBILE thing\r\n", "GET", "192.0.2.7", 1},
      {"/", "User-Agent: a\r\nuser-agent: bot1\r\n", "GET", "192.0.2.7", 1},
      {"/", "X-User-Agent: mobile\r\n", "GET", "192.0.2.7", 0},
      {"/", "", "PURGE", "192.0.2.7", 2},
      {"/", "", "purge", "192.0.2.7", 0},
      {"/?version=V1", "", "GET", "192.0.2.7", 3},
      {"/?a=b&version=v1&c", "", "GET", "192.0.2.7", 3},
      {"/?version=v10", "", "GET", "192.0.2.7", 0},
      {"/?xversion=v1", "", "GET", "192.0.2.7", 0},
      {"/version=v1", "", "GET", "192.0.2.7", 0},
      {"/?any=all*", "", "GET", "192.0.2.7", 3},
      {"/?any=allx", "", "GET", "192.0.2.7", 0},
      {"/?", "", "GET", "192.0.2.7", 0},
      {"/?&&=&", "", "GET", "192.0.2.7", 0},
      {"/", "", "GET", "10.255.0.1", 4},
      {"/", "", "GET", "11.0.0.1", 0},
      {"/", "", "GET", "fd12::1", 4},
      {"/", "", "GET", "fe80::1", 0},
      {"/", "X-Forwarded-For: 10.0.0.1\r\n", "GET", "192.0.2.7", 0},
      {"/", "X-One: x\r\n", "GET", "192.0.2.7", 0},
      {"/", "X-One: x\r\nX-Two: y\r\n", "GET", "192.0.2.7", 5},
  };
  for (const auto& one : cases)
    EXPECT_EQ(rules.plan("h", one.target, one.lines, one.method, one.client).priority(),
              one.priority)
        << one.method << " " << one.target << " " << one.lines << one.client;
}

TEST(Plan, GroupsGetTheirPartOfEveryRun) {
  Listener listener;
  listener.default_action.weighted = {{"a", 3}, {"b", 0}, {"c", 2}};
  Routing rules(listener);
  std::string order;
  for (int i = 0; i < 10; i++) order += rules.plan("h", "/").choose()->name();
  EXPECT_EQ(order, "acacaacaca");
}

TEST(Redirects, LeadWhereTheySay) {
  const struct {
    Redirect redirect;
    const char* target;
    const char* location;
  } cases[] = {
      {{.protocol = "HTTPS", .port = "443"}, "/a/b?c=d", "https://www.example:443/a/b?c=d"},
      {{.protocol = "HTTPS", .port = "443"}, "/", "https://www.example:443/"},
      {{.host = "new.#{host}"}, "/x", "http://new.www.example:8080/x"},
      {{.path = "/old/#{path}", .query = "#{query}&p=#{protocol}"},
       "/x?y",
       "http://www.example:8080/old/x?y&p=http"},
      {{.path = "/fixed", .query = ""}, "/x?y", "http://www.example:8080/fixed"},
      {{.path = "/#{path}", .query = "q=#{query}"},
       "/%23{host}",
       "http://www.example:8080/%23{host}?q="},
  };
  Listener listener;
  listener.default_action.target_group = "0";
  Routing rules(listener);
  for (const auto& one : cases) {
    (void)rules.plan("www.example:9999", one.target);
    EXPECT_EQ(redirect_location(one.redirect, rules.request(), "10.0.0.1", "8080"), one.location);
  }
  (void)rules.plan("", "/x");
  EXPECT_EQ(redirect_location({.status = 302}, rules.request(), "10.0.0.1", "8080"),
            "http://10.0.0.1:8080/x");
}

TEST(RuleTable, OfTheDocumentedExample) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/alb.yaml");
  ASSERT_TRUE(config) << config.error().front().text();
  const LoadBalancer* alb = config->load_balancer("web-alb");
  ASSERT_NE(alb, nullptr);
  Routing rules(alb->listeners[0]);
  EXPECT_EQ(rules.plan("www.shop.example", "/api/cart").choose()->name(), "api");
  EXPECT_EQ(rules.plan("shop.example", "/v2/cart").choose()->name(), "api");
  EXPECT_EQ(rules.plan("shop.example", "/").choose()->name(), "web");
  EXPECT_EQ(rules.plan("other.example", "/api/cart").choose()->name(), "web");
}

TEST(RuleTable, OfTheExampleWithEveryRule) {
  auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/rules.yaml");
  ASSERT_TRUE(config) << config.error().front().text();
  Routing rules(config->load_balancer("web-alb")->listeners[0]);
  EXPECT_TRUE(rules.plan("shop.example", "/").redirect());
  EXPECT_TRUE(rules.plan("shop.example", "/", "", "POST").fixed_response());
  int next = 0;
  for (int i = 0; i < 10; i++)
    next += rules.plan("h", "/", "", "GET", "10.9.9.9").choose()->name() == "next";
  EXPECT_EQ(next, 1);
  EXPECT_EQ(rules.plan("h", "/api/x?BETA=yes", "x-version: 2.7\r\n").priority(), 30u);
  EXPECT_EQ(rules.plan("h", "/api/x?any=beta", "x-version: 2.7\r\n").priority(), 30u);
  EXPECT_EQ(rules.plan("h", "/api/x?beta=no", "x-version: 2.7\r\n").priority(), 0u);
}

std::vector<Target> ports_of_10_0_0_1(std::initializer_list<uint16_t> ports) {
  std::vector<Target> out;
  for (uint16_t port : ports) out.push_back({*parse_ip_address("10.0.0.1"), port});
  return out;
}

std::string picks(TargetPool& pool, const PooledTarget* avoid) {
  std::string ports;
  for (int i = 0; i < 6; ++i) ports += std::to_string(pool.pick(avoid)->target().port);
  return ports;
}

TEST(TargetPool, TakesTurnsAmongTheHealthyAndFailsOpen) {
  TargetPool pool("web");
  EXPECT_TRUE(pool.update(ports_of_10_0_0_1({1, 2, 3})).empty());
  auto& targets = pool.targets();
  EXPECT_EQ(picks(pool, nullptr), "123123");  // none is healthy: all are tried
  pool.set_healthy(*targets[0], true);
  pool.set_healthy(*targets[2], true);
  EXPECT_EQ(picks(pool, nullptr), "131313");
  EXPECT_EQ(picks(pool, targets[0].get()), "333333");
  pool.set_healthy(*targets[2], false);
  EXPECT_EQ(picks(pool, targets[0].get()), "111111");  // the only one left
  EXPECT_EQ(TargetPool("empty").pick(nullptr), nullptr);
}

TEST(TargetPool, TargetsThatStayKeepWhatTheyHave) {
  TargetPool pool("web");
  (void)pool.update(ports_of_10_0_0_1({1, 2, 3}));
  pool.set_healthy(*pool.targets()[0], true);
  pool.set_healthy(*pool.targets()[1], true);
  pool.targets()[1]->requests = 7;
  const auto left = pool.update(ports_of_10_0_0_1({4, 2}));
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0]->target().port + left[1]->target().port, 4);
  EXPECT_EQ(pool.targets()[1]->requests, 7u);
  EXPECT_EQ(picks(pool, nullptr), "222222");
  pool.set_healthy(*pool.targets()[1], false);
  EXPECT_FALSE(pool.any_healthy());
  EXPECT_EQ(picks(pool, nullptr).size(), 6u);
  (void)pool.update({});
  EXPECT_EQ(pool.pick(nullptr), nullptr);
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
