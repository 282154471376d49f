// SPDX-License-Identifier: Apache-2.0
// What is counted, as the `stats` event says it.
#include "appliances/ids/ids_counters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "appliances/ids/ids_appliance.h"
#include "inspect/app/dns_for_test.h"
#include "inspect/stream/defrag.h"
#include "inspect/stream/test_packets.h"

namespace sluice::ids {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using inspect::testing::fragment;
using inspect::testing::icmp;
using inspect::testing::ip_packet;
using inspect::testing::tcp;
using inspect::testing::udp;
using nlohmann::json;
using Cause = inspect::ExceptionCause;
using Policy = inspect::ExceptionPolicy;
using tunnels::kTcpAck;
using tunnels::kTcpRst;
using tunnels::kTcpSyn;

struct Nowhere : sdk::Injector {
  void inject(std::span<const uint8_t>) override {}
};

// Without what is 0; {"/ipv4/fragments": 3, ...}.
json not_zero(const json& counters) {
  json out;
  const json flat = counters.flatten();
  for (const auto& [name, value] : flat.items()) {
    if (value != 0) out[name] = value;
  }
  return out;
}

class CountersTest : public ::testing::Test {
 protected:
  void start(const inspect::InspectorOptions& inspection, const char* events = "stats") {
    IdsOptions options;
    options.inspection = inspection;
    options.inspection.events.types = *inspect::EventTypes::parse(events);
    options.rules.rule_texts = {
        {"test",
         "alert tcp any any -> any any (content:\"evil\"; sid:1;)\nalert tcp any any -> any any "
         "(app-layer-event:applayer_detect_protocol_only_one_direction; sid:2;)"}};
    eve_.clear();
    auto made = make_ids(options, eve_);
    ASSERT_TRUE(made) << made.error().text();
    appliance_ = std::move(*made);
  }
  void send(Bytes ip, int64_t waited_us = 0) {
    sdk::Packet packet{ip, 1, 2, time_us_};
    packet.waited_us = waited_us;
    Nowhere nowhere;
    (void)appliance_->handle(packet, nowhere);
  }
  // As the next frame of a capture of Ethernet.
  void send_frame(Bytes ip, uint16_t vlan = 0, uint16_t inner_vlan = 0) {
    const Bytes header(14u + (vlan ? 4 : 0) + (inner_vlan ? 4 : 0));
    const auto length = static_cast<uint32_t>(header.size() + ip.size());
    const sdk::CapturedFrame frame{++frames_, header, length, 1, {vlan, inner_vlan}};
    sdk::Packet packet{ip, 1, 2, time_us_};
    packet.frame = &frame;
    Nowhere nowhere;
    (void)appliance_->handle(packet, nowhere);
  }
  void connect(const Ends& c) {
    send(tcp(c, kTcpSyn, 100, 0));
    send(tcp(c.turned(), kTcpSyn | kTcpAck, 500, 101));
    send(tcp(c, kTcpAck, 101, 501));
  }
  // Of the event at the end; that of a drop, if there is one, says why.
  json counted(std::string* reason = nullptr) {
    appliance_->finish(time_us_);
    json last;
    std::istringstream lines(eve_.text());
    for (std::string line; std::getline(lines, line);) {
      last = json::parse(line);
      if (reason != nullptr && last.contains("drop")) *reason = last.at("drop").at("reason");
    }
    eve_.clear();
    return last.at("stats");
  }

  uint64_t frames_ = 0;
  inspect::MemorySink eve_;
  std::unique_ptr<IdsAppliance> appliance_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

// --- a small capture ---

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\nServer: s\r\n\r\n";
constexpr auto kRequestSize = static_cast<uint32_t>(kRequest.size());
constexpr auto kAnswerSize = static_cast<uint32_t>(kAnswer.size());
const Ends kIpv6{"fd00::1", "fd00::2", 5, 6};

Bytes in_gre(const Bytes& inner) {
  Bytes gre = {0, 0, 8, 0};
  gre.insert(gre.end(), inner.begin(), inner.end());
  return ip_packet({"192.0.2.1", "192.0.2.2", 0, 0}, 47, gre);
}

Bytes in_vxlan(const Bytes& inner) {
  std::string vxlan("\x08\0\0\0\0\0\x07\0aaaaaabbbbbb\x08\0", 22);
  vxlan.append(inner.begin(), inner.end());
  return udp({"192.0.2.1", "192.0.2.2", 50000, 4789}, vxlan);
}

class SmallCaptureTest : public CountersTest {
 protected:
  void send_all() {
    const Ends c;
    send_frame(tcp(c, kTcpSyn, 100, 0));
    send_frame(tcp(c.turned(), kTcpSyn | kTcpAck, 500, 101));
    send_frame(tcp(c, kTcpAck, 101, 501));
    for (uint32_t i = 0; i < 2; i++) {
      send_frame(tcp(c, kTcpAck, 101 + i * kRequestSize, 501 + i * kAnswerSize, kRequest));
      send_frame(
          tcp(c.turned(), kTcpAck, 501 + i * kAnswerSize, 101 + (i + 1) * kRequestSize, kAnswer));
    }
    send_frame(tcp(c, kTcpRst, 101 + 2 * kRequestSize, 0));
    const std::string query = inspect::testing::dns_query("example.com");
    send_frame(udp({"10.0.0.3", "10.0.0.4", 5000, 53}, query), 5);
    send_frame(udp(kIpv6, "says nothing"), 5, 6);
    send_frame(icmp({}, 8, 0, "ping"));
    send_frame(icmp(kIpv6, 128, 0, "ping"));
    send_frame(icmp({"10.0.0.1", "10.0.0.9", 0, 0}, 8, 0, std::string(1400, 'a')));
    send_frame(in_gre(udp({"10.0.0.5", "10.0.0.6", 7, 8}, "in GRE")));
    send_frame(in_vxlan(tcp({"10.0.0.7", "10.0.0.8", 7, 8}, kTcpSyn, 1, 0)));
    send_frame(ip_packet(kIpv6, 4, icmp({"10.0.0.1", "10.0.0.2", 0, 0}, 8, 0, "ping")));
    send_frame(ip_packet(kIpv6, 41, icmp(kIpv6, 128, 0, "ping")));
    const Bytes whole = udp({"10.0.0.1", "10.0.0.2", 9, 10}, std::string(100, 'a'));
    send_frame(fragment(whole, 0, 64, 1));
    send_frame(fragment(whole, 64, 64, 1));
  }
};

TEST_F(SmallCaptureTest, WhatPacketsAre) {
  start({});
  send_all();
  // 8 frames of HTTP, whose bytes are those of their payload and 14 + 20 + 20 each; and so on.
  const uint64_t http = 8 * 54 + 2 * (kRequestSize + kAnswerSize);
  const uint64_t single = (18 + 28 + 29) + (22 + 48 + 12) + (14 + 24 + 4) + (14 + 44 + 4);
  const uint64_t largest = 14 + 24 + 1400;
  const uint64_t tunnels =
      (14 + 24 + 28 + 6) + (14 + 28 + 22 + 40) + (14 + 40 + 28) + (14 + 40 + 48);
  const uint64_t bytes = http + single + largest + tunnels + (14 + 20 + 64) + (14 + 20 + 44);
  EXPECT_EQ(not_zero(counted().at("decoder")), (json{{"/pkts", 19},
                                                     {"/bytes", bytes},
                                                     {"/avg_pkt_size", bytes / 19},
                                                     {"/max_pkt_size", largest},
                                                     {"/ethernet", 19},
                                                     {"/vlan", 2},
                                                     {"/vlan_qinq", 1},
                                                     {"/ipv4", 8 + 1 + 2 + 2 + 2 + 1 + 3},
                                                     {"/ipv6", 1 + 1 + 1 + 2},
                                                     {"/tcp", 8 + 1},
                                                     {"/udp", 1 + 1 + 1 + 1 + 1},
                                                     {"/icmpv4", 2 + 1},
                                                     {"/icmpv6", 1 + 1},
                                                     {"/gre", 1},
                                                     {"/vxlan", 1},
                                                     {"/ipv4_in_ipv6", 1},
                                                     {"/ipv6_in_ipv6", 1},
                                                     {"/tunnelled", 4}}));
}

TEST_F(SmallCaptureTest, FlowsConnectionsAndProtocols) {
  start({});
  send_all();
  json stats = counted();
  EXPECT_GT(stats.at("flow").at("memuse"), 0);
  stats.at("flow").erase("memuse");
  // Those of three tunnels are of other protocols.
  EXPECT_EQ(not_zero(stats.at("flow")),
            (json{{"/total", 15}, {"/tcp", 2}, {"/udp", 5}, {"/icmpv4", 3}, {"/icmpv6", 2}}));
  EXPECT_EQ(not_zero(stats.at("tcp")),
            (json{{"/sessions", 2},
                  {"/syn", 2},
                  {"/synack", 1},
                  {"/rst", 1},
                  {"/bytes_delivered", 2 * (kRequestSize + kAnswerSize)}}));
  EXPECT_EQ(not_zero(stats.at("app_layer")), (json{{"/flow/http", 1},
                                                   {"/tx/http", 2},
                                                   {"/flow/dns_udp", 1},
                                                   {"/tx/dns_udp", 1},
                                                   {"/flow/failed_udp", 4}}));
  EXPECT_EQ(not_zero(stats.at("ips")), (json{{"/accepted", 19}}));
}

TEST_F(CountersTest, AConnectionMetInItsMiddleIsASessionToo) {
  start({});
  send(tcp({}, kTcpAck, 101, 501, "GET / HTTP/1.1\r\n"));
  const json stats = counted();
  EXPECT_EQ(not_zero(stats.at("tcp")), (json{{"/sessions", 1},
                                             {"/midstream_pickups", 1},
                                             {"/midstream_exception_policy/ignore", 1},
                                             {"/bytes_delivered", 16}}));
  EXPECT_EQ(stats.at("decoder").at("ethernet"), 0) << "it came live";
  EXPECT_EQ(stats.at("decoder").at("bytes"), 20 + 20 + 16);
}

// Rules about the event know the protocol before the packet's bytes are all parsed.
TEST_F(CountersTest, AProtocolThatAnEventTellsOfIsCounted) {
  start({});
  connect({});
  send(tcp({}, kTcpAck, 101, 501, "no request, but long enough to tell\r\n"));
  send(tcp(Ends().turned(), kTcpAck, 501, 138, kAnswer));
  const json stats = counted();
  EXPECT_EQ(stats.at("detect").at("alert"), 1);
  EXPECT_EQ(stats.at("app_layer").at("flow").at("http"), 1);
}

TEST_F(CountersTest, BytesThatWereNotSeenAreAGap) {
  start({});
  connect({});
  send(tcp({}, kTcpAck, 201, 501, "behind it"));
  send(tcp(Ends().turned(), kTcpAck, 501, 210));
  send(tcp({}, kTcpAck, 210, 501, "more"));
  EXPECT_EQ(counted().at("tcp").at("reassembly_gap"), 1);
}

// --- exceptions ---

// Each is dropped once, and its event, the counter of its reason and that of its policy agree.
TEST_F(CountersTest, EachExceptionHasItsReasonAndItsPolicy) {
  const Ends c;
  const std::string broken = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n";
  const struct {
    Cause cause;
    Policy policy;
    const char* reason;
    const char* counter;
    void (*limit)(inspect::InspectorOptions&);
    std::function<void()> meet;
  } table[] = {
      {Cause::kMidstream, Policy::kDropFlow, "stream midstream",
       "/tcp/midstream_exception_policy/drop_flow", [](auto&) {},
       [&] { send(tcp(c, kTcpAck, 101, 501, "middle")); }},
      {Cause::kStreamMemory, Policy::kDropPacket, "stream reassembly",
       "/tcp/reassembly_exception_policy/drop_packet", [](auto& o) { o.stream_memory_max = 1000; },
       [&] {
         connect(c);
         send(tcp(c, kTcpAck, 101, 501, std::string(1100, 'a')));
       }},
      {Cause::kSessionMemory, Policy::kReject, "stream memcap",
       "/tcp/ssn_memcap_exception_policy/reject", [](auto& o) { o.session_memory_max = 0; },
       [&] {
         connect(c);
         send(tcp(c, kTcpAck, 101, 501, "a"));
       }},
      {Cause::kFlowMemory, Policy::kDropPacket, "flow memcap",
       "/flow/memcap_exception_policy/drop_packet", [](auto& o) { o.flows.flows_max = 1; },
       [&] {
         connect(c);
         send(udp({"10.0.0.3", "10.0.0.4", 1, 2}, "one more"));
       }},
      {Cause::kDefragMemory, Policy::kDropPacket, "defrag memcap",
       "/defrag/memcap_exception_policy/drop_packet", [](auto& o) { o.defrag.datagrams_max = 1; },
       [&] {
         for (const uint16_t id : {1, 2}) send(fragment(udp(c, std::string(100, 'a')), 0, 64, id));
       }},
      {Cause::kAppError, Policy::kDropFlow, "applayer error",
       "/app_layer/error/exception_policy/drop_flow", [](auto&) {},
       [&] {
         connect(c);
         send(tcp(c, kTcpAck, 101, 501, broken));
       }},
      {Cause::kAppMemory, Policy::kDropFlow, "applayer memcap",
       "/app_layer/memcap_exception_policy/drop_flow", [](auto& o) { o.app_flow_memory_max = 1; },
       [&] {
         connect(c);
         send(tcp(c, kTcpAck, 101, 501, "GET / HTTP/1.1\r\n"));
       }},
      {Cause::kOverload, Policy::kDropPacket, "overload",
       "/ips/overload_exception_policy/drop_packet", [](auto&) {},
       [&] { send(tcp(c, kTcpSyn, 100, 0), inspect::kWaitMaxUs + 1); }},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.counter);
    inspect::InspectorOptions options;
    ASSERT_TRUE(options.exceptions.choose(row.cause, row.policy));
    row.limit(options);
    start(options, "stats,drop");
    row.meet();
    std::string reason;
    const json stats = counted(&reason);
    EXPECT_EQ(reason, row.reason);
    std::ranges::replace(reason, ' ', '_');
    EXPECT_EQ(not_zero(stats.at("ips").at("drop_reason")), (json{{"/" + reason, 1}}));
    EXPECT_EQ(stats.at(json::json_pointer(row.counter)), 1);
    EXPECT_EQ(stats.at("ips").at("blocked"), 1);
  }
}

TEST_F(CountersTest, WhoseParserGaveUp) {
  start({});
  connect({});
  send(tcp({}, kTcpAck, 101, 501, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"));
  send(tcp({}, kTcpAck, 148, 501, "more"));
  EXPECT_EQ(not_zero(counted().at("app_layer").at("error")),
            (json{{"/http/parser", 1}, {"/exception_policy/ignore", 1}}));
}

// --- fragments ---

class FragmentCountersTest : public CountersTest {
 protected:
  void start(const inspect::DefragLimits& limits) {
    inspect::InspectorOptions options;
    options.defrag = limits;
    CountersTest::start(options);
  }
  void send_both_halves(const Bytes& whole, uint16_t id) {
    send(fragment(whole, 0, 64, id));
    send(fragment(whole, 64, 64, id));
  }
  json counted() {
    json defrag = CountersTest::counted().at("defrag");
    defrag.erase("memcap_exception_policy");
    return not_zero(defrag);
  }

  const Bytes whole_ = udp({}, std::string(100, 'a'));
  const Bytes other_ = udp({}, std::string(100, 'X'));
  const Bytes ipv6_ = udp(kIpv6, std::string(100, 'a'));
};

constexpr uint64_t kWaiting = 64 + inspect::kFragmentOverhead + inspect::kDatagramOverhead;

// Each another number, so that none is taken for another.
TEST_F(FragmentCountersTest, EachHasItsName) {
  start({});
  send_both_halves(whole_, 1);
  for (int i = 0; i < 3; i++) send(fragment(whole_, 0, 64, 1));
  for (int i = 0; i < 9; i++) send(fragment(other_, 0, 64, 1));
  for (int i = 0; i < 4; i++) send(fragment(whole_, 0, 20, 2));  // not a multiple of 8
  for (uint16_t id = 10; id < 16; id++) send(fragment(whole_, 0, 64, id));
  for (const uint16_t id : {1, 2}) send_both_halves(ipv6_, id);
  send(fragment(ipv6_, 0, 64, 3));
  time_us_ += inspect::DefragLimits().timeout_us;
  for (int id = 20; id < 22; id++) send(fragment(whole_, 0, 64, static_cast<uint16_t>(id)));
  EXPECT_EQ(counted(), (json{{"/ipv4/fragments", 26},
                             {"/ipv4/reassembled", 1},
                             {"/ipv6/fragments", 5},
                             {"/ipv6/reassembled", 2},
                             {"/repeats", 3},
                             {"/overlaps", 9},
                             {"/invalid", 4},
                             {"/wrk/tracker_timeout", 6 + 1},
                             {"/memuse", 2 * kWaiting}}));
}

TEST_F(FragmentCountersTest, EachLimitHasItsName) {
  const struct {
    inspect::DefragLimits limits;
    const char* reached;
  } table[] = {{{.datagrams_max = 2}, "/max_trackers_reached"},
               {{.fragments_max = 2}, "/max_frags_reached"},
               {{.memory_max = 2 * kWaiting}, "/memcap_reached"}};
  for (const auto& [limits, reached] : table) {
    start(limits);
    for (uint16_t id = 0; id < 5; id++) send(fragment(whole_, 0, 64, id));
    EXPECT_EQ(counted(), (json{{"/ipv4/fragments", 5}, {reached, 3}, {"/memuse", 2 * kWaiting}}));
  }
}

TEST_F(FragmentCountersTest, WhatIsForgottenToMakeRoom) {
  start({.datagrams_max = 2});
  for (uint16_t id = 0; id < 5; id++) send_both_halves(whole_, id);
  EXPECT_EQ(counted().at("/tracker_soft_reuse"), 3);
}

}  // namespace
}  // namespace sluice::ids
