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
  EXPECT_EQ(live.at("flow").at("bytes_toserver"), 35);
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
