// SPDX-License-Identifier: Apache-2.0
#include "inspect/eve/event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "inspect/eve/json_line.h"
#include "inspect/eve/sink.h"
#include "inspect/stream/test_packets.h"

namespace sluice::inspect {
namespace {

TEST(Event, AlertHasSuricatasFields) {
  const testing::Ends ends{"10.1.2.3", "10.4.5.6", 1234, 80};
  Flow flow;
  flow.packets[0] = 3;
  flow.bytes[1] = 99;
  JsonLine line;
  begin_event(line, 1704067200123456, "alert", 42,
              testing::parsed(testing::tcp(ends, 2, 0, 0)).tuple);
  write_alert(line, {true, 1, 2000001, 3, "a \"name\"", "Misc activity", 3});
  flow.to_server = testing::parsed(testing::tcp(ends, 2, 0, 0)).tuple;
  write_flow(line, flow);
  const auto event = nlohmann::json::parse(line.finish());
  EXPECT_EQ(event, nlohmann::json::parse(R"({
    "timestamp": "2024-01-01T00:00:00.123456+0000", "flow_id": 42, "event_type": "alert",
    "src_ip": "10.1.2.3", "src_port": 1234, "dest_ip": "10.4.5.6", "dest_port": 80, "proto": "TCP",
    "ip_v": 4,
    "alert": {"action": "blocked", "gid": 1, "signature_id": 2000001, "rev": 3,
              "signature": "a \"name\"", "category": "Misc activity", "severity": 3},
    "flow": {"pkts_toserver": 3, "pkts_toclient": 0, "bytes_toserver": 0, "bytes_toclient": 99,
             "start": "1970-01-01T00:00:00.000000+0000", "src_ip": "10.1.2.3", "src_port": 1234,
             "dest_ip": "10.4.5.6", "dest_port": 80}})"));
}

TEST(Event, MetadataKeepsEveryValueOfAKey) {
  const std::vector<std::pair<std::string, std::string>> metadata = {
      {"a", "1"}, {"b", "2"}, {"a", "3"}};
  JsonLine line;
  line.begin();
  write_alert(line, {.metadata = metadata});
  EXPECT_EQ(nlohmann::json::parse(line.finish()).at("alert").at("metadata"),
            nlohmann::json::parse(R"({"a": ["1", "3"], "b": ["2"]})"));
}

TEST(Event, DropAndEndedFlow) {
  Flow flow;
  flow.start_us = 900'000;
  flow.last_us = 61'000'000;
  flow.state = FlowState::kClosed;
  JsonLine line;
  const auto ip = testing::icmp({"fd00::1", "fd00::2"}, 128, 0, "");
  begin_event(line, 0, "drop", 0, testing::parsed(ip).tuple);
  write_drop(line, headers_of(ip), "rules");
  write_ended_flow(line, flow, FlowEnd::kTimeout);
  const auto event = nlohmann::json::parse(line.finish());
  EXPECT_EQ(event.at("proto"), "IPv6-ICMP");
  EXPECT_FALSE(event.contains("src_port"));
  EXPECT_EQ(event.at("src_ip"), "fd00:0000:0000:0000:0000:0000:0000:0001");
  EXPECT_EQ(event.at("ip_v"), 6);
  EXPECT_EQ(event.at("drop").at("reason"), "rules");
  EXPECT_EQ(event.at("flow").at("age"), 61);
  EXPECT_EQ(event.at("flow").at("state"), "closed");
  EXPECT_EQ(event.at("flow").at("reason"), "timeout");
  EXPECT_EQ(event.at("flow").at("end"), "1970-01-01T00:01:01.000000+0000");
}

nlohmann::json drop_of(const testing::Bytes& ip) {
  JsonLine line;
  line.begin();
  write_drop(line, headers_of(ip), "rules");
  return nlohmann::json::parse(line.finish()).at("drop");
}

TEST(Event, DropTellsThePacketsHeaders) {
  const testing::Ends six{"fd00::1", "fd00::2", 1234, 80};
  auto segment = testing::tcp({}, 0x1a, 7, 4'000'000'000);
  segment[1] = 0x10;
  EXPECT_EQ(drop_of(segment), nlohmann::json::parse(R"({"len": 40, "tos": 16, "ttl": 64, "ipid": 1,
      "tcpseq": 7, "tcpack": 4000000000, "tcpwin": 65000, "syn": true, "ack": true, "psh": true,
      "rst": false, "urg": false, "fin": false, "tcpres": 0, "tcpurgp": 0, "reason": "rules"})"));
  auto datagram = testing::udp(six, "four");
  datagram[0] = 0x6a;
  datagram[1] = 0xb0;
  datagram[3] = 9;
  EXPECT_EQ(drop_of(datagram), nlohmann::json::parse(R"({"len": 12, "tc": 171, "hoplimit": 64,
      "flowlbl": 9, "udplen": 12, "reason": "rules"})"));
  EXPECT_EQ(drop_of(testing::icmp({}, 8, 0, std::string("\0\5\1\0", 4))),
            nlohmann::json::parse(R"({"len": 28, "tos": 0, "ttl": 64, "ipid": 1, "icmp_id": 5,
      "icmp_seq": 256, "reason": "rules"})"));
  EXPECT_FALSE(drop_of(testing::icmp({}, 8, 0, "")).contains("icmp_id")) << "it is cut short";
}

TEST(Event, OfWhatIsNoPacketADropHasItsLength) {
  testing::Bytes segment = testing::tcp({}, tunnels::kTcpSyn, 1, 0);
  segment[32] = 0x40;  // a header of 16 bytes
  EXPECT_EQ(drop_of(segment), nlohmann::json::parse(R"({"len": 40, "reason": "rules"})"));
  EXPECT_EQ(headers_of(segment).packet.tuple.version, 4) << "its addresses are there";
  segment.resize(7);
  EXPECT_EQ(drop_of(segment), nlohmann::json::parse(R"({"len": 7, "reason": "rules"})"));
  EXPECT_EQ(headers_of(segment).packet.tuple.version, 0);
}

TEST(Event, ProtocolsHaveTheirNames) {
  const std::pair<uint8_t, std::string_view> kNames[] = {
      {0, "HOPOPT"}, {4, "IP-in-IP"}, {6, "TCP"},        {17, "UDP"},         {41, "IPv6"},
      {47, "GRE"},   {50, "ESP"},     {58, "IPv6-ICMP"}, {61, "061"},         {89, "OSPF"},
      {103, "PIM"},  {112, "VRRP"},   {132, "SCTP"},     {137, "MPLS-in-IP"}, {143, "Ethernet"},
      {144, "144"},  {255, "255"}};
  for (const auto& [number, name] : kNames) EXPECT_EQ(protocol_text(number), name);
}

TEST(Event, TheSensorIsNamedIfItHasAName) {
  for (const std::string_view name : {"", "dmz-1"}) {
    JsonLine line;
    MemorySink sink;
    begin_event(line, 0, "stats", 0, {});
    end_event(line, name, sink);
    EXPECT_EQ(nlohmann::json::parse(sink.text()).value("host", ""), name);
  }
}

TEST(Event, TcpTellsTheFlagsOfEachSide) {
  Flow flow;
  flow.tcp_flags[0] = 0x1e;
  flow.tcp_flags[1] = 0x1a;
  flow.state = FlowState::kClosed;
  const auto tcp = [&] {
    JsonLine line;
    line.begin();
    write_tcp(line, flow);
    return nlohmann::json::parse(line.finish()).at("tcp");
  };
  EXPECT_EQ(tcp(), nlohmann::json::parse(R"({
    "tcp_flags": "1e", "tcp_flags_ts": "1e", "tcp_flags_tc": "1a", "syn": true, "rst": true,
    "psh": true, "ack": true, "state": "closed"})"));
  flow.tcp_flags[1] = 0;
  flow.state = FlowState::kNew;
  EXPECT_EQ(tcp().at("state"), "syn_sent");
}

TEST(Event, Ipv6AddressesAreLongOrShort) {
  const auto tuple = testing::parsed(testing::udp({"2001:db8::1", "::1", 1, 2}, "x")).tuple;
  EXPECT_EQ(long_address_text(tuple.source, 6), "2001:0db8:0000:0000:0000:0000:0000:0001");
  EXPECT_EQ(address_text(tuple.source, 6), "2001:db8::1");
  JsonLine line;
  begin_event(line, 0, "flow", 0, tuple, true);
  EXPECT_EQ(nlohmann::json::parse(line.finish()).at("dest_ip"), "::1");
}

TEST(Event, TimesOutOfRangeStayValid) {
  EXPECT_EQ(std::string_view(timestamp_text(-1)), "1970-01-01T00:00:00.000000+0000");
  EXPECT_EQ(std::string_view(timestamp_text(INT64_MAX)).size(),
            std::string_view(timestamp_text(0)).size());
}

}  // namespace
}  // namespace sluice::inspect
