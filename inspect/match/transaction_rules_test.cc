// SPDX-License-Identifier: Apache-2.0
// Rules about buffers of application protocols, and what rules remember for each other.
#include <algorithm>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::Harness;
using testing::kAck;
using testing::Sids;
using testing::tcp;
using testing::udp;

const Ends kResolver{"10.0.0.1", "10.0.0.53", 40000, 53};

// A DNS query for the name: type A, class IN.
std::string query(const std::string& name, uint16_t id = 7) {
  std::string out = {
      static_cast<char>(id >> 8), static_cast<char>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (size_t at = 0; at < name.size();) {
    const size_t dot = std::min(name.find('.', at), name.size());
    out += static_cast<char>(dot - at);
    out += name.substr(at, dot - at);
    at = dot + 1;
  }
  out += std::string("\0\0\1\0\1", 5);
  return out;
}

TEST(TransactionRules, ABufferIsLookedAtAndNothingElse) {
  Harness h(
      "alert dns any any -> any any (dns.query; content:\"evil.example\"; nocase; sid:1;)\n"
      "alert dns any any -> any any (dns.query; content:\"evil\"; startswith; sid:2;)\n"
      "alert dns any any -> any any (dns.query; content:\"evil.example\"; bsize:12; sid:3;)\n"
      "alert dns any any -> any any (dns.query; dotprefix; content:\".evil.example\"; endswith; "
      "sid:4;)\n"
      "alert dns any any -> any any (dns.query; content:\"other\"; sid:5;)\n"
      "alert tcp any any -> any any (dns.query; content:\"evil\"; sid:6;)");
  h.send(udp(kResolver, query("www.Evil.example")));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  h.forget_events();
  h.send(udp(kResolver, query("evil.example", 8)));
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 3, 4}));
}

// A rule that waits is tried when what it waits for comes, in whatever order it names its buffers
// and the request is cut.
TEST(TransactionRules, ARuleWaitsForEachOfItsBuffers) {
  const std::string request =
      "POST / HTTP/1.1\r\nX-A: 1\r\nX-B: 2\r\nUser-Agent: u\r\nContent-Length: 8\r\n\r\nnot.end.";
  std::vector<std::string> parts = {"http.request_body; content:\"end\"; content:!\"other\";",
                                    "http.request_header; content:\"X-B: 2\";",
                                    "http.user_agent; to_uppercase; content:\"U\"; bsize:1;"};
  do {
    const std::string buffers = parts[0] + parts[1] + parts[2];
    const std::string rules =
        "alert http any any -> any any (" + buffers + "flowbits:isset,seen; sid:2;)\n" +
        "alert http any any -> any any (" + buffers + "sid:1;)\n" +
        "alert http any any -> any any (http.request_body; content:\"d.\"; flowbits:set,seen; "
        "noalert; sid:3;)";
    for (size_t cut = 1; cut < request.size(); cut++) {
      Harness h(rules);
      const Ends c;
      h.connect(c);
      h.data(c, 0, request.substr(0, cut));
      h.data(c, static_cast<uint32_t>(cut), request.substr(cut));
      auto alerts = h.alerts();
      std::ranges::sort(alerts);
      EXPECT_EQ(alerts, (Sids{1, 2})) << buffers << cut;
    }
  } while (std::ranges::next_permutation(parts).found);
}

TEST(TransactionRules, WhatDnsMessagesSay) {
  Harness h(
      "alert dns any any -> any any (dns.opcode:0; sid:1;)\n"
      "alert dns any any -> any any (dns.opcode:!0; sid:2;)\n"
      "alert dns any any -> any any (dns.rcode:3; sid:3;)\n"
      "alert dns any any -> any any (dns.rcode:1-4; flow:to_server; sid:4;)\n"
      "alert dns any any -> any any (dns.rrtype:1; flow:to_server; sid:5;)\n"
      "alert dns any any -> any any (dns.rrtype:1; flow:to_client; sid:6;)\n"
      "alert dns any any -> any any (dns.rrtype:28; sid:7;)\n"
      "alert dns any any -> any any (dns.query; content:\"evil\"; dns.rcode:3; sid:8;)\n"
      "alert udp any any -> any any (dns.rcode:!0; sid:9;)");
  const std::string asked = query("evil.example");
  h.send(udp(kResolver, asked));
  EXPECT_EQ(h.alerts(), (Sids{1, 5}));
  h.forget_events();
  std::string answer = asked;
  answer[2] = '\x81';
  answer[3] = '\x83';  // NXDOMAIN
  h.send(udp(kResolver.turned(), answer));
  // A rule holds for each direction; nothing was answered, so that no answer has a type.
  EXPECT_EQ(h.alerts(), (Sids{1, 3, 9}));
  h.forget_events();
  h.send(udp(kResolver, query("other.example", 9)));
  std::string good = query("other.example", 9);
  good[2] = '\x81';
  good[3] = '\x80';
  good[7] = 1;
  good += std::string("\xc0\x0c\0\x1c\0\1\0\0\0\1\0\x10", 12) + std::string(16, 'a');
  h.forget_events();
  h.send(udp(kResolver.turned(), good));
  EXPECT_EQ(h.alerts(), (Sids{1, 7}));
}

TEST(TransactionRules, ADropComesInTimeAndTellsOfTheTransaction) {
  Harness h("drop dns any any -> any any (msg:\"no\"; dns.query; content:\"evil\"; sid:1;)");
  EXPECT_TRUE(h.send(udp(kResolver, query("good.example"))));
  EXPECT_FALSE(h.send(udp(kResolver, query("evil.example", 8))));
  for (const auto& event : h.events()) {
    if (event.at("event_type") != "alert") continue;
    EXPECT_EQ(event.at("app_proto"), "dns");
    EXPECT_TRUE(event.contains("dns")) << event;
  }
}

TEST(TransactionRules, RulesWithoutAContentAndWithPayloadToo) {
  Harness h(
      "alert dns any any -> any any (dns.query; bsize:>10; sid:1;)\n"
      "alert dns any any -> any any (dns.query; pcre:\"/^a+\\./\"; sid:2;)\n"
      "alert dns any any -> any any (content:\"|00 07|\"; startswith; dns.query; content:\"aaa\"; "
      "sid:3;)\n"
      "alert dns any any -> any any (content:\"|00 08|\"; startswith; dns.query; content:\"aaa\"; "
      "sid:4;)\n"
      "alert dns any any -> any any (dns.query; content:!\"bbb\"; sid:5;)");
  h.send(udp(kResolver, query("aaa.example")));
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 3, 5}));
}

TEST(TransactionRules, HeaderAndFlowCount) {
  Harness h(
      "alert dns any any -> 10.0.0.54 any (dns.query; content:\"a\"; sid:1;)\n"
      "alert dns any any -> any 54 (dns.query; content:\"a\"; sid:2;)\n"
      "alert dns 10.0.0.1 any -> any 53 (dns.query; content:\"a\"; sid:3;)\n"
      "alert dns any any -> any any (flow:to_server; dns.query; content:\"a\"; sid:4;)");
  h.send(udp(kResolver, query("aaa.example")));
  EXPECT_EQ(h.alerts(), (Sids{3, 4}));
}

TEST(TransactionRules, AHeaderThatIsNotThereIsKnownBeforeTheBody) {
  Harness h(
      "drop http any any -> any any (http.uri; content:\"/up\"; http.referer; absent; sid:1;)\n"
      "alert http any any -> any any (http.referer; absent: or_else; content:!\"x\"; sid:2;)\n"
      "alert http any any -> any any (http.host; absent; sid:3;)\n"
      "alert http any any -> any any (http.request_body; absent; sid:4;)");
  h.connect({});
  EXPECT_TRUE(h.data({}, 0, "POST /up HTTP/1.1\r\nHost: h\r\n"));
  EXPECT_FALSE(h.data({}, 28, "Content-Length: 9\r\n\r\nname"));
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(TransactionRules, DnsBehindJunkIsFound) {
  Harness h("drop dns any any -> any any (dns.query; content:\"evil\"; sid:1;)");
  for (int i = 0; i < 40; i++) EXPECT_TRUE(h.send(udp(kResolver, "no query")));
  EXPECT_TRUE(h.send(udp(kResolver, query("good.example"))));
  EXPECT_FALSE(h.send(udp(kResolver, query("evil.example"))));
}

TEST(TransactionRules, ATunnelIsLookedIntoWhateverLineEndsAreBehindTheConnect) {
  Harness h("alert http any any -> any any (http.method; content:\"GET\"; sid:1;)");
  const Ends c;
  h.connect(c);
  const std::string connect = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n\n";
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\n\r\n";
  h.data(c, 0, connect);
  const auto sent = static_cast<uint32_t>(connect.size());
  h.send(tcp(c.turned(), kAck, 5001, 1001 + sent, answer));
  h.data(c, sent, "GET / HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(h.alerts(), Sids{1});
}

// --- files ---

std::vector<nlohmann::json> file_events(const Harness& h) {
  std::vector<nlohmann::json> out;
  for (const auto& event : h.events()) {
    if (event.at("event_type") == "fileinfo") out.push_back(event);
  }
  return out;
}

const std::string kFileAnswer =
    "HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=a.txt\r\n"
    "Content-Length: 3\r\n\r\nabc";

// A download, whose server says `answer`.
void download(Harness& h, const Ends& client, std::string_view answer) {
  h.connect(client);
  h.data(client, 0, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  h.send(tcp(client.turned(), kAck, 5001, 1029, answer));
}

TEST(FileEvents, TellOfTheFileItsMessageAndItsDirection) {
  InspectorOptions options;
  options.file_hashes[static_cast<size_t>(FileHash::kMd5)] = true;
  Harness h("", options);
  download(h, Ends{}, kFileAnswer);
  const auto events = file_events(h);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("src_ip"), "10.0.0.2");
  EXPECT_EQ(events[0].at("http").at("url"), "/x");
  EXPECT_EQ(events[0].at("app_proto"), "http");
  EXPECT_EQ(events[0].at("fileinfo"),
            nlohmann::json::parse(R"({"filename":"a.txt","gaps":false,"state":"CLOSED",
                "md5":"900150983cd24fb0d6963f7d28e17f72","stored":false,"size":3,"tx_id":0})"));
}

TEST(FileEvents, SayOfTheirMessageWhatItsOwnEventSays) {
  Harness h("");
  h.connect({});
  const std::string post = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  h.data({}, 0, post);
  h.send(tcp(Ends{}.turned(), kAck, 5001, 1001 + static_cast<uint32_t>(post.size()), kFileAnswer));
  const auto events = h.events();
  ASSERT_EQ(events.size(), 3U) << "two files and their transaction";
  EXPECT_FALSE(events[0].at("http").contains("status")) << "there is no answer yet";
  EXPECT_EQ(events[1].at("http").at("length"), 3);
  EXPECT_EQ(events[2].at("http"), events[1].at("http"));
}

TEST(FileEvents, AFileThatIsBrokenOffIsTruncatedAndNoneIsToldTwice) {
  Harness h("");
  download(h, Ends{}, std::string_view(kFileAnswer).substr(0, kFileAnswer.size() - 1));
  EXPECT_TRUE(file_events(h).empty());
  h.inspector().finish(1'700'000'001'000'000);
  const auto events = file_events(h);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("fileinfo").at("size"), 2);
  EXPECT_EQ(events[0].at("fileinfo").at("state"), "TRUNCATED");
}

TEST(FileEvents, AreNotWrittenWhenNotWanted) {
  InspectorOptions options;
  options.events.types = EventTypes().without(EventType::kFileinfo);
  Harness h("", options);
  download(h, Ends{}, kFileAnswer);
  EXPECT_TRUE(file_events(h).empty());
  EXPECT_EQ(h.inspector().transaction_counters().files, 0U);
}

TEST(StateRules, FlowbitsJoinRules) {
  Harness h(
      "alert tcp any any -> any any (content:\"login\"; flowbits:set,seen; flowbits:noalert; "
      "sid:1;)\n"
      "alert tcp any any -> any any (content:\"delete\"; flowbits:isset,seen; sid:2;)\n"
      "alert tcp any any -> any any (content:\"delete\"; flowbits:isnotset,seen; sid:3;)");
  Ends c;
  h.connect(c);
  h.data(c, 0, "delete");
  h.data(c, 6, "login");
  h.data(c, 11, "delete");
  c.source_port++;
  h.connect(c);
  h.data(c, 0, "delete");
  EXPECT_EQ(h.alerts(), (Sids{3, 2, 3}));
}

TEST(StateRules, XbitsJoinFlowsUntilTheyEnd) {
  Harness h(
      "alert udp any any -> any any (content:\"knock\"; xbits:set,k,track ip_src,expire 1; "
      "sid:1;)\n"
      "alert udp any any -> any any (content:\"enter\"; xbits:isset,k,track ip_src; sid:2;)");
  Ends a, b;
  b.source = "10.0.0.9";
  h.send(udp(a, "knock"));
  a.source_port++;
  h.send(udp(a, "enter"));
  h.send(udp(b, "enter"));
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  h.pass_time(2'000'000);
  h.send(udp(a, "enter"));
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

TEST(StateRules, FlowintsCount) {
  Harness h(
      "alert udp any any -> any any (content:\"a\"; flowint:n,+,1; noalert; sid:1;)\n"
      "alert udp any any -> any any (content:\"a\"; flowint:n,>=,3; sid:2;)");
  const Ends c;
  for (int i = 0; i < 4; i++) h.send(udp(c, "a"));
  EXPECT_EQ(h.alerts(), (Sids{2, 2}));
}

// Which of six packets of as many flows, 1 ms apart.
struct LimitRow {
  const char* option;
  std::vector<int> alerts_at;
  std::vector<int> drops_at;
};

TEST(StateRules, LimitsOfAlertsAndOfWhatARuleDoes) {
  const LimitRow table[] = {
      {"threshold:type limit,track by_src,count 2,seconds 60;", {0, 1}, {0, 1, 2, 3, 4, 5}},
      {"threshold:type threshold,track by_src,count 2,seconds 60;", {1, 3, 5}, {1, 3, 5}},
      {"threshold:type both,track by_src,count 2,seconds 60;", {1}, {1, 2, 3, 4, 5}},
      {"detection_filter:track by_src,count 4,seconds 60;", {4, 5}, {4, 5}},
      {"noalert; threshold:type both,track by_src,count 2,seconds 60;", {}, {1, 2, 3, 4, 5}},
  };
  for (const LimitRow& row : table) {
    Harness h(std::string("drop udp any any -> any any (content:\"a\"; ") + row.option +
              " sid:1;)");
    std::vector<int> alerts, drops;
    Ends c;
    for (int i = 0; i < 6; i++, c.source_port++) {
      h.forget_events();
      if (!h.send(udp(c, "a"))) drops.push_back(i);
      if (!h.alerts().empty()) alerts.push_back(i);
    }
    EXPECT_EQ(alerts, row.alerts_at) << row.option;
    EXPECT_EQ(drops, row.drops_at) << row.option;
  }
}

// Beacons of 60 seconds are two in a window of 60.
TEST(StateRules, TheEndOfAWindowIsInIt) {
  for (const int later_us : {0, 1}) {
    Harness h(
        "alert udp any any -> any any (content:\"a\"; threshold:type both,track by_src,count 2,"
        "seconds 60; sid:1;)");
    h.send(udp({}, "a"));
    h.pass_time(60'000'000 - 1000 + later_us);
    h.send(udp({}, "a"));
    EXPECT_EQ(h.alerts(), later_us == 0 ? Sids{1} : Sids{});
  }
}

TEST(StateRules, ALimitIsOneOfAlertsAlone) {
  Harness drops(
      "drop udp any any -> any 80 (content:\"a\"; threshold:type limit,track by_rule,count "
      "1,seconds "
      "60; sid:1;)");
  Ends c;
  EXPECT_FALSE(drops.send(udp(c, "a")));
  c.source_port++;
  EXPECT_FALSE(drops.send(udp(c, "a"))) << "only the alert is limited";
  EXPECT_EQ(drops.alerts(), Sids{1});
}

TEST(StateRules, CountsAreBounded) {
  Harness h(
      "alert udp any any -> any any (content:\"a\"; threshold:type limit,track by_src,count "
      "1,seconds "
      "600; sid:1;)");
  Ends c;
  for (size_t i = 0; i < kCountsMax + 100; i++) {
    c.source = "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
               std::to_string(i & 255);
    h.send(udp(c, "a"));
    h.forget_events();
  }
  EXPECT_EQ(h.inspector().alert_limits().forgotten(), 100u);
}

TEST(PacketRules, HeaderFieldsAndBuffers) {
  Harness h(
      "alert ip any any -> any any (ttl:64; sid:1;)\n"
      "alert ip any any -> any any (ttl:<64; sid:2;)\n"
      "alert tcp any any -> any any (flags:S; sid:3;)\n"
      "alert tcp any any -> any any (flags:A+; sid:4;)\n"
      "alert tcp any any -> any any (tcp.hdr; content:\"|02|\"; offset:13; depth:1; sid:5;)\n"
      "alert ip any any -> any any (ip_proto:TCP; sid:6;)\n"
      "alert tcp any any -> any any (ack:0; seq:77; window:65000; sid:7;)\n"
      "alert ip6 any any -> any any (sid:8;)\n"
      "alert udp any any -> any any (udp.hdr; content:\"a\"; sid:9;)");
  h.send(tcp({}, tunnels::kTcpSyn, 77, 0));
  auto sids = h.alerts();
  std::sort(sids.begin(), sids.end());
  EXPECT_EQ(sids, (Sids{1, 3, 5, 6, 7}));
}

}  // namespace
}  // namespace sluice::inspect
