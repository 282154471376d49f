// SPDX-License-Identifier: Apache-2.0
// What is kept of one transaction is bounded; more of it leads around no rule about the rest.
#include "inspect/match/test_harness.h"
#include "inspect/match/transaction_inspection.h"

namespace sluice::inspect {
namespace {

using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::Sids;

// In segments, as one of all would be larger than a packet can be.
void say(Harness& h, const Ends& ends, const std::string& text) {
  constexpr size_t kSegment = 1400;
  for (size_t at = 0; at < text.size(); at += kSegment)
    h.data(ends, static_cast<uint32_t>(at), text.substr(at, kSegment));
}

const TransactionCounters& counters(Harness& h) { return h.inspector().transaction_counters(); }

TEST(TransactionLimits, ManyHeadersHideNoOther) {
  Harness h(
      "alert http any any -> any any (http.request_header; content:\"X-299: y\"; sid:1;)\n"
      "alert http any any -> any any (http.user_agent; content:\"evil\"; sid:2;)\n"
      "alert http any any -> any any (http.header; content:\"X-298\"; sid:3;)\n"
      "alert http any any -> any any (http.request_header; content:\"X-299: y\"; "
      "http.request_body; content:\"end\"; sid:4;)\n"
      "alert http any any -> any any (http.method; content:\"POST\"; fast_pattern; "
      "http.request_header; "
      "content:\"X-297: y\"; content:!\"z\"; http.request_body; content:\"end\"; sid:5;)\n");
  std::string request = "POST / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 300; i++) request += "X-" + std::to_string(i) + ": y\r\n";
  const Ends ends;
  h.connect(ends);
  say(h, ends, request + "User-Agent: evil\r\nContent-Length: 3\r\n\r\nend");
  auto alerts = h.alerts();
  std::ranges::sort(alerts);
  EXPECT_EQ(alerts, (Sids{1, 2, 3, 4, 5}));
  EXPECT_EQ(counters(h).buffers_full, 303 - kBuffersMax - 2) << "with two of them rules waited";
}

TEST(TransactionLimits, ManyAttachmentsHideNoOther) {
  Harness h(
      "alert smtp any any -> any any (file.data; content:\"attack 299\"; sid:1;)\n"
      "alert smtp any any -> any any (file.data; content:\"attack 299\"; endswith; sid:2;)\n");
  std::string mail =
      "EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"
      "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
  for (int i = 0; i < 300; i++) {
    const std::string number = std::to_string(i);
    mail += "--x\r\nContent-Type: a/b; name=name" + number + "\r\n\r\nattack " + number + "\r\n";
  }
  const Ends ends;
  h.connect(ends);
  say(h, ends, mail + "--x--\r\n.\r\n");
  auto alerts = h.alerts();
  std::ranges::sort(alerts);
  EXPECT_EQ(alerts, (Sids{1, 2}));
  EXPECT_GT(counters(h).buffers_full, 0u);
}

// Both say so much, and acknowledge what they hear.
void converse(Harness& h, const Ends& ends, const std::string& request, const std::string& answer) {
  constexpr size_t kSegment = 1400;
  const auto end = static_cast<uint32_t>(1001 + request.size());
  for (size_t at = 0; at < request.size(); at += kSegment) {
    const std::string part = request.substr(at, kSegment);
    h.data(ends, static_cast<uint32_t>(at), part);
    h.send(tcp(ends.turned(), kAck, 5001, static_cast<uint32_t>(1001 + at + part.size())));
  }
  for (size_t at = 0; at < answer.size(); at += kSegment) {
    const std::string part = answer.substr(at, kSegment);
    h.send(tcp(ends.turned(), kAck, static_cast<uint32_t>(5001 + at), end, part));
    h.send(tcp(ends, kAck, end, static_cast<uint32_t>(5001 + at + part.size())));
  }
}

TEST(TransactionLimits, ABodyIsLookedAtUpToItsLimit) {
  const std::string rules =
      "alert http any any -> any any (http.request_body; content:\"attack\"; sid:1;)\n"
      "alert http any any -> any any (file.data; content:\"attack\"; flow:to_client; sid:2;)\n";
  const struct {
    HttpBodyLimits limits;
    Sids alerts;
    uint64_t over;  // of the request as its body and as its file
  } cases[] = {{{kBodyBytesMax, kBodyBytesMax}, {}, 3},
               {{200'006, kBodyBytesMax}, {1}, 1},
               {{200'005, 1 << 20}, {2}, 2},
               {{1 << 20, 1 << 20}, {1, 2}, 0}};
  const std::string body = std::string(200'000, 'a') + "attack";
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  const std::string request = "POST / HTTP/1.1\r\nHost: h\r\n" + length + body;
  for (const auto& c : cases) {
    InspectorOptions options;
    options.http_bodies = c.limits;
    Harness h(rules, options);
    const Ends ends;
    h.connect(ends);
    converse(h, ends, request, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + length + body);
    EXPECT_EQ(h.alerts(), c.alerts);
    EXPECT_EQ(counters(h).body_limit, c.over);
  }
}

// Rules of which each waits for `then` behind a word of its own, and all those words.
struct Waiting {
  std::string rules, words;
};
Waiting rules_that_wait(size_t count, const std::string& then) {
  Waiting out;
  for (size_t i = 1; i <= count; i++) {
    const std::string word = "w" + std::to_string(10000 + i);
    out.words += word;
    out.rules += "drop http any any -> any any (http.uri; content:\"" + word + "\"; " + then +
                 "; sid:" + std::to_string(i) + ";)\n";
  }
  return out;
}

// However many others a client has had wait before.
TEST(TransactionLimits, RulesThatWaitHideNoOther) {
  const Waiting many = rules_that_wait(3000, "http.user_agent; content:\"other\"");
  Harness h(many.rules +
            "drop http any any -> any any (http.uri; content:\"attack\"; http.user_agent; "
            "content:\"evil\"; sid:9001;)\n");
  const Ends ends;
  h.connect(ends);
  say(h, ends, "GET /" + many.words + "attack HTTP/1.1\r\nHost: h\r\nUser-Agent: evil\r\n\r\n");
  EXPECT_EQ(h.alerts(), Sids{9001});
  EXPECT_EQ(h.drops(), std::vector<std::string>{"rules"});
}

TEST(TransactionLimits, RulesThatWaitCountAsMemoryOfStreams) {
  const Waiting many = rules_that_wait(1000, "http.request_body; content:\"x\"");
  const std::string request = "POST /" + many.words + " HTTP/1.1\r\nHost: h\r\n";
  InspectorOptions options;
  options.stream_memory_max = request.size() + 10'000;
  Harness h(many.rules, options);
  const Ends ends, other{"10.0.0.9", "10.0.0.2", 40009, 80};
  h.connect(ends);
  h.connect(other);
  say(h, ends, request + "Content-Length: 9\r\n\r\n");
  EXPECT_GT(h.inspector().held(), request.size() + 10'000);
  EXPECT_FALSE(h.data(other, 0, "a")) << "what has no room meets the policy";
  EXPECT_EQ(h.drops(), std::vector<std::string>{"stream reassembly"});
  h.inspector().finish(2'000'000'000'000'000);
  EXPECT_EQ(h.inspector().held(), 0u);
}

// A content that was missing is found where it straddles two pieces, too, and another one after it.
TEST(TransactionLimits, WhatWaitsForABodyIsTriedWhenWhatItMissesComes) {
  Harness h(
      "alert http any any -> any any (http.uri; content:\"attack\"; http.request_body; "
      "content:\"now\"; content:\"Here\"; nocase; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"attack\"; http.request_body; "
      "content:\"h\"; content:\"e\"; distance:9; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"attack\"; http.request_body; "
      "content:\"now\"; content:!\"zz\"; sid:3;)\n"
      "alert http any any -> any any (http.uri; content:\"attack\"; http.request_body; "
      "content:\"zz\"; sid:4;)\n");
  const std::string head = "POST /attack HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\n";
  const std::string body = ".. heRE .. now ..e";
  const Ends ends;
  h.connect(ends);
  h.data(ends, 0, head + body.substr(0, 5));
  const auto more = [&](uint32_t from, uint32_t to) {
    h.data(ends, static_cast<uint32_t>(head.size()) + from, body.substr(from, to - from));
  };
  more(5, 13);
  EXPECT_EQ(h.alerts(), Sids{});
  more(13, 15);
  EXPECT_EQ(h.alerts(), Sids{1});
  more(15, 18);
  auto alerts = h.alerts();
  std::ranges::sort(alerts);
  EXPECT_EQ(alerts, (Sids{1, 2, 3}));
}

}  // namespace
}  // namespace sluice::inspect
