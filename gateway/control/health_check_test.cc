// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/health_check.h"

#include <gtest/gtest.h>

#include "gateway/control/model.h"

namespace sluice::gateway {
namespace {

TEST(HealthCheck, DefaultsByType) {
  struct Row {
    Protocol group;
    HealthProtocol protocol;
    int port, interval, timeout;
    const char* path;
    const char* matcher;
  };
  const Row rows[] = {
      {Protocol::kGeneve, HealthProtocol::kTcp, 80, 10, 5, "", ""},
      {Protocol::kGeneve, HealthProtocol::kHttps, 80, 10, 5, "/", "200-399"},
      {Protocol::kTcp, HealthProtocol::kTcp, 0, 30, 10, "", ""},
      {Protocol::kUdp, HealthProtocol::kHttp, 0, 30, 6, "/", "200-399"},
      {Protocol::kTcp, HealthProtocol::kHttps, 0, 30, 10, "/", "200-399"},
      {Protocol::kHttp, HealthProtocol::kHttp, 0, 30, 6, "/", "200"},
      {Protocol::kHttp, HealthProtocol::kGrpc, 0, 30, 6, "/AWS.ALB/healthcheck", "12"},
  };
  for (const Row& row : rows) {
    const HealthCheck check = default_health_check(row.group, row.protocol);
    EXPECT_EQ(check.port, row.port);
    EXPECT_EQ(check.interval_s, row.interval);
    EXPECT_EQ(check.timeout_s, row.timeout);
    EXPECT_EQ(check.healthy_threshold, 5);
    EXPECT_EQ(check.unhealthy_threshold, 2);
    EXPECT_EQ(check.path, row.path);
    EXPECT_EQ(check.matcher, row.matcher);
    EXPECT_TRUE(check.enabled);
    EXPECT_TRUE(check_health_path(check));
    EXPECT_TRUE(check_health_matcher(check, row.group));
  }
  EXPECT_EQ(default_health_protocol(Protocol::kHttp), HealthProtocol::kHttp);
  EXPECT_EQ(default_health_protocol(Protocol::kGeneve), HealthProtocol::kTcp);
}

TEST(HealthCheck, CodesAreListsOfRanges) {
  auto codes = CodeRanges::parse("200,204-206,302", 200, 499);
  ASSERT_TRUE(codes);
  for (int code : {200, 204, 205, 206, 302}) EXPECT_TRUE(codes->contains(code)) << code;
  for (int code : {0, 199, 201, 203, 207, 301, 303, 500}) EXPECT_FALSE(codes->contains(code));
  EXPECT_TRUE(CodeRanges::parse("0-99", 0, 99)->contains(0));
}

TEST(HealthCheck, WhatIsNoListOfCodesIsRefused) {
  for (const char* text :
       {"", ",", "200,", ",200", "200-", "-200", "-", "200-199", "199", "500", "200-500", "200 ",
        " 200", "2xx", "+200", "200--299", "99999999999", "200-204-206"})
    EXPECT_FALSE(CodeRanges::parse(text, 200, 499)) << text;
  std::string many = "200";
  for (size_t i = 1; i < kCodeRangesMax; i++) many += ",200";
  EXPECT_TRUE(CodeRanges::parse(many, 200, 499));
  EXPECT_EQ(CodeRanges::parse(many + ",200", 200, 499).error().what, "at most 16 ranges of codes");
}

TEST(HealthCheck, PathsThatAreNoPathAreRefused) {
  HealthCheck check = default_health_check(Protocol::kTcp, HealthProtocol::kHttp);
  for (const char* path : {"", "x", "/a b", "/a\r\nX: y", "/\x7f", "/a#b", "http://x/"}) {
    check.path = path;
    EXPECT_FALSE(check_health_path(check)) << path;
  }
  check.path = "/" + std::string(kHealthPathMax - 1, 'a');
  EXPECT_TRUE(check_health_path(check));
  check.path += 'a';
  EXPECT_FALSE(check_health_path(check));
}

}  // namespace
}  // namespace sluice::gateway
