// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/inspector.h"

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using testing::Bytes;
using testing::Ends;
using testing::Harness;
using testing::icmp;
using testing::kAck;
using testing::kSyn;
using testing::Sids;
using testing::tcp;
using testing::udp;

TEST(Inspector, AlertHasEveryField) {
  Harness h(
      R"(alert udp 10.0.0.0/8 any -> any 53 (msg:"dns \"evil\""; content:"evil"; classtype:trojan-activity; sid:7; rev:2; metadata:a b;))");
  EXPECT_TRUE(h.send(udp({"10.0.0.1", "10.0.0.2", 4000, 53}, "an evil name")));
  ASSERT_EQ(h.events().size(), 1u);
  const auto event = h.events()[0];
  EXPECT_EQ(event.at("event_type"), "alert");
  EXPECT_EQ(event.at("src_port"), 4000);
  EXPECT_EQ(event.at("direction"), "to_server");
  EXPECT_EQ(event.at("flow").at("pkts_toserver"), 1);
  EXPECT_GT(event.at("flow_id"), 0);
  EXPECT_EQ(event.at("alert"),
            nlohmann::json::parse(R"({"action":"allowed","gid":1,"signature_id":7,"rev":2,
    "signature":"dns \"evil\"","category":"A Network Trojan was detected","severity":1,"metadata":{"a":["b"]}})"));
}

TEST(Inspector, HeadersDecide) {
  struct Row {
    const char* header;
    bool matches;
  };
  for (const Row& row :
       {Row{"udp any any -> any any", true}, Row{"ip any any -> any any", true},
        Row{"tcp any any -> any any", false}, Row{"icmp any any -> any any", false},
        Row{"udp 10.0.0.1 4000 -> 10.0.0.2 53", true}, Row{"udp any 53 -> any any", false},
        Row{"udp any 53 <> any any", true}, Row{"udp 10.0.0.2 any -> any any", false},
        Row{"udp !10.0.0.2 any -> any !80", true}, Row{"udp any any -> any [1:52,54:]", false},
        Row{"udp $HOME_NET any -> $HOME_NET any", true}}) {
    for (const char* options : {"", "content:\"x\";"}) {
      Harness h("alert " + std::string(row.header) + " (" + options + " sid:1;)");
      h.send(udp({"10.0.0.1", "10.0.0.2", 4000, 53}, "x"));
      EXPECT_EQ(h.alerts().size(), row.matches ? 1u : 0u) << row.header << options;
    }
  }
}

// Whether an address is in a list is worked out once for each packet and end.
TEST(Inspector, RulesMayShareAListOfAddresses) {
  const std::string list = "[10.0.0.0/8,!10.1.0.0/16]";
  Harness h("alert udp " + list + " any -> any any (content:\"x\"; sid:1;)\n" +  //
            "alert udp any any -> " + list + " any (content:\"x\"; sid:2;)\n" +  //
            "alert udp " + list + " any <> 192.0.2.1 any (content:\"x\"; sid:3;)\n" +
            "alert udp [10.0.0.0/8,10.1.0.0/16] any -> any any (content:\"x\"; sid:4;)");
  const auto alerts_of = [&](const char* source, const char* destination) {
    h.forget_events();
    h.send(udp({source, destination, 4000, 53}, "x"));
    return h.alerts();
  };
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(alerts_of("10.0.0.1", "192.0.2.1"), (Sids{1, 3, 4}));
    EXPECT_EQ(alerts_of("192.0.2.1", "10.0.0.9"), (Sids{2, 3}));
    EXPECT_EQ(alerts_of("10.1.0.1", "192.0.2.1"), Sids{4});
    EXPECT_EQ(alerts_of("10.0.0.1", "10.0.0.2"), (Sids{1, 2, 4}));
    EXPECT_EQ(alerts_of("10.0.0.1", "10.1.0.2"), (Sids{1, 4}));
  }
}

TEST(Inspector, FlowDirectionAndState) {
  const std::string rules = R"(
alert tcp any any -> any any (flow:to_server; content:"x"; sid:1;)
alert tcp any any -> any any (flow:to_client; content:"x"; sid:2;)
alert tcp any any -> any any (flow:from_client,established; content:"x"; sid:3;)
alert tcp any any -> any any (flow:not_established; content:"x"; sid:4;)
alert tcp any any -> any any (flow:established; dsize:1; sid:5;)
)";
  Harness h(rules);
  const Ends c;
  h.connect(c);
  EXPECT_EQ(h.alerts(), Sids{});
  h.data(c, 0, "x");
  EXPECT_EQ(h.alerts(), (Sids{1, 3, 5}));
  h.forget_events();
  h.send(tcp(c.turned(), kAck, 5001, 1002, "x"));
  EXPECT_EQ(h.alerts(), (Sids{2, 5}));

  Harness middle(rules);
  middle.data(c, 0, "x");
  EXPECT_EQ(middle.alerts(), (Sids{1, 3, 5})) << "a connection met in its middle is established";
  Harness fast_open(rules);
  fast_open.send(tcp(c, kSyn, 1000, 0, "x"));
  EXPECT_EQ(fast_open.alerts(), (Sids{1, 4}));
}

TEST(Inspector, TheHandshakeItselfIsNotEstablished) {
  Harness h(
      "alert tcp any any -> any any (flow:established; sid:1;)\n"
      "alert tcp any any -> any any (flow:not_established,to_server; sid:2;)");
  const Ends c;
  h.connect(c);
  EXPECT_EQ(h.alerts(), (Sids{2, 2}));
  h.send(tcp(c, kAck, 1001, 5001));
  EXPECT_EQ(h.alerts(), (Sids{2, 2, 1}));
  Harness data("drop tcp any any -> any any (flow:established; content:\"attack\"; sid:1;)");
  data.send(tcp(c, kSyn, 1000, 0));
  data.send(tcp(c.turned(), kSyn | kAck, 5000, 1001));
  EXPECT_FALSE(data.data(c, 0, "attack")) << "data on the last segment of the handshake";
}

TEST(Inspector, PassBeforeDropBeforeRejectBeforeAlert) {
  const std::string pass = "pass udp any any -> any any (content:\"p\"; sid:1;)\n";
  const std::string drop = "drop udp any any -> any any (content:\"x\"; sid:2;)\n";
  const std::string reject = "reject udp any any -> any any (content:\"x\"; sid:3;)\n";
  const std::string alert = "alert udp any any -> any any (content:\"x\"; sid:4;)\n";
  Harness h(alert + reject + drop + pass);
  EXPECT_TRUE(h.send(udp({"10.0.0.1", "10.0.0.2", 1, 2}, "x and p")));
  EXPECT_EQ(h.alerts(), Sids{});
  EXPECT_FALSE(h.send(udp({"10.0.0.1", "10.0.0.2", 3, 2}, "x")));
  EXPECT_EQ(h.alerts(), (Sids{2, 3, 4}));
  EXPECT_EQ(h.responses().count(), 0u) << "drop wins over reject";
  Harness r(alert + reject);
  EXPECT_FALSE(r.send(udp({}, "x")));
  EXPECT_EQ(r.alerts(), (Sids{3, 4}));
  EXPECT_EQ(r.responses().count(), 1u);
  const auto events = r.events();
  EXPECT_EQ(events[0].at("alert").at("action"), "blocked");
  EXPECT_EQ(events[1].at("alert").at("action"), "allowed");
}

TEST(Inspector, DropHoldsForTheFlowInBothDirections) {
  Harness h("drop tcp any any -> any any (msg:\"no\"; content:\"attack\"; sid:2;)");
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, "hello "));
  EXPECT_FALSE(h.data(c, 6, "attack"));
  EXPECT_FALSE(h.data(c, 6, "harmless"));
  EXPECT_FALSE(h.send(tcp(c.turned(), kAck, 5001, 1007, "reply")));
  EXPECT_TRUE(h.send(tcp({"10.0.0.1", "10.0.0.2", 40001, 80}, kSyn, 1, 0))) << "another flow";
  const auto events = h.events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].at("event_type"), "alert");
  EXPECT_EQ(events[1].at("drop").at("reason"), "rules");
  EXPECT_EQ(events[1].at("alert").at("signature_id"), 2);
  EXPECT_EQ(events[2].at("drop").at("reason"), "flow drop");
  EXPECT_EQ(events[0].at("flow_id"), events[2].at("flow_id"));
  EXPECT_EQ(h.inspector().counters().dropped_by_flow, 2u);
}

TEST(Inspector, IcmpErrorsOfADroppedFlowAreDropped) {
  Harness h("drop udp any any -> any any (content:\"attack\"; sid:2;)");
  const Ends c;
  const Bytes attack = udp(c, "attack");
  const auto error = [](const Bytes& about) {
    return icmp(Ends{}.turned(), 3, 3,
                std::string(4, '\0') + std::string(about.begin(), about.end()));
  };
  EXPECT_TRUE(h.send(error(udp(c, "something"))));
  EXPECT_FALSE(h.send(attack));
  EXPECT_FALSE(h.send(error(attack)));
}

TEST(Inspector, PassOfAStreamOrOfAddressesHoldsForTheFlow) {
  Harness h(R"(
pass tcp any any -> any any (content:"trust"; sid:1;)
pass ip 10.9.9.9 any -> any any (sid:2;)
drop ip any any -> any any (content:"attack"; sid:3;)
)");
  const Ends c;
  h.connect(c);
  EXPECT_TRUE(h.data(c, 0, "trust"));
  EXPECT_TRUE(h.data(c, 5, "attack"));
  EXPECT_TRUE(h.send(udp({"10.9.9.9", "10.0.0.2", 5, 6}, "attack")));
  EXPECT_TRUE(h.send(udp({"10.0.0.2", "10.9.9.9", 6, 5}, "attack"))) << "the reply";
  EXPECT_FALSE(h.send(udp({"10.0.0.2", "10.9.9.8", 6, 5}, "attack")));
  EXPECT_EQ(h.inspector().counters().passed_by_flow, 2u);
}

TEST(Inspector, ASynThatComesTwiceBeginsNoOtherConnection) {
  Harness h(
      "pass tcp 10.0.0.1 any -> any any (sid:1;)\n"
      "drop tcp any any -> any any (sid:2;)");
  const Ends c{"10.0.0.1", "10.0.0.2", 1, 2};
  EXPECT_TRUE(h.send(tcp(c, kSyn, 1000, 0)));
  EXPECT_TRUE(h.send(tcp(c, kSyn, 1000, 0)));
  EXPECT_TRUE(h.send(tcp(c.turned(), kSyn | kAck, 5000, 1001)));
  EXPECT_TRUE(h.data(c, 0, "up"));
  EXPECT_TRUE(h.send(tcp(c.turned(), kAck, 5001, 1003, "down")));
  EXPECT_EQ(h.inspector().flow_counters().replaced, 0u);
}

TEST(Inspector, NoalertActsSilently) {
  Harness h("drop udp any any -> any any (content:\"x\"; noalert; sid:1;)");
  EXPECT_FALSE(h.send(udp({}, "x")));
  EXPECT_EQ(h.alerts(), Sids{});
  EXPECT_EQ(h.events().at(0).at("event_type"), "drop");
}

TEST(Inspector, IcmpAndOtherProtocols) {
  Harness h(R"(
alert icmp any any -> any any (content:"ping"; startswith; sid:1;)
alert ip any any -> any any (content:"tunnelled"; sid:2;)
)");
  h.send(icmp({}, 8, 0, "1234ping"));
  h.send(icmp({"fd00::1", "fd00::2"}, 128, 0, "1234ping"));
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
  h.send(testing::ip_packet({}, 47, Bytes{'t', 'u', 'n', 'n', 'e', 'l', 'l', 'e', 'd'}));
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 2}));
}

TEST(Inspector, AtMostFifteenAlertsForAPacket) {
  std::string rules;
  for (int i = 1; i <= 20; i++)
    rules += "alert udp any any -> any any (content:\"x\"; sid:" + std::to_string(i) + ";)\n";
  Harness h(rules);
  h.send(udp({}, "x"));
  EXPECT_EQ(h.alerts().size(), kAlertsPerPacketMax);
  EXPECT_EQ(h.inspector().counters().alerts_suppressed, 5u);
}

TEST(Inspector, MalformedPacketsAreDroppedAndCounted) {
  Harness h("alert ip any any -> any any (sid:1;)");
  const Bytes whole = tcp({}, kAck, 1, 2, "data");
  for (size_t length = 0; length < whole.size(); length++)
    EXPECT_FALSE(h.send(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))))
        << length;
  Bytes bad = whole;
  bad[20 + 12] = 0xf0;  // a TCP header longer than the packet
  EXPECT_FALSE(h.send(bad));
  bad = udp({}, "data");
  tunnels::store_be16(&bad[24], 100);  // a UDP length longer than the packet
  EXPECT_FALSE(h.send(bad));
  EXPECT_EQ(h.inspector().counters().dropped_malformed, whole.size() + 2);
}

TEST(Inspector, FragmentsAreInspectedAsOneDatagram) {
  for (const Ends& ends : {Ends{}, Ends{"fd00::1", "fd00::2", 4000, 53}}) {
    Harness h("drop udp any any -> any any (content:\"split attack\"; sid:1;)");
    const Bytes attack = udp(ends, "a very split attack");
    const Bytes first = testing::fragment(attack, 0, 16, 9);
    const Bytes last = testing::fragment(attack, 16, 100, 9);
    EXPECT_TRUE(h.send(first));
    EXPECT_FALSE(h.send(last));
    EXPECT_FALSE(h.send(last)) << "and again: the receiver still holds the first one";
    EXPECT_EQ(h.alerts(), Sids{1});
    EXPECT_EQ(h.events().back().at("drop").at("reason"), "defrag error");
    const Bytes good = udp({"10.0.0.7", "10.0.0.2", 1, 2}, "a very good datagram");
    EXPECT_TRUE(h.send(testing::fragment(good, 16, 100, 10)));
    EXPECT_TRUE(h.send(testing::fragment(good, 0, 16, 10)));
    const FragmentCounters& counters = h.inspector().defragmenter().counters();
    EXPECT_EQ(counters.datagrams[0] + counters.datagrams[1], 2u);
  }
}

// The first fragment dies on its way; the receiver, which has the last one, waits for another.
TEST(Inspector, NoOtherFragmentPassesBehindACompleteDatagram) {
  Harness h("drop udp any any -> any any (content:\"split attack\"; sid:1;)");
  const Bytes good = udp({}, "a very good attack");
  const Bytes evil = udp({}, "a very split attack");
  EXPECT_TRUE(h.send(testing::fragment(good, 0, 16, 9)));
  EXPECT_TRUE(h.send(testing::fragment(good, 16, 100, 9)));
  EXPECT_FALSE(h.send(testing::fragment(evil, 0, 16, 9)));
  EXPECT_EQ(h.drops(), std::vector<std::string>{"defrag error"});
  EXPECT_TRUE(h.send(testing::fragment(good, 0, 16, 9))) << "the same again";
  EXPECT_EQ(h.inspector().counters().dropped_fragment_error, 1u);
}

TEST(Inspector, FragmentsOfOtherEndpointsAndVlansAreOfOtherHosts) {
  Harness h("alert udp any any -> any any (content:\"good\"; sid:1;)");
  Responses none;
  uint64_t endpoint = 0;
  const auto send = [&](const Bytes& ip, uint16_t vlan) {
    Frame frame;
    frame.endpoint = endpoint;
    frame.vlans[0] = vlan;
    return h.inspector().inspect(ip, 1, none, frame) == Inspector::Verdict::kPass;
  };
  for (const auto& [one, two, vlan] : {std::tuple{1, 2, 0}, {3, 3, 7}}) {
    for (const size_t offset : {size_t{0}, size_t{16}}) {
      endpoint = static_cast<uint64_t>(one);
      EXPECT_TRUE(send(testing::fragment(udp({}, "a very good thing"), offset, 16, 9), 0));
      endpoint = static_cast<uint64_t>(two);
      EXPECT_TRUE(send(testing::fragment(udp({}, "all very good too"), offset, 16, 9),
                       static_cast<uint16_t>(vlan)));
    }
  }
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 1, 1}));
}

TEST(Inspector, FlowEventsTellHowFlowsEnded) {
  MemorySink sink;
  EngineOptions options;
  options.rule_texts = {{"t", "drop udp any any -> any 53 (sid:1;)"}};
  auto inspector = std::move(*Inspector::create(*Engine::create(options), {}, sink));
  Responses responses;
  EXPECT_EQ(inspector->inspect(udp({"10.0.0.1", "10.0.0.2", 9, 53}, "x"), 1, responses),
            Inspector::Verdict::kDrop);
  EXPECT_EQ(inspector->inspect(udp({"10.0.0.1", "10.0.0.2", 9, 54}, "x"), 2, responses),
            Inspector::Verdict::kPass);
  sink.clear();
  inspector->tick(31'000'000);
  const std::string text = sink.text();
  const auto first = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first.at("event_type"), "flow");
  EXPECT_EQ(first.at("flow").at("reason"), "timeout");
  EXPECT_EQ(first.at("flow").at("alerted"), true);
  EXPECT_EQ(first.at("flow").at("action"), "drop");
  EXPECT_EQ(inspector->flows(), 0u);
}

// Which rules were tried, how often, and that dear ones are dear.
TEST(Profile, CountsWhatEachRuleCosts) {
  InspectorOptions options;
  options.profile = true;
  Harness h(
      "alert udp any any -> any any (content:\"evil\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"evil\"; pcre:\"/(a+)+never/\"; sid:2;)\n"
      "alert udp any any -> any 99 (content:\"evil\"; sid:3;)\n"
      "alert udp any any -> any any (content:\"not there\"; sid:4;)",
      options);
  h.send(udp({}, "evil " + std::string(500, 'a')));
  h.send(udp({}, "evil"));
  const auto& costs = h.inspector().profile()->costs();
  EXPECT_EQ(costs[0].tries, 2u);
  EXPECT_EQ(costs[0].matches, 2u);
  EXPECT_EQ(costs[1].tries, 2u);
  EXPECT_EQ(costs[1].matches, 0u);
  EXPECT_GT(costs[1].cost, costs[0].cost);
  EXPECT_EQ(costs[2].tries, 0u);
  EXPECT_EQ(costs[3].tries, 0u);
  EXPECT_EQ(Harness("").inspector().profile(), nullptr);
}

// A request that does not say what a rule asks for says it no more when it is over.
TEST(Profile, WhatAWholeBufferDecidesIsTriedOnce) {
  InspectorOptions options;
  options.profile = true;
  Harness h(
      "alert http any any -> any any (http.user_agent; content:\"me\"; bsize:7; sid:1;)\n"
      "alert http any any -> any any (http.method; content:\"GET\"; http.header_names; "
      "content:!\"Host\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/x\"; http.stat_code; content:\"200\"; "
      "sid:3;)\n"
      "alert http any any -> any any (http.uri; content:\"/x\"; http.response_body; "
      "content:!\"end\"; sid:4;)",
      options);
  const auto& costs = h.inspector().profile()->costs();
  h.connect({});
  const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\n\r\n";
  h.data({}, 0, request);
  h.send(tcp(Ends{}.turned(), kAck, 5001, 1001 + static_cast<uint32_t>(request.size()),
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  EXPECT_EQ(costs[0].tries, 1u);
  EXPECT_EQ(costs[1].tries, 3u) << "when it is called, and when the names of either side come";
  EXPECT_EQ(h.alerts(), (Sids{3, 4}));
}

TEST(Profile, WhatIsTooShortIsNotTried) {
  InspectorOptions options;
  options.profile = true;
  Harness h(
      "alert tcp any any -> any any (content:\"evi\"; offset:4; depth:3; sid:1;)\n"
      "alert udp any any -> any any (content:\"l\"; offset:7; depth:1; sid:2;)\n"
      "alert udp any any -> any any (content:!\"x\"; sid:3;)\n"
      "alert udp any any -> any any (dsize:0; sid:4;)",
      options);
  const auto& costs = h.inspector().profile()->costs();
  h.connect({});
  h.data({}, 0, "xxxxev");
  EXPECT_EQ(costs[0].tries, 0u);
  h.data({}, 6, "i");
  EXPECT_EQ(costs[0].tries, 1u) << "in the stream";
  h.data({}, 7, "xxxxevi");
  EXPECT_EQ(costs[0].tries, 3u) << "in both";
  h.send(udp({}, ""));
  EXPECT_EQ(costs[1].tries + costs[2].tries, 0u);
  EXPECT_EQ(costs[3].tries, 1u);
  h.send(udp({}, "xxxxevi"));
  EXPECT_EQ(costs[1].tries + costs[2].tries, 1u);
  h.send(udp({}, "xxxxevil"));
  EXPECT_EQ(costs[1].tries, 1u);
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 4, 2}));
}

}  // namespace
}  // namespace sluice::inspect
