// SPDX-License-Identifier: Apache-2.0
// Lines about flows that go through a gateway with the process host, and the file that they are in.
#include "gateway/flow_log/flow_log.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gateway/control/gateway_for_test.h"
#include "gateway/datapath/path.h"
#include "gateway/datapath/path_fixture.h"
#include "gateway/flow_log/flow_line.h"
#include "tunnels/frames_for_test.h"

namespace sluice::gateway {
namespace {

using namespace tunnels::frames;  // NOLINT
using fixture::with_checksum;
using nlohmann::json;

const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
  flow_log: {file: FILE, format: FORMAT, interval_seconds: 60}
network:
  vpcs: [{id: vpc-lab, cidr: 10.0.0.0/8}]
  subnets: [{id: subnet-a, vpc: vpc-lab, zone: zone-a, cidr: 10.1.0.0/24, outside: out0, inside: in0}]
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.0.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
attachments:
  - {name: front, endpoint_id: 0x2b8ee1d4db0c51c4, outside: out0, inside: in0, load_balancer: inspect, subnet: subnet-a}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21, port: 7001}]}
)";

constexpr uint32_t kOutside = 1, kInside = 2, kTunnel = 3;
constexpr int64_t kUnixMs = 1'795'242'661'000;  // when the host's clock says 1000 s

class FlowLogTest : public testing::Test, protected GatewayForTest {
 protected:
  FlowLogTest()
      : log(*loop, controller,
            [this] { return kUnixMs + static_cast<int64_t>(host->now_ms()) - 1'000'000; }) {
    char name[] = "/tmp/flow_log_test.XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/flows.log";
  }
  ~FlowLogTest() override { std::filesystem::remove_all(folder); }
  std::string yaml(const std::string& format) const {
    std::string out = kYaml;
    out.replace(out.find("FILE"), 4, path);
    out.replace(out.find("FORMAT"), 6, format);
    return out;
  }
  void run(const std::string& format) {
    start(yaml(format));
    const auto followed = log.follow();
    ASSERT_TRUE(followed) << followed.error().text();
  }
  // By the appliance, if it approves it, to the other side.
  void packet(const Bytes& in, uint32_t interface, bool approved = true) {
    FrameBuffer buffer;
    buffer.assign(in);
    const Outcome out = host->run(buffer, interface);
    ASSERT_EQ(out.verdict, kVerdictTarget) << drop_reason_name(out.reason);
    if (!approved) return;
    buffer.assign(fixture::returned({buffer.bytes().begin(), buffer.bytes().end()}));
    const Verdict verdict = host->run(buffer, kTunnel).verdict;
    ASSERT_TRUE(verdict == kVerdictInside || verdict == kVerdictOutside);
  }
  static Bytes request(uint8_t flags, const Bytes& payload = {}) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolTcp, tcp(4242, 80, flags, payload)));
  }
  static Bytes reply(uint8_t flags) {
    return ethernet(kEtherTypeIpv4, {},
                    ipv4(kProtocolTcp, tcp(80, 4242, flags),
                         {.source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}}));
  }
  void wait(uint64_t ms) { host->set_now_ms(host->now_ms() + ms); }
  // Ends the log: all of its lines.
  std::vector<std::string> lines() {
    stop();
    std::vector<std::string> out;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }
  void stop() {
    const auto done = plane.commit("test", [](Config& next) -> Result<> {
      next.gateway.flow_log = {};
      return {};
    });
    ASSERT_TRUE(done) << done.error()[0].text();
    ASSERT_TRUE(log.follow());
  }
  json only_line() {
    const auto all = lines();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? json() : json::parse(all[0]);
  }

  std::string folder, path;
  FlowLog log;
};

TEST_F(FlowLogTest, ALineHasAllThatIsKnownOfAFlow) {
  run("json");
  packet(request(kTcpSyn), kOutside);
  packet(reply(kTcpSyn | kTcpAck), kInside);
  packet(request(kTcpAck, Bytes(10, 'x')), kOutside);
  wait(1500);
  packet(request(kTcpFin | kTcpAck), kOutside);
  packet(reply(kTcpFin | kTcpAck), kInside);
  wait(FlowSweep::kLingerMs);
  log.sweep();
  EXPECT_EQ(only_line(), (json{{"start", "2026-11-21T06:31:01.000Z"},
                               {"last", "2026-11-21T06:31:02.500Z"},
                               {"event", "end"},
                               {"end", "fin"},
                               {"protocol", "tcp"},
                               {"source", "10.0.0.1"},
                               {"source_port", 4242},
                               {"destination", "10.0.0.2"},
                               {"destination_port", 80},
                               {"from_outside", true},
                               {"attachment", "front"},
                               {"endpoint_id", "vpce-02b8ee1d4db0c51c4"},
                               {"target_group", "ids"},
                               {"appliance", "10.9.0.11"},
                               {"why", "hash"},
                               {"packets_forward", 3},
                               {"packets_back", 2},
                               {"bytes_forward", 130},
                               {"bytes_back", 80},
                               {"packets_delivered", 5},
                               {"packets_missing", 0},
                               {"verdict", "returned"}}));
  EXPECT_EQ(log.lines_written(), 1u);
}

TEST_F(FlowLogTest, AppliancesMayHaveIpv6Addresses) {
  std::string with_ipv6 = yaml("json");
  with_ipv6.replace(with_ipv6.find("address: 10.9.0.1}"), 18,
                    "address: 10.9.0.1, ipv6_address: \"fd09::1\"}");
  with_ipv6.replace(with_ipv6.find("10.9.0.11"), 9, "\"fd09::11\"");
  start(with_ipv6);
  ASSERT_TRUE(log.follow());
  packet(request(kTcpSyn), kOutside);
  packet(reply(kTcpRst | kTcpAck), kInside);
  wait(FlowSweep::kLingerMs);
  log.sweep();
  const json line = only_line();
  EXPECT_EQ(line["appliance"], "fd09::11");
  EXPECT_EQ(line["packets_delivered"], 2);
  EXPECT_EQ(line["bytes_forward"], 40) << "without what is outside";
}

TEST_F(FlowLogTest, WhatAnApplianceKeepsIsDropped) {
  run("json");
  packet(request(kTcpSyn), kOutside);
  packet(reply(kTcpSyn | kTcpAck), kInside);
  packet(request(kTcpAck, {'x'}), kOutside, false);
  packet(request(kTcpAck, {'x'}), kOutside, false);
  wait(400'000);
  log.sweep();
  const json line = only_line();
  EXPECT_EQ(line["end"], "idle");
  EXPECT_EQ(line["verdict"], "dropped");
  EXPECT_EQ(line["packets_delivered"], 2);
  EXPECT_EQ(line["packets_missing"], 2);
}

TEST_F(FlowLogTest, SilenceAloneIsATimeout) {
  run("json");
  packet(ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(5, 53))), kOutside);
  wait(130'000);
  log.sweep();
  const json line = only_line();
  EXPECT_EQ(line["protocol"], "udp");
  EXPECT_EQ(line["verdict"], "timed_out");
}

TEST_F(FlowLogTest, WhoResetAConnectionIsSaid) {
  run("json");
  packet(request(kTcpSyn), kOutside);
  packet(reply(kTcpRst | kTcpAck), kInside);
  wait(FlowSweep::kLingerMs);
  log.sweep();
  const json line = only_line();
  EXPECT_EQ(line["end"], "reset");
  EXPECT_EQ(line["reset_by"], "server");
  EXPECT_EQ(line["verdict"], "returned");
}

TEST_F(FlowLogTest, WhyIsSaid) {
  run("json");
  flow_record record{};
  const auto why = [&](int flags) {
    record.flags = static_cast<uint16_t>(flags);
    return place_of(controller, record).why;
  };
  EXPECT_EQ(why(0), "hash");
  EXPECT_EQ(why(kFlowMoved), "rehash");
  EXPECT_EQ(why(kFlowMoved | kFlowBypass), "bypass");
  record.target = kNone16;
  EXPECT_EQ(why(kFlowBypass), "bypass");
  EXPECT_EQ(place_of(controller, record).appliance, "");
  host->tables().groups[host->tables().attachments[0].group].stickiness = kFlowHash2Tuple;
  EXPECT_EQ(why(0), "sticky");
}

TEST_F(FlowLogTest, VpcLinesHaveWhatCameSinceTheLast) {
  run("vpc");
  const auto query = [](const Bytes& payload) {
    return with_checksum(
        ethernet(kEtherTypeIpv4, {},
                 ipv4(kProtocolUdp, udp(4242, 7000, payload), {.destination = {10, 0, 0, 100}})));
  };
  const Bytes answer =
      with_checksum(ethernet(kEtherTypeIpv4, {},
                             ipv4(kProtocolUdp, udp(7001, 4242),
                                  {.source = {10, 1, 0, 21}, .destination = {10, 0, 0, 1}})));
  packet(query({}), kOutside);
  packet(answer, kInside);
  log.sweep();
  wait(60'000);
  log.sweep();
  packet(query({1, 2}), kOutside, false);
  wait(130'000);
  log.sweep();
  const auto all = lines();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0] + "\n", kVpcHeader);
  EXPECT_EQ(all[1],
            "5 000000000000 vpce-02b8ee1d4db0c51c4 10.0.0.1 10.0.0.100 4242 7000 17 1 28 "
            "1795242661 1795242661 ACCEPT OK vpc-lab subnet-a - 0 IPv4 10.0.0.1 10.1.0.21 "
            "xx-lab-1 zone-a - - - - ingress -");
  EXPECT_EQ(all[2],
            "5 000000000000 vpce-02b8ee1d4db0c51c4 10.0.0.100 10.0.0.1 7000 4242 17 1 28 "
            "1795242661 1795242661 ACCEPT OK vpc-lab subnet-a - 0 IPv4 10.1.0.21 10.0.0.1 "
            "xx-lab-1 zone-a - - - - egress -");
  EXPECT_EQ(all[3],
            "5 000000000000 vpce-02b8ee1d4db0c51c4 10.0.0.1 10.0.0.100 4242 7000 17 1 30 "
            "1795242721 1795242721 REJECT OK vpc-lab subnet-a - 0 IPv4 10.0.0.1 10.1.0.21 "
            "xx-lab-1 zone-a - - - - ingress -");
}

TEST_F(FlowLogTest, FlowsThatLiveAreToldOfWhenTheLogEnds) {
  run("json");
  packet(request(kTcpSyn), kOutside);
  const json line = only_line();
  EXPECT_EQ(line["event"], "end");
  EXPECT_EQ(line["end"], "stopped");
  EXPECT_FALSE(log.enabled());
}

TEST_F(FlowLogTest, ItSweepsByItself) {
  run("json");
  packet(request(kTcpSyn), kOutside);
  packet(reply(kTcpRst), kInside);
  wait(FlowSweep::kLingerMs);
  for (int i = 0; i < 3000 && log.lines_written() == 0; i++) loop->turn(10);
  EXPECT_EQ(log.lines_written(), 1u);
}

TEST_F(FlowLogTest, AFileThatCannotBeMadeLeavesTheFormer) {
  run("json");
  const auto done = plane.commit("test", [&](Config& next) -> Result<> {
    next.gateway.flow_log.file = folder + "/no/such";
    return {};
  });
  ASSERT_TRUE(done);
  const auto followed = log.follow();
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error().where, folder + "/no/such");
  EXPECT_TRUE(log.enabled());
}

}  // namespace
}  // namespace sluice::gateway
