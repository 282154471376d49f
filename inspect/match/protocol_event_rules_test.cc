// SPDX-License-Identifier: Apache-2.0
// Rules about connections whose ends do not speak one protocol, or not the one that they have
// announced.
#include <functional>
#include <set>

#include "inspect/match/traffic_for_test.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness, traffic
using Names = std::set<std::string>;
using nlohmann::json;

constexpr const char* kRules =
    "alert ip any any -> any any (flow:established; "
    "app-layer-event:applayer_mismatch_protocol_both_directions; sid:1;)\n"
    "alert ip any any -> any any (flow:established; "
    "app-layer-event:applayer_wrong_direction_first_data; sid:2;)\n"
    "alert ip any any -> any any (flow:established; "
    "app-layer-event:applayer_detect_protocol_only_one_direction; sid:3;)\n"
    "alert ip any any -> any any (flow:established; "
    "app-layer-event:applayer_proto_detection_skipped; sid:4;)\n"
    "alert tcp any any -> any any (flow:established; "
    "app-layer-event:applayer_no_tls_after_starttls; sid:5;)\n"
    "alert tcp any any -> any any (flow:established; "
    "app-layer-event:applayer_unexpected_protocol; sid:6;)\n"
    "alert udp any any -> any any (app-layer-event:applayer_proto_detection_skipped; sid:7;)\n";

void start_tls(Talk& talk) {
  talk.server("220 mail.example ESMTP\r\n");
  talk.client("EHLO a\r\n");
  talk.server("250-mail\r\n250 STARTTLS\r\n");
  talk.client("STARTTLS\r\n");
  talk.server("220 go\r\n");
}

struct Case {
  Sids alerts;
  uint16_t port;
  std::function<void(Talk&)> talk;
};

const Case kCases[] = {
    {{1}, 80, [](Talk& t) { t.client("GET / HTTP/1.1\r\n\r\n"), t.server("SSH-2.0-x\r\n"); }},
    {{1}, 80, [](Talk& t) { t.server("SSH-2.0-x\r\n"), t.client("GET / HTTP/1.1\r\n\r\n"); }},
    {{3}, 80, [](Talk& t) { t.client("GET / HTTP/1.1\r\n\r\n"), t.server("\xff\xfe what\n"); }},
    // Junk that a web server refuses.
    {{3}, 80, [](Talk& t) { t.client("\x01\x02"), t.server("HTTP/1.1 400 What\r\n\r\n"); }},
    {{2}, 80, [](Talk& t) { t.server("HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n"); }},
    {{4}, 80, [](Talk& t) { t.client("\x01\x02"), t.server(std::string(40, '\xff')); }},
    {{5, 6}, 25, [](Talk& t) { start_tls(t), t.client("MAIL FROM:<a@b>\r\n"); }},
    {{5, 6}, 25, [](Talk& t) { start_tls(t), t.server("554 no\r\n"), t.client("QUIT\r\n"); }},
    {{6},
     80,
     [](Talk& t) {
       t.client(
           "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n"
           "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
       t.server("HTTP/1.1 101 Switch\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
       t.server("HTTP/1.1 200 Not\r\nContent-Length: 0\r\n\r\n");
     }},
};

Names told_anomalies(const Harness& h) {
  Names out;
  for (const json& event : h.events()) {
    if (event.at("event_type") != "anomaly") continue;
    const std::string name = event.at("anomaly").at("event");
    if (name.starts_with("APPLAYER_")) out.insert(name);
  }
  return out;
}

TEST(ProtocolEventRules, EachIsToldByWhatMakesIt) {
  for (const Case& c : kCases) {
    Harness h(kRules);
    Talk talk(h, c.port);
    c.talk(talk);
    EXPECT_EQ(h.alerts(), c.alerts) << h.text();
    EXPECT_EQ(told_anomalies(h).size(), c.alerts.size());
  }
}

TEST(ProtocolEventRules, HonestTrafficMakesNone) {
  for (const auto& [name, traffic] : all_traffic()) {
    Harness h(kRules);
    traffic(h);
    EXPECT_EQ(h.alerts(), Sids{}) << name;
    EXPECT_EQ(told_anomalies(h), Names{}) << name;
  }
  Harness h(kRules);
  Talk talk(h, 25);
  start_tls(talk);
  for (const Flight& flight : testing::Handshake({}).flights)
    flight.direction == Direction::kToServer ? talk.client(flight.bytes)
                                             : talk.server(flight.bytes);
  EXPECT_EQ(h.alerts(), Sids{});
  EXPECT_EQ(told_anomalies(h), Names{});
}

TEST(ProtocolEventRules, AnomaliesNameTheProtocolThatIsKnown) {
  Harness h("");
  Talk talk(h, 80);
  kCases[0].talk(talk);
  std::vector<json> told;
  for (const json& event : h.events())
    if (event.at("event_type") == "anomaly") told.push_back(event);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().at("anomaly"), json::parse(R"({"app_proto": "http", "type": "applayer",
      "event": "APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS", "layer": "proto_detect"})"));
}

// A server that greets in one protocol and takes requests of another one.
TEST(ProtocolEventRules, WhoeverContradictsAGreetingIsOfBothProtocols) {
  InspectorOptions options;
  options.events.types = options.events.types.with("netflow", true);
  Harness h(
      "alert http any any -> any any (http.uri; content:\"/attack\"; sid:1;)\n"
      "alert http any any -> any any (http.stat_code; content:\"200\"; sid:2;)\n"
      "alert smtp any any -> any any (content:\"evil@a\"; sid:3;)\n"
      "alert smtp any any -> any any (smtp.mail_from; content:\"evil\"; sid:4;)\n"
      "alert http any any -> any any (content:\"evil@a\"; sid:5;)\n"
      "alert dns any any -> any any (content:\"evil@a\"; sid:6;)\n"
      "alert tcp any any -> any any (app-layer-event:applayer_mismatch_protocol_both_directions; "
      "sid:7;)\n",
      options);
  Talk talk(h, 80);
  talk.server("220 mail.example ESMTP\r\n");
  talk.client("GET /attack HTTP/1.1\r\nHost: h\r\n\r\n");
  talk.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  talk.client("MAIL FROM:<evil@a>\r\n");
  talk.close();
  h.inspector().finish(1'000'000'000);
  EXPECT_EQ(h.alerts(), (Sids{1, 7, 2, 3, 4, 5})) << h.text();
  size_t told = 0;
  for (const json& event : h.events()) {
    if (event.at("event_type") != "netflow" && event.at("event_type") != "alert") continue;
    if (event.value("app_proto", "") != "http") continue;
    EXPECT_EQ(event.at("app_proto_tc"), "smtp") << event;
    EXPECT_FALSE(event.contains("app_proto_orig"));
    told++;
  }
  EXPECT_GE(told, 2u);
  EXPECT_EQ(told_anomalies(h).size(), 1u);
}

// Its parser has no reason to speak of an error.
TEST(ProtocolEventRules, AGreetingThatIsContradictedIsNoError) {
  for (const std::string greeting : {"SSH-2.0-x\r\n", "* OK IMAP4rev1\r\n"}) {
    InspectorOptions options;
    options.exceptions.choose(ExceptionCause::kAppError, ExceptionPolicy::kDropFlow);
    Harness h("alert http any any -> any any (http.uri; content:\"/attack\"; sid:1;)\n", options);
    Talk talk(h, 80);
    talk.server(greeting);
    talk.client("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.client("GET /attack HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(h.alerts(), Sids{1}) << greeting;
    EXPECT_TRUE(h.drops().empty());
    talk.client("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n");  // but its own are some
    EXPECT_EQ(h.drops().size(), 1u) << greeting;
  }
}

TEST(ProtocolEventRules, NothingElseOfATransactionGoesWithThem) {
  EngineOptions options;
  options.rule_texts = {
      {"t",
       "alert http any any -> any any (app-layer-event:applayer_unexpected_protocol; http.uri; "
       "content:\"/x\"; sid:1;)\n"
       "alert ip any any -> any any (app-layer-event:applayer_unexpected_protocol; "
       "app-layer-event:http.missing_host_header; sid:2;)\n"
       "alert ip any any -> any any (app-layer-event:applayer_no_such; sid:3;)\n"}};
  const auto engine = Engine::create(options);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->size(), 0u);
}

}  // namespace
}  // namespace sluice::inspect
