// SPDX-License-Identifier: Apache-2.0
// Rules about files, where a request and its response both have one.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

// A file of 40 bytes goes up, one of 20 comes down; the rules that alert, with the packet (2: the
// request, 3: the response, counted behind the SYN).
std::vector<int> alerts_of_two_files(const std::string& rule) {
  Harness h("alert http any any -> any any (" + rule + " sid:1;)");
  h.connect({});
  const std::string request =
      "POST /f.exe HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n" + std::string(40, 'a');
  h.data({}, 0, request);
  std::vector<int> alerts(h.alerts().size(), 2);
  h.send(tcp(Ends().turned(), kAck, 5001, 1001 + static_cast<uint32_t>(request.size()),
             "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + std::string(20, 'b')));
  alerts.resize(h.alerts().size(), 3);
  return alerts;
}

TEST(FileRulesBothWays, ARuleIsAboutTheFileOfItsDirection) {
  const struct {
    const char* rule;
    std::vector<int> alerts;
  } cases[] = {
      {"filesize:20; flow:to_server;", {}},
      {"filesize:40; flow:to_client;", {}},
      {"filesize:40; flow:to_server;", {2}},
      {"filesize:20; flow:to_client;", {3}},
      {"filesize:20;", {3}},
      {"filesize:>10;", {2, 3}},
      {"fileext:\"exe\"; filesize:<30; flow:to_server;", {}},
      {"http.method; content:\"POST\"; filesize:20; flow:to_server;", {}},
      {"http.method; content:\"POST\"; filesize:20;", {3}},
      {"file.data; content:\"a\"; filesize:20;", {}},
      {"file.data; content:\"b\"; filesize:20;", {3}},
  };
  for (const auto& c : cases) EXPECT_EQ(alerts_of_two_files(c.rule), c.alerts) << c.rule;
}

TEST(FileRulesBothWays, WhatOnlyRequestsHaveIsMissedOnce) {
  for (const std::string buffer : {"http.referer", "http.user_agent"})
    EXPECT_EQ(alerts_of_two_files(buffer + "; absent;"), std::vector<int>{2}) << buffer;
}

}  // namespace
}  // namespace sluice::inspect
