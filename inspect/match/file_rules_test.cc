// SPDX-License-Identifier: Apache-2.0
// Rules about files.
#include <algorithm>

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

// The end of the file answers both.
TEST(FileRules, SizeTogetherWithWhatNeedsTheEndOfTheBytes) {
  Harness h(
      "alert http any any -> any any (file.data; content:\"MZ\"; startswith; "
      "content:!\"DOS mode\"; filesize:<100; sid:1;)\n"
      "alert http any any -> any any (file.data; content:\"data\"; endswith; filesize:12; "
      "sid:2;)\n"
      "alert http any any -> any any (file.data; to_uppercase; content:\"FILE\"; filesize:12; "
      "sid:3;)\n"
      "alert http any any -> any any (file.data; content:\"data\"; endswith; filesize:>12; "
      "sid:4;)\n");
  const Ends web;
  h.connect(web);
  h.data(web, 0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string header = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nMZ file ";
  h.send(tcp(web.turned(), kAck, 5001, 1028, header));
  EXPECT_TRUE(h.alerts().empty());
  h.send(tcp(web.turned(), kAck, static_cast<uint32_t>(5001 + header.size()), 1028, "data"));
  Sids alerts = h.alerts();
  std::ranges::sort(alerts);
  EXPECT_EQ(alerts, (Sids{1, 2, 3}));
}

// A size that nobody has seen is not below a bound.
TEST(FileRules, ABrokenOffFileHasAtLeastWhatWasSeen) {
  Harness h(
      "alert http any any -> any any (http.uri; content:\"/\"; filesize:<100; sid:1;)\n"
      "alert http any any -> any any (filesize:>5; sid:2;)\n"
      "alert http any any -> any any (filesize:>8; sid:3;)\n"
      "alert http any any -> any any (filesize:1<>100; sid:4;)\n");
  const Ends web;
  h.connect(web);
  h.data(web, 0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string part = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nMZ file ";
  h.send(tcp(web.turned(), kAck, 5001, 1028, part));
  h.send(
      tcp(web.turned(), kAck | tunnels::kTcpFin, static_cast<uint32_t>(5001 + part.size()), 1028));
  EXPECT_EQ(h.alerts(), (Sids{2}));
}

}  // namespace
}  // namespace sluice::inspect
