// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_appliance.h"

#include <gtest/gtest.h>

#include "appliances/dpi/appliance_for_test.h"
#include "appliances/dpi/command.h"
#include "inspect/dpi/client_hello_for_test.h"

namespace sluice::dpi {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using sdk::Answer;
using tunnels::kTcpAck;

const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

class DpiApplianceTest : public ApplianceTest {};

TEST_F(DpiApplianceTest, RecordsWhatItLetsThrough) {
  start("");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(request(ends, kNetflixRequest), Answer::kReturn);
  EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpAck, 501, 101 + kNetflixRequest.size(),
                                       kResponse)),
            Answer::kReturn);
  EXPECT_TRUE(events("flow").empty());
  appliance_->finish(time_us_);
  const auto flows = events("flow");
  ASSERT_EQ(flows.size(), 1u);
  EXPECT_EQ(flows[0]["src_ip"], "10.0.0.1");
  EXPECT_EQ(flows[0]["dest_port"], 80);
  EXPECT_EQ(flows[0]["flow"]["pkts_toserver"], 3);
  EXPECT_EQ(flows[0]["flow"]["pkts_toclient"], 2);
  EXPECT_EQ(flows[0]["flow"]["bytes_toserver"], 3 * 40 + kNetflixRequest.size());
  EXPECT_EQ(flows[0]["ndpi"]["proto"], "HTTP.NetFlix");
  EXPECT_EQ(flows[0]["ndpi"]["category"], "Video");
  EXPECT_EQ(flows[0]["ndpi"]["hostname"], "www.netflix.com");
  EXPECT_EQ(flows[0]["verdict"], (json{{"action", "allow"}, {"rule", "fallback"}}));
  EXPECT_EQ(events("stats")[0]["dpi"]["flows"], 1);
}

TEST_F(DpiApplianceTest, DropsABlockedApplicationAndAllThatFollows) {
  start("applications: [{name: NetFlix, action: drop}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(request(ends, kNetflixRequest), Answer::kDrop);
  EXPECT_EQ(request(ends, kNetflixRequest), Answer::kDrop);
  EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpAck, 501, 101)), Answer::kDrop);
  EXPECT_TRUE(injected_.packets.empty());

  // A router's error about the flow shares its fate.
  const Bytes quoted = inspect::testing::tcp(ends, kTcpAck, 101, 501);
  const Bytes error =
      inspect::testing::icmp({"10.0.0.9", "10.0.0.1"}, 3, 4,
                             std::string(4, '\0') + std::string(quoted.begin(), quoted.end()));
  EXPECT_EQ(show(error), Answer::kDrop);

  // Other flows live, and so does a new connection with the same ports.
  handshake({"10.0.0.3", "10.0.0.2", 40000, 80});
  handshake(ends);
  EXPECT_EQ(request(ends, "GET / HTTP/1.1\r\nHost: intranet.example\r\n\r\n"), Answer::kReturn);

  const auto drops = events("drop");
  ASSERT_EQ(drops.size(), 1u);
  EXPECT_EQ(drops[0]["drop"]["reason"], "policy");
  EXPECT_EQ(drops[0]["ndpi"]["hostname"], "www.netflix.com");
  EXPECT_EQ(drops[0]["verdict"], (json{{"action", "drop"}, {"rule", "application NetFlix"}}));
  const auto flows = events("flow");
  ASSERT_EQ(flows.size(), 1u);  // the blocked connection, replaced
  EXPECT_EQ(flows[0]["verdict"]["pkts_blocked"], 4);
  EXPECT_EQ(flows[0]["flow_id"], drops[0]["flow_id"]);
}

TEST_F(DpiApplianceTest, EventsSayWhatTheHeadersOfAPacketSayAndWhoTells) {
  DpiOptions options;
  options.sensor_name = "dmz-1";
  start("applications: [{name: NetFlix, action: drop}]", options);
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(request(ends), Answer::kDrop);
  appliance_->finish(time_us_);
  for (const char* type : {"drop", "flow", "stats"}) {
    ASSERT_EQ(events(type).size(), 1u) << type;
    EXPECT_EQ(events(type)[0]["host"], "dmz-1") << type;
  }
  json expected = json::parse(R"({"tos": 0, "ttl": 64, "ipid": 1, "tcpseq": 101, "tcpack": 501,
      "tcpwin": 65000, "syn": false, "ack": true, "psh": false, "rst": false, "urg": false,
      "fin": false, "tcpres": 0, "tcpurgp": 0, "reason": "policy"})");
  expected["len"] = 40 + kNetflixRequest.size();
  EXPECT_EQ(events("drop")[0]["drop"], expected);
}

// The datagram of an IPv4 packet in two fragments, cut behind `first` bytes of its payload.
std::pair<Bytes, Bytes> fragments(const Bytes& whole, size_t first) {
  Bytes one(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(20 + first));
  Bytes two(whole.begin(), whole.begin() + 20);
  two.insert(two.end(), whole.begin() + static_cast<ptrdiff_t>(20 + first), whole.end());
  tunnels::store_be16(&one[2], static_cast<uint16_t>(one.size()));
  tunnels::store_be16(&two[2], static_cast<uint16_t>(two.size()));
  tunnels::store_be16(&one[6], 0x2000);
  tunnels::store_be16(&two[6], static_cast<uint16_t>(first / 8));
  return {one, two};
}

TEST_F(DpiApplianceTest, FragmentsShareTheVerdictOnTheWhole) {
  start("applications: [{name: NetFlix, action: drop}]");
  const Ends ends;
  handshake(ends);
  const auto [one, two] =
      fragments(inspect::testing::tcp(ends, kTcpAck, 101, 501, kNetflixRequest), 32);
  EXPECT_EQ(show(one), Answer::kReturn);
  EXPECT_EQ(show(two), Answer::kDrop) << "the one that completes it";
  EXPECT_EQ(show(two), Answer::kDrop) << "and every later one";
  EXPECT_EQ(appliance_->counters().fragments_refused, 1u);
  EXPECT_EQ(events("drop").size(), 1u);

  const Ends other{"10.0.0.7", "10.0.0.2", 40000, 80};
  handshake(other);
  const auto [three, four] = fragments(
      inspect::testing::tcp(other, kTcpAck, 101, 501, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
      24);
  EXPECT_EQ(show(four), Answer::kReturn) << "in any order";
  EXPECT_EQ(show(three), Answer::kReturn);
}

TEST_F(DpiApplianceTest, RejectResetsBothEnds) {
  start("applications: [{name: YouTube, action: reject}]");
  const Ends ends{"fd00::1", "fd00::2", 40001, 443};
  handshake(ends);
  const std::string hello = inspect::testing::client_hello("www.youtube.com");
  EXPECT_EQ(request(ends, hello), Answer::kDrop);
  ASSERT_EQ(injected_.packets.size(), 2u);
  const auto to_client = inspect::testing::parsed(injected_.packets[0]);
  const auto to_server = inspect::testing::parsed(injected_.packets[1]);
  EXPECT_EQ(to_client.tuple.source_port, htons(443));
  EXPECT_EQ(to_server.tuple.source_port, htons(40001));
  EXPECT_TRUE(to_client.tcp_flags & tunnels::kTcpRst);
  EXPECT_TRUE(to_server.tcp_flags & tunnels::kTcpRst);
  EXPECT_EQ(events("drop")[0]["ndpi"]["proto"], "TLS.YouTube");
}

TEST_F(DpiApplianceTest, RejectAnswersUdpWithAnError) {
  start("applications: [{name: DNS, action: reject}]");
  const std::string query(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07"
      "example\x03"
      "com\x00\x00\x01\x00\x01",
      33);
  EXPECT_EQ(show(inspect::testing::udp({"10.0.0.1", "10.0.0.53", 5555, 53}, query)), Answer::kDrop);
  ASSERT_EQ(injected_.packets.size(), 1u);
  EXPECT_TRUE(inspect::testing::parsed(injected_.packets[0]).flags & tunnels::kPacketIcmpError);
}

TEST_F(DpiApplianceTest, CategoriesAndFallbackWaitForTheFinalAnswer) {
  start("categories: [{name: Video, action: drop}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(request(ends, kNetflixRequest), Answer::kReturn);
  EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpAck, 501, 101 + kNetflixRequest.size(),
                                       kResponse)),
            Answer::kDrop);
  EXPECT_EQ(events("drop")[0]["verdict"]["rule"], "category Video");
}

TEST_F(DpiApplianceTest, MalformedPacketsAreDroppedAndCounted) {
  start("");
  const Bytes whole = inspect::testing::udp({}, "x");
  for (size_t length = 0; length < whole.size(); length++)
    EXPECT_EQ(show(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length))),
              Answer::kDrop);
  appliance_->finish(time_us_);
  EXPECT_EQ(events("stats")[0]["dpi"]["packets_malformed"], whole.size());
  EXPECT_TRUE(events("flow").empty());
}

TEST_F(DpiApplianceTest, AFullTableEvictsAndRecords) {
  DpiOptions options;
  options.flows.flows_max = 100;
  start("", options);
  for (uint16_t i = 0; i < 500; i++) {
    const Ends ends{"10.0.0.1", "10.0.0.2", static_cast<uint16_t>(1000 + i), 80};
    EXPECT_EQ(show(inspect::testing::tcp(ends, kTcpAck, 1, 1, kNetflixRequest)), Answer::kReturn);
  }
  appliance_->finish(time_us_);
  EXPECT_EQ(events("flow").size(), 500u);
  EXPECT_EQ(events("stats")[0]["dpi"]["flows_evicted"], 400);
}

TEST_F(DpiApplianceTest, IdleFlowsAreRecordedByTicks) {
  start("");
  handshake({});
  appliance_->tick(time_us_ + 3'000'000'000);
  ASSERT_EQ(events("flow").size(), 1u);
  EXPECT_EQ(events("flow")[0]["flow"]["reason"], "timeout");
}

TEST(DpiCommandTest, ReadsArguments) {
  const std::vector<std::string> good = {"--policy", "p.yaml", "--flows-max", "77", "--workers=3"};
  const auto command = parse_arguments(good);
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_EQ(command->dpi.policy_file, "p.yaml");
  EXPECT_EQ(command->dpi.flows.flows_max, 77u);
  EXPECT_EQ(command->runner.workers, 3u);
  EXPECT_EQ(command->eve.path, "-");
  EXPECT_FALSE(command->eve.rotation.is_wanted());
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"--polcy", "x"}, {"--flows-max", "0"}, {"--help"}, {"stray"}}) {
    EXPECT_FALSE(parse_arguments(bad));
  }
}

TEST(DpiCommandTest, OnTheNetworkTheKeyOfFlowsIsSecret) {
  DpiCommand live, other, capture;
  capture.capture_file = "x.pcap";
  for (DpiCommand* command : {&live, &other, &capture}) prepare(*command);
  const uint64_t constant = inspect::FlowTableOptions().key.k0;
  EXPECT_NE(live.dpi.flows.key.k0, constant);
  EXPECT_NE(live.dpi.flows.key.k0, other.dpi.flows.key.k0);
  EXPECT_EQ(capture.dpi.flows.key.k0, constant);
}

TEST(DpiOptionsTest, ABadPolicyIsRefused) {
  inspect::MemorySink eve;
  DpiOptions options;
  options.policy_file = "/nonexistent/policy.yaml";
  const auto appliance = make_dpi(options, eve);
  ASSERT_FALSE(appliance);
  EXPECT_EQ(appliance.error().where, "/nonexistent/policy.yaml");
}

}  // namespace
}  // namespace sluice::dpi
