// SPDX-License-Identifier: Apache-2.0
// "anomaly" events: what no honest peer does.
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness
using nlohmann::json;

const Ends kWeb;
const Ends kResolver{"10.0.0.1", "10.0.0.53", 40000, 53};

std::vector<json> anomalies(const Harness& h) {
  std::vector<json> out;
  for (const json& event : h.events())
    if (event.at("event_type") == "anomaly") out.push_back(event);
  return out;
}

std::vector<std::string> names(const Harness& h) {
  std::vector<std::string> out;
  for (const json& event : anomalies(h)) out.push_back(event.at("anomaly").at("event"));
  return out;
}

using Names = std::vector<std::string>;

InspectorOptions all_kinds() {
  InspectorOptions options;
  options.events.anomalies = {true, true, true, false};
  return options;
}

TEST(Anomaly, OfATransactionOnceWithItsNumber) {
  Harness h("");
  h.connect(kWeb);
  h.data(kWeb, 0, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  const auto told = anomalies(h);
  ASSERT_EQ(told.size(), 1u) << h.text();
  const json& event = told[0];
  EXPECT_EQ(event.at("anomaly"), json::parse(R"({"app_proto": "http", "type": "applayer",
      "event": "MISSING_HOST_HEADER", "layer": "proto_parser"})"));
  EXPECT_EQ(event.at("tx_id"), 1);
  EXPECT_EQ(event.at("app_proto"), "http");
  EXPECT_EQ(event.at("src_ip"), "10.0.0.1");
  EXPECT_EQ(event.at("dest_port"), 80);
  EXPECT_TRUE(event.at("flow_id").is_number());
  EXPECT_FALSE(event.contains("packet"));
}

TEST(Anomaly, RulesThatAskDoNotChangeIt) {
  Harness h("alert http any any -> any any (app-layer-event:http.missing_host_header; sid:1;)");
  h.connect(kWeb);
  h.data(kWeb, 0, "GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(names(h), Names{"MISSING_HOST_HEADER"});
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Anomaly, OutsideOfTransactionsOnceForAFlow) {
  Harness h("");
  const std::string query("\0\7\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
  std::string answer = query;
  answer[2] = '\x81';
  h.send(udp(kResolver, query));
  for (int i = 0; i < 3; i++) h.send(udp(kResolver, answer));
  const auto told = anomalies(h);
  ASSERT_EQ(told.size(), 1u) << h.text();
  EXPECT_EQ(told[0].at("anomaly"), json::parse(R"({"app_proto": "dns", "type": "applayer",
      "event": "not_request", "layer": "parser"})"));
  EXPECT_FALSE(told[0].contains("tx_id"));
  const Ends other{"10.0.0.1", "10.0.0.53", 40001, 53};
  h.send(udp(other, query));
  h.send(udp(other, answer));
  EXPECT_EQ(names(h), (Names{"not_request", "not_request"}));
}

TEST(Anomaly, ThatTheEndOfAFlowShows) {
  Harness h("");
  h.connect(kWeb);
  h.data(kWeb, 0,
         "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
         "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
         "--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\ncut");
  EXPECT_TRUE(names(h).empty()) << h.text();
  h.inspector().finish(2'000'000'000'000'000);
  EXPECT_EQ(names(h), Names{"MULTIPART_NO_FILEDATA"}) << h.text();
}

TEST(Anomaly, OfAStreamOnceForAFlowAndOnDemand) {
  for (const bool wanted : {false, true}) {
    Harness h("", wanted ? all_kinds() : InspectorOptions{});
    h.connect(kWeb);
    h.data(kWeb, 0, "abcdef");
    for (int i = 0; i < 2; i++) EXPECT_FALSE(h.data(kWeb, 0, "abcXef"));
    const auto told = anomalies(h);
    ASSERT_EQ(told.size(), wanted ? 2u : 0u) << h.text();
    if (!wanted) continue;
    EXPECT_EQ(told[1].at("anomaly").at("event"), "stream.pkt_retransmission");
    EXPECT_EQ(told[0].at("anomaly"), json::parse(R"({"type": "stream",
        "event": "stream.reassembly_overlap_different_data"})"));
    EXPECT_EQ(told[0].at("src_port"), 40000);
    EXPECT_TRUE(told[0].contains("flow_id"));
  }
}

TEST(Anomaly, OfBytesThatAreNoPacketOnDemand) {
  const Bytes short_udp = ip_packet({}, 17, Bytes(7));
  Harness silent("");
  silent.send(short_udp);
  EXPECT_TRUE(anomalies(silent).empty());
  EXPECT_EQ(silent.inspector().counters().dropped_malformed, 1u);

  Harness h("", all_kinds());
  EXPECT_FALSE(h.send(short_udp));
  EXPECT_FALSE(h.send({0x45, 0}));
  const auto told = anomalies(h);
  ASSERT_EQ(told.size(), 2u) << h.text();
  EXPECT_EQ(told[0].at("anomaly"),
            json::parse(R"({"type": "decode", "event": "decoder.udp.hlen_too_small"})"));
  EXPECT_EQ(told[0].at("src_ip"), "10.0.0.1");
  EXPECT_EQ(told[0].at("proto"), "UDP");
  EXPECT_EQ(told[1].at("anomaly").at("event"), "decoder.ipv4.pkt_too_small");
  EXPECT_FALSE(told[1].contains("src_ip"));
}

TEST(Anomaly, OfHeadersWithTheirFlow) {
  Harness h("", all_kinds());
  EXPECT_TRUE(h.send(icmp({}, 8, 0, "ping")));
  EXPECT_TRUE(anomalies(h).empty());
  for (int i = 0; i < 2; i++) EXPECT_TRUE(h.send(icmp({}, 99, 0, "ping")));
  const auto told = anomalies(h);
  ASSERT_EQ(told.size(), 2u) << h.text();
  EXPECT_EQ(told[0].at("anomaly"),
            json::parse(R"({"type": "decode", "event": "decoder.icmpv4.unknown_type"})"));
  EXPECT_TRUE(told[0].contains("flow_id"));
}

TEST(Anomaly, OfFragments) {
  Harness h("", all_kinds());
  const Bytes whole = udp({}, std::string(64, 'x'));
  h.send(fragment(whole, 0, 16, 7));
  h.send(fragment(whole, 8, 16, 7));
  EXPECT_EQ(names(h), Names{"decoder.ipv4.frag_overlap"});
  EXPECT_EQ(h.drops(), std::vector<std::string>{"defrag error"});
}

TEST(Anomaly, WithTheBeginningOfItsPacket) {
  MemorySink sink;
  InspectorOptions options = all_kinds();
  options.events.anomalies.packet_header = true;
  const auto inspector = std::move(*Inspector::create(*Engine::create({}), options, sink));
  Responses responses;
  const uint8_t header[3] = {0, 1, 2};
  inspector->inspect(Bytes(100, 0x55), 1, responses, {7, {5, 0}, 103, header, 1});
  const json event = json::parse(sink.text());
  EXPECT_EQ(event.at("packet"), "AAECVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVU=");
  EXPECT_EQ(event.at("packet_info").at("linktype"), 1);
  EXPECT_EQ(event.at("pcap_cnt"), 7);
  EXPECT_EQ(event.at("vlan"), json::parse("[5]"));
}

TEST(Anomaly, NoneIfTheTypeIsNotWanted) {
  InspectorOptions options = all_kinds();
  options.events.types = EventTypes().without(EventType::kAnomaly);
  Harness h("", options);
  h.connect(kWeb);
  h.data(kWeb, 0, "GET /b HTTP/1.1\r\n\r\n");
  h.send({0x45, 0});
  EXPECT_TRUE(anomalies(h).empty());
}

}  // namespace
}  // namespace sluice::inspect
