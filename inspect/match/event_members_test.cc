// SPDX-License-Identifier: Apache-2.0
// What events tell beside their kind: where the packet comes from, and what is asked for.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

constexpr const char* kRule = "alert udp any any -> any any (content:\"evil\"; sid:1;)";

nlohmann::json only_alert(const InspectorOptions& options, const Ends& ends, const Frame& frame) {
  MemorySink sink;
  EngineOptions rules;
  rules.rule_texts = {{"test", kRule}};
  const auto inspector = std::move(*Inspector::create(*Engine::create(rules), options, sink));
  Responses responses;
  inspector->inspect(udp(ends, std::string("evil\0\xff\n", 7)), 1, responses, frame);
  return nlohmann::json::parse(sink.text());
}

TEST(EventMembers, TellOfTheFrame) {
  const uint8_t header[14] = {1, 2, 3};
  const auto alert = only_alert({}, {}, {7, {5, 6}, 100, header, 1});
  EXPECT_EQ(alert.at("pcap_cnt"), 7);
  EXPECT_EQ(alert.at("vlan"), nlohmann::json::parse("[5,6]"));
  EXPECT_EQ(alert.at("flow").at("bytes_toserver"), 100);
  const auto live = only_alert({}, {}, {});
  EXPECT_FALSE(live.contains("pcap_cnt") || live.contains("vlan"));
  EXPECT_EQ(alert.at("pkt_src"), "wire/pcap");
  EXPECT_EQ(live.at("pkt_src"), "geneve encapsulation");
  EXPECT_EQ(live.at("flow").at("bytes_toserver"), 35);
}

TEST(EventMembers, TellOfTheFlowsEnds) {
  Harness h("alert udp any any -> any any (content:\"answer\"; sid:1;)");
  const Ends ends{"10.0.0.1", "10.0.0.2", 4000, 99};
  h.send(udp(ends, "question"));
  h.send(udp(ends.turned(), "answer"));
  const auto alert = h.events().back();
  EXPECT_EQ(alert.at("src_ip"), "10.0.0.2");
  const auto& flow = alert.at("flow");
  EXPECT_EQ(flow.at("src_ip"), "10.0.0.1");
  EXPECT_EQ(flow.at("src_port"), 4000);
  EXPECT_EQ(flow.at("dest_ip"), "10.0.0.2");
  EXPECT_EQ(flow.at("dest_port"), 99);
}

TEST(EventMembers, TellTypesOfIcmp) {
  MemorySink sink;
  InspectorOptions options;
  EngineOptions rules;
  rules.rule_texts = {{"test", "alert icmp any any -> any any (itype:0; sid:1;)"}};
  const auto inspector = std::move(*Inspector::create(*Engine::create(rules), options, sink));
  Responses responses;
  const Ends ends;
  inspector->inspect(icmp(ends, 8, 3, "ping"), 1, responses);
  inspector->inspect(icmp(ends.turned(), 0, 2, "pong"), 2, responses);
  inspector->finish(3);
  std::istringstream lines(sink.text());
  std::string line;
  std::getline(lines, line);
  const auto alert = nlohmann::json::parse(line);
  EXPECT_EQ(alert.at("icmp_type"), 0);
  EXPECT_EQ(alert.at("icmp_code"), 2);
  std::getline(lines, line);
  const auto flow = nlohmann::json::parse(line);
  EXPECT_EQ(flow.at("event_type"), "flow");
  EXPECT_EQ(flow.at("icmp_type"), 8);
  EXPECT_EQ(flow.at("icmp_code"), 3);
  EXPECT_EQ(flow.at("response_icmp_type"), 0);
  EXPECT_EQ(flow.at("response_icmp_code"), 2);
}

TEST(EventMembers, TellTheSensorsName) {
  InspectorOptions options;
  options.events.sensor_name = "dmz-1";
  Harness h("drop udp any any -> any any (content:\"evil\"; sid:1;)", options);
  h.send(udp({}, "evil"));
  for (const auto& event : h.events()) EXPECT_EQ(event.at("host"), "dmz-1");
  EXPECT_EQ(h.events().size(), 2u);
}

TEST(EventMembers, TellMoreOnDemand) {
  const auto silent = only_alert({}, {}, {});
  for (const char* name : {"payload", "payload_printable", "packet", "stream", "community_id"})
    EXPECT_FALSE(silent.contains(name)) << name;
  InspectorOptions options;
  options.events.payload = options.events.payload_printable = options.events.packet = true;
  options.events.community_id = true;
  const uint8_t header[2] = {0xaa, 0xbb};
  const auto alert = only_alert(options, {}, {1, {}, 0, header, 1});
  EXPECT_EQ(alert.at("payload"), "ZXZpbAD/Cg==");
  EXPECT_EQ(alert.at("payload_printable"), "evil..\n");
  EXPECT_EQ(alert.at("stream"), 0);
  EXPECT_EQ(alert.at("packet").get<std::string>().substr(0, 4), "qrtF");
  EXPECT_EQ(alert.at("packet_info").at("linktype"), 1);
  EXPECT_TRUE(alert.at("community_id").get<std::string>().starts_with("1:"));
}

TEST(EventMembers, TellWhatRulesHaveNotedOfTheFlow) {
  Harness h(
      "alert udp any any -> any any (content:\"x\"; flowbits:set,traffic/id/some; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; flowbits:set,traffic/label/one; sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; flowbits:set,seen; sid:3;)\n"
      "alert udp any any -> any any (content:\"x\"; flowint:count,=,7; sid:4;)");
  h.send(udp({}, "x"));
  const auto last = h.events().back();
  EXPECT_EQ(last.at("traffic"), nlohmann::json::parse(R"({"id":["some"],"label":["one"]})"));
  EXPECT_EQ(last.at("metadata"),
            nlohmann::json::parse(R"({"flowbits":["seen"],"flowints":{"count":7}})"));
  Harness none("alert udp any any -> any any (content:\"x\"; sid:1;)");
  none.send(udp({}, "x"));
  EXPECT_FALSE(none.events().back().contains("metadata"));
  EXPECT_FALSE(none.events().back().contains("traffic"));
}

constexpr const char* kWebRules =
    "alert http any any -> any any (http.uri; content:\"/evil\"; sid:1;)\n"
    "alert http any any -> any any (http.stat_code; content:\"200\"; sid:2;)";
constexpr const char* kRequest = "GET /evil HTTP/1.1\r\nHost: h.example\r\nUser-Agent: a\r\n\r\n";

nlohmann::json last_alert(const Harness& h) {
  nlohmann::json last;
  for (auto& event : h.events())
    if (event.at("event_type") == "alert") last = std::move(event);
  return last;
}

TEST(EventMembers, AnAlertTellsAllThatItsPacketSaysOfTheTransaction) {
  Harness h(kWebRules);
  h.connect({});
  h.data({}, 0, kRequest);
  const auto asked = last_alert(h).at("http");
  EXPECT_EQ(asked.at("hostname"), "h.example");
  EXPECT_EQ(asked.at("http_user_agent"), "a");
  EXPECT_FALSE(asked.contains("status"));
  // The transaction ends in its packet.
  h.send(tcp(Ends().turned(), kAck, 5001,
             1001 + static_cast<uint32_t>(std::string_view(kRequest).size()),
             "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_EQ(last_alert(h).at("http").at("length"), 4);
}

TEST(EventMembers, OfATypeThatIsNotExtendedOnlyItsOwnEventsTellLess) {
  for (const bool extended : {true, false}) {
    InspectorOptions options;
    if (!extended) options.events.extended = *EventTypes::parse("none");
    Harness h(kWebRules, options);
    h.connect({});
    h.data({}, 0, kRequest);
    h.send(tcp(Ends().turned(), kAck, 5001,
               1001 + static_cast<uint32_t>(std::string_view(kRequest).size()),
               "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\nbody"));
    const auto events = h.events();
    const auto http = std::ranges::find(events, "http", [](const auto& event) {
      return event.at("event_type").template get<std::string>();
    });
    ASSERT_NE(http, events.end());
    EXPECT_EQ(http->at("http").at("http_content_type"), "text/x");
    for (const char* name : {"http_method", "protocol", "status", "length"})
      EXPECT_EQ(http->at("http").contains(name), extended) << name;
    EXPECT_TRUE(last_alert(h).at("http").contains("http_method"));
  }
}

TEST(EventMembers, AnAlertTellsNothingThatALaterPacketSays) {
  Harness h(kWebRules);
  h.connect({});
  h.data({}, 0, std::string_view(kRequest).substr(0, 20));
  h.data({}, 20, std::string_view(kRequest).substr(20));
  EXPECT_EQ(last_alert(h).at("http").at("url"), "/evil");
  EXPECT_FALSE(last_alert(h).at("http").contains("hostname"));
}

// A form with so many files, the last of which goes on.
std::string form_with_files(size_t files) {
  std::string body;
  for (size_t i = 0; i < files; i++)
    body += "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + std::to_string(i) +
            "\"\r\n\r\nMZ" + (i + 1 < files ? "\r\n" : "");
  return "POST /evil HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n"
         "Content-Length: 99999\r\n\r\n" +
         body;
}

TEST(EventMembers, AnAlertListsTheFilesOfItsPacket) {
  Harness h(kWebRules);
  h.connect({});
  h.data({}, 0, form_with_files(2));
  const auto files = last_alert(h).at("files");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0], nlohmann::json::parse(R"({"filename":"0","gaps":false,"state":"CLOSED",
                                                "stored":false,"size":2,"tx_id":0})"));
  EXPECT_EQ(files[1].at("filename"), "1");
  EXPECT_EQ(files[1].at("state"), "UNKNOWN");
  Harness none(kWebRules);
  none.connect({});
  none.data({}, 0, kRequest);
  EXPECT_FALSE(last_alert(none).contains("files"));
}

TEST(EventMembers, AnAlertListsSoManyFiles) {
  Harness h(kWebRules);
  h.connect({});
  h.data({}, 0, form_with_files(kFilesListedMax + 3));
  EXPECT_EQ(last_alert(h).at("files").size(), kFilesListedMax + 1) << "with the one that goes on";
  EXPECT_EQ(h.inspector().transaction_counters().files_unlisted, 2u);
}

TEST(EventMembers, FlowsOfEachVlanAndOfEachDirection) {
  MemorySink sink;
  InspectorOptions options;
  options.events.types = *EventTypes::parse("flow,netflow");
  const auto inspector = std::move(*Inspector::create(*Engine::create({}), options, sink));
  Responses responses;
  Frame frame;
  for (const uint16_t vlan : {5, 6}) {
    frame.vlans[0] = vlan;
    inspector->inspect(udp({}, "x"), 1, responses, frame);
  }
  inspector->inspect(udp(Ends().turned(), "answer"), 2, responses, frame);
  inspector->finish(3);
  std::istringstream lines(sink.text());
  std::vector<std::string> told;
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    told.push_back(event.at("event_type").get<std::string>() + " " + event.at("vlan").dump() + " " +
                   event.at("src_ip").get<std::string>());
    EXPECT_EQ(event.value(nlohmann::json::json_pointer("/netflow/pkts"), 1), 1);
  }
  EXPECT_EQ(told, (std::vector<std::string>{"netflow [5] 10.0.0.1", "flow [5] 10.0.0.1",
                                            "netflow [6] 10.0.0.1", "netflow [6] 10.0.0.2",
                                            "flow [6] 10.0.0.1"}));
}

TEST(EventMembers, EveryDropOnDemand) {
  for (const bool every : {false, true}) {
    InspectorOptions options;
    options.events.every_drop = every;
    Harness h("drop tcp any any -> any any (content:\"evil\"; sid:1;)", options);
    h.connect({});
    for (uint32_t i = 0; i < 4; i++) h.data({}, 4 * i, "evil");
    size_t drops = 0;
    for (const auto& event : h.events()) drops += event.at("event_type") == "drop" ? 1 : 0;
    EXPECT_EQ(drops, every ? 4u : 2u);
  }
}

TEST(EventMembers, APassRuleSpeaksWithAlert) {
  for (const bool speaks : {false, true}) {
    Harness h(std::string("pass udp any any -> any any (content:\"good\"; ") +
              (speaks ? "alert; " : "") + "sid:1;)");
    EXPECT_TRUE(h.send(udp({}, "good")));
    EXPECT_EQ(h.alerts(), speaks ? Sids{1} : Sids{});
  }
}

}  // namespace
}  // namespace sluice::inspect
