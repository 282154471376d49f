// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/flow_list.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "appliances/dpi/command.h"

namespace sluice::dpi {
namespace {

using nlohmann::json;

const std::string kCaptures = SLUICE_SOURCE_DIR "/testbed/captures/";

std::string lines_of(const std::string& capture, const DpiOptions& options = {}) {
  inspect::MemorySink out;
  const auto counters = list_flows(kCaptures + capture, options, out);
  EXPECT_TRUE(counters) << counters.error().text();
  return out.text();
}

std::vector<json> flows_of(const std::string& capture) {
  std::vector<json> flows;
  std::istringstream lines(lines_of(capture));
  for (std::string line; std::getline(lines, line);) flows.push_back(json::parse(line));
  return flows;
}

TEST(FlowList, OneRecordForEachFlow) {
  const auto flows = flows_of("openssl_tls12.pcap");
  ASSERT_EQ(flows.size(), 1u);
  const json& flow = flows[0];
  EXPECT_EQ(flow["event_type"], "flow");
  EXPECT_EQ(flow["src_ip"], "10.1.0.2");
  EXPECT_EQ(flow["src_port"], 60666);
  EXPECT_EQ(flow["dest_ip"], "10.1.0.11");
  EXPECT_EQ(flow["dest_port"], 443);
  EXPECT_EQ(flow["proto"], "TCP");
  EXPECT_EQ(flow["flow"]["pkts_toserver"], 7);
  EXPECT_EQ(flow["flow"]["pkts_toclient"], 7);
  EXPECT_EQ(flow["flow"]["bytes_toserver"], 708);
  EXPECT_EQ(flow["flow"]["bytes_toclient"], 1831);
  EXPECT_EQ(flow["ndpi"]["tls"]["version"], "TLSv1.2");
  EXPECT_FALSE(flow["ndpi"]["tls"]["subject"].get<std::string>().empty());
  EXPECT_FALSE(flow.contains("verdict")) << "no policy was asked";
}

TEST(FlowList, SameFileSameLines) {
  for (const char* capture : {"curl_http.pcap", "ssh.pcap", "udp_echo_fragments.pcap"})
    EXPECT_EQ(lines_of(capture), lines_of(capture));
}

TEST(FlowList, FragmentsBelongToTheirDatagram) {
  const auto flows = flows_of("udp_echo_fragments.pcap");
  ASSERT_EQ(flows.size(), 1u);
  EXPECT_EQ(flows[0]["dest_port"], 7000);
}

TEST(FlowList, AnIcmpErrorIsAFlowOfItsOwn) {
  const auto flows = flows_of("port_unreachable.pcap");
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_EQ(flows[0]["proto"], "UDP");
  EXPECT_EQ(flows[1]["proto"], "ICMP");
  EXPECT_EQ(flows[1]["src_ip"], "10.1.0.11");
  EXPECT_EQ(flows[1]["ndpi"]["proto"], "ICMP");
}

TEST(FlowList, AFullTableWritesEarlyAndLosesNothing) {
  inspect::MemorySink out;
  DpiOptions options;
  options.flows.flows_max = 1;
  const auto counters = list_flows(kCaptures + "curl_http.pcap", options, out);
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->flows, 2u);
  EXPECT_EQ(std::ranges::count(out.text(), '\n'), 2);
}

TEST(FlowList, TheSensorIsNamed) {
  DpiOptions options;
  options.sensor_name = "dmz-1";
  const std::string text = lines_of("ssh.pcap", options);
  EXPECT_EQ(json::parse(text.substr(0, text.find('\n')))["host"], "dmz-1");
}

TEST(FlowList, ErrorsAreOneLine) {
  inspect::MemorySink out;
  EXPECT_FALSE(list_flows("/nonexistent.pcap", {}, out));
  DpiOptions options;
  options.lists.ja3 = "/nonexistent.csv";
  const auto result = list_flows(kCaptures + "ssh.pcap", options, out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(), "/nonexistent.csv: cannot read: No such file or directory");
}

TEST(DpiCommandLine, ListsAndFlowList) {
  const std::string arguments[] = {"-r", "x.pcap", "--json", "-p", "p",  "-c", "c",
                                   "-R", "r",      "-J",     "j",  "-S", "s"};
  const auto command = parse_arguments(arguments);
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_TRUE(command->list_flows);
  EXPECT_EQ(command->dpi.lists.protocols, "p");
  EXPECT_EQ(command->dpi.lists.categories, "c");
  EXPECT_EQ(command->dpi.lists.risky_domains, "r");
  EXPECT_EQ(command->dpi.lists.ja3, "j");
  EXPECT_EQ(command->dpi.lists.sha1, "s");
  EXPECT_FALSE(parse_arguments(std::vector<std::string>{"--json"})) << "needs -r";
  EXPECT_FALSE(
      parse_arguments(std::vector<std::string>{"--json", "-r", "x.pcap", "--policy", "y.yaml"}));
}

}  // namespace
}  // namespace sluice::dpi
