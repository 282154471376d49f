// SPDX-License-Identifier: Apache-2.0
// What is seen of packets, as it is told to clients: over a real controller with the process host.
#include "gateway/api/watch_commands.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gateway/api/commands.h"
#include "gateway/cli/print.h"
#include "gateway/control/gateway_for_test.h"
#include "gateway/datapath/path_fixture.h"
#include "tunnels/pcapng.h"

namespace sluice::gateway {
namespace {

using namespace fixture;          // NOLINT
using namespace tunnels::frames;  // NOLINT
using nlohmann::json;

// The network of the examples in docs/features.
const char kYaml[] = R"(gateway:
  name: demo
  key: 00112233445566778899aabbccddeeff
  tunnel: {interface: gen0, address: 10.9.0.1}
  nlb: {interface: mgmt0}
  policy:
    - name: both
      protocol: udp
      ports: [53]
      actions: [{type: forward, target_group: ids}, {type: forward, target_group: dpi}]
    - {name: never, protocol: udp, ports: [9], actions: [{type: drop}]}
    - {name: past, protocol: udp, ports: [123], actions: [{type: bypass}]}
load_balancers:
  - {name: inspect, type: gateway, listeners: [{default_actions: [{type: forward, target_group: ids}]}]}
  - name: nlb
    type: network
    listeners:
      - {protocol: UDP, address: 10.1.0.100, port: 7000, default_actions: [{type: forward, target_group: echo}]}
attachments:
  - {name: front, endpoint_id: 0x2b8ee1d4db0c51c4, outside: out0, inside: in0, load_balancer: inspect}
target_groups:
  - {name: ids, protocol: GENEVE, targets: [{id: 10.9.0.11}]}
  - {name: dpi, protocol: GENEVE, targets: [{id: 10.9.0.21}]}
  - {name: echo, protocol: UDP, port: 7000, targets: [{id: 10.1.0.21, port: 7001}]}
)";

constexpr uint32_t kOut0 = 1, kIn0 = 2, kGen0 = 3;  // MadeUpHops
const Bytes kClient = {10, 1, 0, 2}, kServer = {10, 1, 0, 11};

class StreamForTest : public ApiStream {
 public:
  bool send(std::string_view bytes) override {
    if (full) return false;
    text += bytes;
    return true;
  }
  void finish() override { finished = true; }

  std::string text;
  bool full = false, finished = false;
};

class WatchCommands : public testing::Test, protected GatewayForTest {
 protected:
  void SetUp() override { ASSERT_TRUE(start(kYaml).empty()); }

  json ask(const json& request) {
    ApiReply reply = answer_request(plane, request.dump());
    source = std::move(reply.source);
    if (source) source->begin(stream);
    return json::parse(reply.line);
  }
  std::string error_of(const json& request) { return ask(request).value("error", ""); }

  json trace_of(const char* protocol, uint16_t client_port, uint16_t server_port,
                const char* server = "10.1.0.11") {
    return {{"command", "trace"},    {"protocol", protocol},
            {"source", "10.1.0.2"},  {"source_port", client_port},
            {"destination", server}, {"destination_port", server_port}};
  }
  std::vector<json> lines() {
    std::vector<json> out;
    std::istringstream in(stream.text);
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line));
    return out;
  }
  // "stage: what" of each line.
  std::vector<std::string> told() {
    std::vector<std::string> out;
    for (const json& line : lines())
      out.push_back(line.value("stage", "") + ": " + line.value("what", ""));
    stream.text.clear();
    return out;
  }

  Bytes send(const Bytes& in, uint32_t interface_index) {
    FrameBuffer buffer;
    buffer.assign(in);
    host->run(buffer, interface_index);
    return {buffer.bytes().begin(), buffer.bytes().end()};
  }
  // To the appliance and back from it.
  Bytes round_trip(const Bytes& in, uint32_t interface_index) {
    return send(returned(send(in, interface_index)), kGen0);
  }
  static Bytes there(uint8_t protocol, const Bytes& segment, const Bytes& server = kServer) {
    return ethernet(kEtherTypeIpv4, {},
                    ipv4(protocol, segment, {.source = kClient, .destination = server}));
  }
  static Bytes back(uint8_t protocol, const Bytes& segment, const Bytes& server = kServer) {
    return with_checksum(ethernet(
        kEtherTypeIpv4, {}, ipv4(protocol, segment, {.source = server, .destination = kClient})));
  }

  StreamForTest stream;
  std::unique_ptr<StreamSource> source;
};

TEST_F(WatchCommands, ATraceTellsWhereEachPacketWentAndWhy) {
  ASSERT_TRUE(ask(trace_of("tcp", 4242, 80))["ok"]);
  round_trip(there(kProtocolTcp, tcp(4242, 80)), kOut0);
  round_trip(there(kProtocolTcp, tcp(4243, 80)), kOut0);  // another flow
  round_trip(back(kProtocolTcp, tcp(80, 4242, kTcpSyn | kTcpAck)), kIn0);
  const std::vector<json> seen = lines();
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_EQ(told(), (std::vector<std::string>{
                        "in: from outside of front",
                        "encapsulated: new flow, group ids by hash: to 10.9.0.11",
                        "returned: from 10.9.0.11",
                        "delivered: to inside of front",
                        "in: from inside of front",
                        "encapsulated: known flow, group ids by hash: to 10.9.0.11",
                        "returned: from 10.9.0.11",
                        "delivered: to outside of front",
                    }));
  json sent = seen[1];
  EXPECT_EQ(sent["time"].get<std::string>().size(), 27u);
  EXPECT_NE(sent["cookie"], 0);
  sent.erase("time");
  sent.erase("cookie");
  EXPECT_EQ(sent, json({{"stage", "encapsulated"},
                        {"direction", "forward"},
                        {"came_in", "outside of front"},
                        {"protocol", "tcp"},
                        {"source", "10.1.0.2"},
                        {"source_port", 4242},
                        {"destination", "10.1.0.11"},
                        {"destination_port", 80},
                        {"length", 40},
                        {"tcp_flags", "SYN"},
                        {"appliance", "10.9.0.11"},
                        {"verdict", "target"},
                        {"flow", "new"},
                        {"attachment", "front"},
                        {"endpoint_id", "vpce-02b8ee1d4db0c51c4"},
                        {"target_group", "ids"},
                        {"why", "hash"},
                        {"events", {"flow_created"}},
                        {"what", "new flow, group ids by hash: to 10.9.0.11"}}));
  EXPECT_EQ(seen[4]["direction"], "back");
  EXPECT_EQ(seen[4]["tcp_flags"], "SYN ACK");
  EXPECT_EQ(seen[7]["verdict"], "outside");
  // It ends with its client.
  source->client_ended();
  EXPECT_TRUE(stream.finished);
  source.reset();
  EXPECT_EQ(plane.watching().watchers(), 0u);
}

TEST_F(WatchCommands, HopsOfAChainAndTheRule) {
  ask(trace_of("udp", 1000, 53));
  const Bytes first = send(there(kProtocolUdp, udp(1000, 53)), kOut0);
  const Bytes second = send(returned(first), kGen0);
  send(returned(second), kGen0);
  EXPECT_EQ(told(), (std::vector<std::string>{
                        "in: from outside of front",
                        "encapsulated: new flow, rule both, hop 1 of 2: to 10.9.0.11",
                        "returned: from 10.9.0.11, hop 1 of 2",
                        "encapsulated: known flow, rule both, hop 2 of 2: to 10.9.0.21",
                        "returned: from 10.9.0.21, hop 2 of 2",
                        "delivered: to inside of front",
                    }));
}

TEST_F(WatchCommands, WhatARuleDropsOrLetsPass) {
  ask(trace_of("udp", 1000, 9));
  send(there(kProtocolUdp, udp(1000, 9)), kOut0);
  EXPECT_EQ(lines().back()["reason"], "policy");
  EXPECT_EQ(told(),
            (std::vector<std::string>{"in: from outside of front", "dropped: no flow: policy"}));
  ask(trace_of("udp", 1000, 123));
  send(there(kProtocolUdp, udp(1000, 123)), kOut0);
  EXPECT_EQ(told(), (std::vector<std::string>{
                        "in: from outside of front",
                        "delivered: new flow, rule past: to inside of front, uninspected"}));
}

TEST_F(WatchCommands, DropsAnswersAndWhatIsCut) {
  ask(trace_of("tcp", 4242, 80));
  const Bytes sent = send(there(kProtocolTcp, tcp(4242, 80)), kOut0);
  told();
  Bytes forged = returned(sent);
  forged[81] ^= 1;
  send(forged, kGen0);
  EXPECT_EQ(told(),
            (std::vector<std::string>{"returned: from 10.9.0.11",
                                      "dropped: known flow, group ids by hash: cookie_mismatch"}));
  const Bytes big = Bytes(1600, 1);
  send(ethernet(kEtherTypeIpv4, {},
                ipv4(kProtocolTcp, tcp(4242, 80, kTcpAck, big),
                     {.source = kClient, .destination = kServer, .fragment = 0x4000})),
       kOut0);
  EXPECT_EQ(told().back(),
            "dropped: known flow, group ids by hash: too_big, and its sender was told");
  send(there(kProtocolTcp, tcp(4242, 80, kTcpAck, big)), kOut0);
  EXPECT_EQ(told().back(), "handed_over: to be cut for 1532 bytes");
}

TEST_F(WatchCommands, TheClientsTupleNamesAFlowOfANetworkLoadBalancer) {
  ask(trace_of("udp", 1000, 7000, "10.1.0.100"));
  const Bytes listener = {10, 1, 0, 100}, target = {10, 1, 0, 21};
  round_trip(with_checksum(there(kProtocolUdp, udp(1000, 7000), listener)), kOut0);
  EXPECT_EQ(told().back(), "delivered: to inside of front, for 10.1.0.21");
  round_trip(back(kProtocolUdp, udp(7001, 1000), target), kIn0);
  EXPECT_EQ(told().size(), 4u);
}

TEST_F(WatchCommands, ATraceEndsAfterSoManyLinesAndTellsWhatIsLost) {
  json request = trace_of("udp", 1000, 54);
  request["count"] = 3;
  ask(request);
  const Bytes packet = there(kProtocolUdp, udp(1000, 54));
  stream.full = true;
  send(packet, kOut0);
  EXPECT_TRUE(stream.text.empty());
  stream.full = false;
  send(packet, kOut0);
  EXPECT_TRUE(stream.finished);
  const std::vector<json> seen = lines();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], json({{"lost", 2}}));
  EXPECT_EQ(seen[1]["stage"], "in");
  send(packet, kOut0);
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(WatchCommands, RefusalsSayWhy) {
  EXPECT_EQ(error_of({{"command", "trace"}, {"source", "10.1.0.2"}}),
            "'source' and 'destination' are needed");
  EXPECT_EQ(error_of({{"command", "trace"}, {"source", "10.1.0.2"}, {"destination", "fd00::1"}}),
            "'source' and 'destination' are of different families");
  EXPECT_EQ(error_of({{"command", "trace"}, {"x", 1}}), "unknown field 'x'");
  std::vector<ApiReply> others;
  for (int i = 0; i < kWatchesMax; i++)
    others.push_back(answer_request(plane, trace_of("tcp", 1, 2).dump()));
  EXPECT_EQ(error_of(trace_of("tcp", 1, 2)), "there are 8 who look already");
}

// The frames of a pcapng file with their comments: "INTERFACE<tab>COMMENT".
std::string comments_of(const std::string& file) {
  std::vector<std::string> interfaces;
  std::string out;
  tunnels::PcapngBlocks blocks;
  const auto option = [](std::string_view options, uint8_t code) {
    while (options.size() >= 4 && options[0] != 0) {
      const auto length = static_cast<uint8_t>(options[2]) | static_cast<uint8_t>(options[3]) << 8;
      if (static_cast<uint8_t>(options[0]) == code) return std::string(options.substr(4, length));
      options.remove_prefix(4 + (length + 3) / 4 * 4);
    }
    return std::string();
  };
  EXPECT_TRUE(blocks.read(file, [&](std::string_view block) {
    const auto number = [&](size_t at) {
      return load_u32(reinterpret_cast<const uint8_t*>(&block[at]));
    };
    if (number(0) == 1) interfaces.push_back(option(block.substr(16), 2));
    if (number(0) != 6) return;
    const size_t frame = (number(20) + 3) / 4 * 4;
    out += interfaces.at(number(8)) + "\t" + option(block.substr(28 + frame), 1) + "\n";
  }));
  return out;
}

TEST_F(WatchCommands, ACaptureHasFramesAtTheStagesThatAreWanted) {
  ASSERT_TRUE(ask({{"command", "capture"},
                   {"stages", {"encapsulated", "dropped"}},
                   {"protocol", "udp"},
                   {"attachment", "front"},
                   {"bytes", 50}})["ok"]);
  const std::string head = stream.text;
  const Bytes packet = there(kProtocolUdp, udp(1000, 54, Bytes(100, 1)));
  const Bytes sent = send(packet, kOut0);
  send(there(kProtocolTcp, tcp(1, 2)), kOut0);
  stream.full = true;
  send(packet, kOut0);
  stream.full = false;
  send(there(kProtocolUdp, udp(1000, 9)), kOut0);
  const std::string endpoint = "endpoint vpce-02b8ee1d4db0c51c4\n";
  EXPECT_EQ(comments_of(stream.text),
            "gen0\tencapsulated: new flow, group ids by hash: to 10.9.0.11; verdict target, " +
                endpoint + "out0\tdropped: no flow: policy; verdict drop, " + endpoint);
  // The first frame's bytes, cut, and its whole length.
  const std::string frame = stream.text.substr(head.size() + 28, 50);
  EXPECT_EQ(Bytes(frame.begin(), frame.end()), first(sent, 50));
  EXPECT_EQ(static_cast<uint8_t>(stream.text[head.size() + 24]), sent.size());
  source->client_ended();
  tunnels::PcapngBlocks blocks;
  EXPECT_TRUE(blocks.read(stream.text, [](std::string_view) {}));
  EXPECT_EQ(blocks.packets(), 2u);
  EXPECT_EQ(blocks.lost(), 1u);
}

TEST_F(WatchCommands, ACaptureOfOneFlow) {
  json request = trace_of("udp", 1000, 54);
  request["command"] = "capture";
  request["count"] = 2;
  ask(request);
  send(there(kProtocolUdp, udp(1001, 54)), kOut0);
  send(there(kProtocolUdp, udp(1000, 54)), kOut0);
  EXPECT_TRUE(stream.finished);
  EXPECT_EQ(comments_of(stream.text).substr(0, 8), "out0\tin:");
}

TEST_F(WatchCommands, CapturesThatCannotBeSayWhy) {
  const auto refused = [&](const char* name, const json& value) {
    return error_of({{"command", "capture"}, {name, value}});
  };
  EXPECT_EQ(refused("stages", {"late"}), "there is no stage 'late'");
  EXPECT_EQ(refused("stages", "in"), "stages: expected a list of strings");
  EXPECT_EQ(refused("stages", {1}), "stages: expected a list of strings");
  EXPECT_EQ(refused("attachment", "back"), "there is no attachment 'back'");
  EXPECT_EQ(refused("bytes", 9217), "bytes: expected a number of at most 9216");
  EXPECT_EQ(refused("address", "x"), "address: 'x' is no IPv4 or IPv6 address");
  EXPECT_EQ(refused("source", "10.0.0.1"), "'source' and 'destination' are needed");
  EXPECT_EQ(error_of({{"command", "capture"},
                      {"source", "10.0.0.1"},
                      {"destination", "10.0.0.2"},
                      {"port", 5}}),
            "unknown field 'port'");
  EXPECT_EQ(plane.watching().watchers(), 0u);
}

// The lines of a page from one of them on, to the end of its block.
std::string block_of(const std::string& page, const std::string& begin) {
  std::ifstream in(SLUICE_SOURCE_DIR "/docs/features/" + page);
  std::string out;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (inside && line == "```") break;
    if (inside) out += line + "\n";
    inside |= line == begin;
  }
  return out;
}

// The pages show what the commands say; but for the times.
TEST_F(WatchCommands, TheExampleOfATraceIsSo) {
  ask(trace_of("tcp", 4242, 80));
  round_trip(there(kProtocolTcp, tcp(4242, 80)), kOut0);
  round_trip(back(kProtocolTcp, tcp(80, 4242, kTcpSyn | kTcpAck)), kIn0);
  round_trip(there(kProtocolTcp, tcp(4242, 80, kTcpAck)), kOut0);
  send(there(kProtocolTcp, tcp(4242, 80, kTcpAck, Bytes(79, 'x'))), kOut0);
  constexpr size_t kTime = 17;
  std::string shown, on_page;
  for (const json& line : lines()) shown += print_sighting(line).substr(kTime);
  std::istringstream page(block_of("trace.md", "$ sluice trace tcp 10.1.0.2:4242 10.1.0.11:80"));
  for (std::string line; std::getline(page, line);)
    on_page += line.substr(std::min(kTime, line.size())) + "\n";
  EXPECT_EQ(on_page, shown);
}

TEST_F(WatchCommands, TheExampleOfACaptureIsSo) {
  ask({{"command", "capture"}, {"port", 53}, {"count", 6}});
  const Bytes first_hop = send(there(kProtocolUdp, udp(1000, 53)), kOut0);
  send(returned(send(returned(first_hop), kGen0)), kGen0);
  EXPECT_TRUE(stream.finished);
  EXPECT_EQ(block_of("capture.md",
                     "$ tshark -r dns.pcapng -T fields -e frame.interface_name -e frame.comment"),
            comments_of(stream.text));
}

}  // namespace
}  // namespace sluice::gateway
