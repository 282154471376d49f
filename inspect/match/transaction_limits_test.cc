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

TEST(TransactionLimits, RulesThatWaitAreCounted) {
  constexpr size_t kOver = 70;
  std::string rules, path;
  for (size_t i = 1; i <= kWaitingMax + kOver; i++) {
    const std::string word = "w" + std::to_string(10000 + i);
    path += word;
    rules += "alert http any any -> any any (http.uri; content:\"" + word +
             "\"; http.user_agent; content:\"u\"; sid:" + std::to_string(i) + ";)\n";
  }
  Harness h(rules);
  const Ends ends;
  h.connect(ends);
  say(h, ends, "GET /" + path + " HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\n\r\n");
  EXPECT_EQ(counters(h).waiting_full, kOver);
}

}  // namespace
}  // namespace sluice::inspect
