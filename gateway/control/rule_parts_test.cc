// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/rule_parts.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

// "where: what", or "" when it is good.
std::string told(const Result<>& result) {
  return result ? "" : result.error().where + ": " + result.error().what;
}

TEST(RuleParts, Conditions) {
  const std::string long_value(129, 'x');
  const struct {
    Condition condition;
    const char* error;
  } cases[] = {
      {{ConditionField::kPathPattern, {"/a/*"}}, ""},
      {{ConditionField::kPathPattern, {}}, "values: a condition needs at least one value"},
      {{ConditionField::kPathPattern, std::vector<std::string>(17, "/")},
       "values: at most 16 values are possible"},
      {{ConditionField::kPathPattern, {"/", long_value}},
       "values[1]: expected 1 to 128 characters"},
      {{ConditionField::kHostHeader, {"a\nb"}}, "values[0]: expected printable ASCII characters"},
      {{ConditionField::kHttpHeader, {"*1*"}, "X-Version"}, ""},
      {{ConditionField::kHttpHeader, {"*1*"}},
       "header: expected the name of a header, 1 to 40 characters"},
      {{ConditionField::kHttpHeader, {"*1*"}, "X Version"},
       "header: expected the name of a header, 1 to 40 characters"},
      {{ConditionField::kHostHeader, {"a"}, "Host"},
       "header: only a condition on http-header names one"},
      {{ConditionField::kHttpRequestMethod, {"GET", "M-SEARCH"}}, ""},
      {{ConditionField::kHttpRequestMethod, {"GET POST"}},
       "values[0]: expected a method of 1 to 40 characters"},
      {{ConditionField::kSourceIp, {"10.0.0.0/8", "fd00::/8", "0.0.0.0/0"}}, ""},
      {{ConditionField::kSourceIp, {"10.0.0.1/8"}},
       "values[0]: '10.0.0.1/8' has bits after its prefix length"},
      {{ConditionField::kQueryString, {}, "", {{"k", "v"}, {"", "v"}}}, ""},
      {{ConditionField::kQueryString, {}, "", {{"k", ""}}},
       "values[0]: expected 1 to 128 characters"},
      {{ConditionField::kQueryString, {}, "", {{long_value, "v"}}},
       "values[0]: a key has at most 128 characters"},
      {{ConditionField::kQueryString, {"v"}}, "values: a condition needs at least one value"},
  };
  for (const auto& one : cases) EXPECT_EQ(told(check_condition(one.condition)), one.error);
}

TEST(RuleParts, Redirects) {
  const struct {
    Redirect redirect;
    const char* where;
  } cases[] = {
      {{.protocol = "HTTPS", .port = "443"}, ""},
      {{.path = "/new/#{path}", .query = "from=#{host}&#{query}", .status = 302}, ""},
      {{.host = "www.#{host}"}, ""},
      {{}, "protocol"},
      {{.status = 302}, "protocol"},
      {{.protocol = "https"}, "protocol"},
      {{.host = ""}, "host"},
      {{.host = "a/b"}, "host"},
      {{.host = "a\r\nSet-Cookie: x"}, "host"},
      {{.host = "#{path}"}, "host"},
      {{.port = "0"}, "port"},
      {{.port = "65536"}, "port"},
      {{.path = "no-slash"}, "path"},
      {{.path = "/#{cookie}"}, "path"},
      {{.path = "/#{path"}, "path"},
      {{.path = "/a b"}, "path"},
      {{.path = "/" + std::string(128, 'a')}, "path"},
      {{.query = "?a"}, "query"},
      {{.path = "/x", .status = 303}, "status"},
  };
  for (const auto& one : cases) {
    const auto good = check_redirect(one.redirect);
    EXPECT_EQ(good ? "" : good.error().where, one.where) << one.redirect.path;
  }
}

TEST(RuleParts, FixedResponses) {
  const struct {
    FixedResponse response;
    const char* where;
  } cases[] = {
      {{}, ""},
      {{200, "application/json", "{}"}, ""},
      {{404, "", std::string(1024, 'x')}, ""},
      {{404, "", std::string(1025, 'x')}, "body"},
      {{301, "", ""}, "status"},
      {{199, "", ""}, "status"},
      {{600, "", ""}, "status"},
      {{200, "text/xml", ""}, "content_type"},
      {{200, "text/html\r\nX: y", ""}, "content_type"},
  };
  for (const auto& one : cases) {
    const auto good = check_fixed_response(one.response);
    EXPECT_EQ(good ? "" : good.error().where, one.where) << one.response.status;
  }
}

TEST(RuleParts, GroupsOfAnAction) {
  EXPECT_EQ(groups_of({"a"}), (std::vector<WeightedGroup>{{"a", 1}}));
  const Action weighted{"", {{"a", 3}, {"b", 0}}};
  EXPECT_EQ(groups_of(weighted).size(), 2u);
  EXPECT_TRUE(forwards_to(weighted, "b"));
  EXPECT_FALSE(forwards_to(weighted, ""));
  Action fixed;
  fixed.fixed_response = FixedResponse{};
  EXPECT_TRUE(groups_of(fixed).empty());
  EXPECT_FALSE(forwards_to(fixed, ""));
}

}  // namespace
}  // namespace sluice::gateway
