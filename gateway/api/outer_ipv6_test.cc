// SPDX-License-Identifier: Apache-2.0
// What the commands tell about appliances with IPv6 addresses: over the example of
// docs/features/outer-ipv6.md, with the process host.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
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

constexpr uint32_t kOut0 = 1, kGen0 = 3;  // MadeUpHops

class TextStream : public ApiStream {
 public:
  bool send(std::string_view bytes) override {
    text += bytes;
    return true;
  }
  void finish() override {}
  std::string text;
};

class OuterIpv6Api : public testing::Test, protected GatewayForTest {
 protected:
  void SetUp() override {
    auto config = read_config(SLUICE_SOURCE_DIR "/docs/features/examples/outer-ipv6.yaml");
    ASSERT_TRUE(config) << config.error()[0].text();
    const auto started = plane.start(*std::move(config));
    ASSERT_TRUE(started) << started.error().text();
    ASSERT_TRUE(started->empty()) << started->front().text();
  }
  json ask(const json& request) {
    ApiReply reply = answer_request(plane, request.dump());
    source = std::move(reply.source);
    if (source) source->begin(stream);
    return json::parse(reply.line);
  }
  json ask_about(const char* command, uint16_t port) {
    return ask({{"command", command},
                {"protocol", "udp"},
                {"source", "10.0.0.1"},
                {"source_port", port},
                {"destination", "10.0.0.2"},
                {"destination_port", 53}});
  }
  std::string error_of(const char* command, const char* id) {
    return ask({{"command", command}, {"target_group", "firewalls"}, {"id", id}})
        .value("error", "");
  }
  Bytes send(const Bytes& in, uint32_t interface_index) {
    FrameBuffer buffer;
    buffer.assign(in);
    host->run(buffer, interface_index);
    return {buffer.bytes().begin(), buffer.bytes().end()};
  }
  static Bytes packet(uint16_t port) {
    return ethernet(kEtherTypeIpv4, {}, ipv4(kProtocolUdp, udp(port, 53, Bytes(9, 1))));
  }

  TextStream stream;
  std::unique_ptr<StreamSource> source;
};

TEST_F(OuterIpv6Api, ExplainSaysWhatThePathThenDoes) {
  std::set<std::string> chosen;
  for (uint16_t port = 1000; port < 1050; port++) {
    const std::string appliance = ask_about("explain", port).value("appliance", "");
    chosen.insert(appliance);
    const Bytes sent = send(packet(port), kOut0);
    ASSERT_EQ(load_be16(&sent[12]), kEtherTypeIpv6);
    EXPECT_EQ(appliance, sent[53] == 0x11 ? "fd09::11" : "fd09::12");
    const json flow = ask({{"command", "flows"}, {"port", port}})["flows"][0];
    EXPECT_EQ(flow["appliance"], appliance);
  }
  EXPECT_EQ(chosen.size(), 2u);
}

TEST_F(OuterIpv6Api, ATraceShowsTheAddressesOutside) {
  ASSERT_TRUE(ask_about("trace", 1000)["ok"]);
  const Bytes sent = send(packet(1000), kOut0);
  const std::string appliance = sent[53] == 0x11 ? "fd09::11" : "fd09::12";
  Bytes forged = returned(sent);
  forged[37] = 0x63;
  send(forged, kGen0);
  send(returned(sent), kGen0);
  std::vector<std::string> told;
  std::istringstream lines(stream.text);
  for (std::string line; std::getline(lines, line);)
    told.push_back(json::parse(line).value("stage", "") + ": " +
                   json::parse(line).value("what", ""));
  EXPECT_EQ(told, (std::vector<std::string>{
                      "in: from outside of front",
                      "encapsulated: new flow, group firewalls by hash: to " + appliance,
                      "returned: from fd09::63",
                      "dropped: known flow, group firewalls by hash: source_unregistered",
                      "returned: from " + appliance,
                      "delivered: to inside of front",
                  }));
}

TEST_F(OuterIpv6Api, ACaptureHasTheWholeDatagram) {
  ASSERT_TRUE(
      ask({{"command", "capture"}, {"stages", {"encapsulated"}}, {"protocol", "udp"}})["ok"]);
  const Bytes sent = send(packet(1000), kOut0);
  const std::string bytes(sent.begin(), sent.end());
  EXPECT_EQ(bytes.size(), packet(1000).size() + 88);
  EXPECT_NE(stream.text.find(bytes), std::string::npos);
  tunnels::PcapngBlocks blocks;
  EXPECT_TRUE(blocks.read(stream.text, [](std::string_view) {}));
  EXPECT_EQ(blocks.packets(), 1u);
}

TEST_F(OuterIpv6Api, TargetsComeAndGo) {
  EXPECT_EQ(error_of("register", "fd09::13"), "");
  const std::string table =
      print_targets(ask({{"command", "targets"}, {"target_group", "firewalls"}}));
  EXPECT_NE(table.find("[fd09::13]:6081"), std::string::npos) << table;
  EXPECT_EQ(error_of("register", "FD09:0::13"), "") << "the same one";
  EXPECT_EQ(plane.config().target_group("firewalls")->targets.size(), 3u);
  EXPECT_EQ(error_of("deregister", "fd09::13"), "");
  EXPECT_EQ(error_of("register", "fe80::13"),
            "target_groups[0].targets[2].id: fe80::13 is no global or unique local IPv6 address");
  EXPECT_EQ(error_of("register", "::ffff:10.9.0.13"),
            "target_groups[0].targets[2].id: ::ffff:10.9.0.13 is no global or unique local IPv6 "
            "address");
  EXPECT_EQ(error_of("register", "10.9.0.13"),
            "target_groups[0].targets[2].id: the group's ip_address_type is another");
}

}  // namespace
}  // namespace sluice::gateway
