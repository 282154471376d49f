// SPDX-License-Identifier: Apache-2.0
// The endpoint alone, over loopback: one thread polls it and asks it.
#include "appliances/sdk/health.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <string>

namespace sluice::sdk {
namespace {

class HealthTest : public testing::Test {
 protected:
  void SetUp() override {
    {
      const Socket probe(::socket(AF_INET, SOCK_STREAM, 0));
      socklen_t length = sizeof(name_);
      name_.sin_family = AF_INET;
      inet_pton(AF_INET, "127.0.0.1", &name_.sin_addr);
      ASSERT_EQ(bind(probe.fd(), reinterpret_cast<sockaddr*>(&name_), sizeof(name_)), 0);
      getsockname(probe.fd(), reinterpret_cast<sockaddr*>(&name_), &length);
    }
    auto endpoint = HealthEndpoint::create(
        {"127.0.0.1", ntohs(name_.sin_port), [this] { return alive_; },
         [] { return "{\"counted\":1}"; }, [] { return Result<std::string>("metric 1\n"); }});
    ASSERT_TRUE(endpoint) << endpoint.error().text();
    endpoint_.emplace(std::move(*endpoint));
  }

  bool can_connect(const Socket& socket) {
    endpoint_->poll_once(0);
    return connect(socket.fd(), reinterpret_cast<const sockaddr*>(&name_), sizeof(name_)) == 0;
  }

  std::string ask(const std::string& request) {
    const Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_TRUE(can_connect(socket));
    const std::string whole = request + "\r\nHost: x\r\n\r\n";
    EXPECT_EQ(send(socket.fd(), whole.data(), whole.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(whole.size()));
    std::string answer;
    char bytes[4096];
    for (int polls = 0; polls < 1000; polls++) {
      endpoint_->poll_once(10);
      const ssize_t got = recv(socket.fd(), bytes, sizeof(bytes), MSG_DONTWAIT);
      if (got == 0) return answer;
      if (got > 0) answer.append(bytes, static_cast<size_t>(got));
    }
    return "no end: " + answer;
  }

  bool alive_ = true;
  sockaddr_in name_{};
  std::optional<HealthEndpoint> endpoint_;
};

std::string ok(const std::string& type, const std::string& body, size_t length) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(length) + "\r\nConnection: close\r\n\r\n" + body;
}

TEST_F(HealthTest, RefusesConnectionsWhileNotAlive) {
  for (const bool alive : {true, false, true}) {
    alive_ = alive;
    EXPECT_EQ(can_connect(Socket(::socket(AF_INET, SOCK_STREAM, 0))), alive);
  }
}

TEST_F(HealthTest, WhateverPathATargetGroupsChecksAskForIsAnswered) {
  for (const char* path : {"/", "/healthz", "/a/b?c=d", "/metricsx", "/metrics/"})
    EXPECT_EQ(ask("GET " + std::string(path) + " HTTP/1.1"), ok("text/plain", "ok\n", 3)) << path;
}

TEST_F(HealthTest, PagesAreKnownByTheirPathAlone) {
  const std::string stats = ok("application/json", "{\"counted\":1}\n", 14);
  const std::string metrics = ok("text/plain; version=0.0.4", "metric 1\n", 9);
  for (const char* rest : {" HTTP/1.1", " HTTP/1.0", "?x=1 HTTP/1.1", ""}) {
    EXPECT_EQ(ask(std::string("GET /stats") + rest), stats) << rest;
    EXPECT_EQ(ask(std::string("GET /metrics") + rest), metrics) << rest;
  }
}

TEST_F(HealthTest, HeadHasTheHeadersOfGet) {
  EXPECT_EQ(ask("HEAD /metrics HTTP/1.1"), ok("text/plain; version=0.0.4", "", 9));
  EXPECT_EQ(ask("HEAD /x HTTP/1.1"), ok("text/plain", "", 3));
}

}  // namespace
}  // namespace sluice::sdk
