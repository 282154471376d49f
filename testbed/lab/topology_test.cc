// SPDX-License-Identifier: Apache-2.0
#include "testbed/lab/topology.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice::testbed {
namespace {

constexpr char kSmall[] = R"(gateway: {name: small}
load_balancers: [{anything: here}]
lab:
  switches:
    - {name: fabric, mtu: 1600}
  namespaces:
    - name: client
      interfaces: [{name: eth0, addresses: [10.1.0.2/16, "fd01::2/64"], peer: gateway/out0}]
      routes: [{to: default, via: 10.1.0.1}]
    - name: gateway
      interfaces: [{name: gen0, switch: fabric, addresses: [10.9.0.1/24]}]
      programs: [{run: [sluiced, --config, "{config}"], ready: {socket: "{run}/x.sock", timeout_seconds: 3}}]
    - name: ids1
      interfaces: [{name: eth0, switch: fabric, mtu: 1500}]
      appliance: {program: sluice-ids, arguments: [--rules, "{dir}/demo.rules"], ready: {tcp: "[fd01::1]:8080"}}
)";

std::string errors_of(const std::string& lab) {
  TopologyResult result = parse_topology("gateway: {name: x}\nlab:\n" + lab, "f");
  std::string all;
  if (!result)
    for (const Error& error : result.error()) all += error.text() + "\n";
  return all;
}

TEST(Topology, ReadsWhatItSays) {
  TopologyResult result = parse_topology(kSmall, "/etc/lab/small.yaml");
  ASSERT_TRUE(result) << result.error().front().text();
  EXPECT_EQ(result->name, "small");
  ASSERT_EQ(result->switches.size(), 1u);
  EXPECT_EQ(result->switches[0].mtu, 1600u);
  ASSERT_EQ(result->namespaces.size(), 3u);
  const Interface& client = result->namespaces[0].interfaces.at(0);
  EXPECT_EQ(client.addresses, (std::vector<std::string>{"10.1.0.2/16", "fd01::2/64"}));
  EXPECT_EQ(client.peer_namespace, "gateway");
  EXPECT_EQ(client.peer_name, "out0");
  EXPECT_FALSE(client.transmit_checksum);
  EXPECT_EQ(result->namespaces[0].routes.at(0).via, "10.1.0.1");
  const Program& daemon = result->namespaces[1].programs.at(0);
  EXPECT_EQ(daemon.command,
            (std::vector<std::string>{"sluiced", "--config", "/etc/lab/small.yaml"}));
  EXPECT_EQ(daemon.ready.socket, "/run/sluice/lab/small/x.sock");
  EXPECT_EQ(daemon.ready.timeout_seconds, 3u);
  const Program& ids = result->namespaces[2].programs.at(0);
  EXPECT_TRUE(ids.appliance);
  EXPECT_EQ(ids.command,
            (std::vector<std::string>{"sluice-ids", "--rules", "/etc/lab/demo.rules"}));
  EXPECT_EQ(ids.ready.tcp_address, "fd01::1");
  EXPECT_EQ(ids.ready.tcp_port, 8080);
  EXPECT_TRUE(result->namespaces[2].interfaces.at(0).transmit_checksum);
}

TEST(Topology, NamesEveryErrorAtOnce) {
  EXPECT_EQ(
      errors_of("  namespaces:\n"
                "    - {name: A, colour: red}\n"
                "    - name: b\n"
                "      interfaces:\n"
                "        - {name: eth0, switch: none, addresses: [10.0.0.1]}\n"
                "        - {name: eth0, peer: c/eth0}\n"
                "        - {name: eth1}\n"
                "      programs: [{run: []}]\n"),
      "f:4:14: lab.namespaces[0].name: a name is 1 to 15 of a-z, 0-9 and '-'\n"
      "f:4:25: lab.namespaces[0].colour: unknown key 'colour'\n"
      "f:7:32: lab.namespaces[1].interfaces[0].switch: there is no switch 'none'\n"
      "f:7:50: lab.namespaces[1].interfaces[0].addresses[0]: not an address with a prefix length, "
      "as in "
      "10.1.0.2/16\n"
      "f:8:18: lab.namespaces[1].interfaces[1].name: interface 'eth0' of 'b' is there twice\n"
      "f:8:30: lab.namespaces[1].interfaces[1].peer: there is no namespace 'c'\n"
      "f:9:11: lab.namespaces[1].interfaces[2]: an interface has either a 'switch' or a 'peer'\n"
      "f:10:18: lab.namespaces[1].programs[0]: there is nothing to run\n");
}

TEST(Topology, RefusesWhatCannotBe) {
  auto program = [](const std::string& text) {
    return errors_of("  namespaces: [{name: a, programs: [" + text + "]}]\n");
  };
  EXPECT_EQ(program("{run: [x, y]}"), "");
  EXPECT_NE(program("{run: [x], ready: {tcp: nowhere}}").find("not ADDRESS:PORT"),
            std::string::npos);
  EXPECT_NE(program("{run: [x], ready: {tcp: \"10.0.0.1:99999\"}}").find("not ADDRESS:PORT"),
            std::string::npos);
  EXPECT_NE(program("{run: [x], ready: {}}").find("is needed"), std::string::npos);
  EXPECT_NE(program("{run: [x], ready: {exits: 0, socket: y}}").find("is needed"),
            std::string::npos);
  EXPECT_NE(program("{run: [x]}, {run: [x]}").find("is there twice"), std::string::npos);
  EXPECT_NE(program("{run: [[x]]}").find("a word of a command"), std::string::npos);
  EXPECT_NE(
      errors_of("  switches: [{name: a}]\n  namespaces: [{name: a}]\n").find("is there twice"),
      std::string::npos);
  EXPECT_NE(errors_of("  switches: [{name: a, mtu: 100}]\n"), "");
  EXPECT_NE(errors_of("  namespaces: [{name: a, interfaces: [{name: lo, peer: b/x}]}, {name: b}]\n")
                .find("'lo'"),
            std::string::npos);
  EXPECT_NE(errors_of("  namespaces: [{name: a, routes: [{to: x, via: y}]}]\n"), "");
  std::string many;
  for (size_t i = 0; i <= kSwitchesMax; ++i) many += "{name: s" + std::to_string(i) + "},";
  EXPECT_NE(errors_of("  switches: [" + many + "]\n"), "");
  EXPECT_FALSE(parse_topology("lab: {}\n", "f").has_value());
  EXPECT_FALSE(parse_topology("gateway: {name: x}\n", "f").has_value());
}

TEST(Topology, IsReadOrRefusedWhereverItIsCut) {
  std::string text = kSmall;
  for (size_t length = 0; length < text.size(); ++length)
    (void)parse_topology(text.substr(0, length), "f");
}

TEST(Topology, TheFilesOfThisRepositoryAreRead) {
  std::string root = SLUICE_SOURCE_DIR;
  TopologyResult demo = read_topology(root + "/testbed/lab/demo.yaml");
  ASSERT_TRUE(demo) << demo.error().front().text();
  EXPECT_EQ(demo->name, "demo");
}

// The first ```yaml block of the page.
TEST(Topology, TheExampleOfThePageIsRead) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/docs/features/lab.md");
  std::ostringstream page;
  page << file.rdbuf();
  std::string text = page.str();
  size_t start = text.find("```yaml\n");
  ASSERT_NE(start, std::string::npos);
  start += 8;
  TopologyResult result =
      parse_topology(text.substr(start, text.find("```", start) - start), "lab.md");
  ASSERT_TRUE(result) << result.error().front().text();
}

}  // namespace
}  // namespace sluice::testbed
