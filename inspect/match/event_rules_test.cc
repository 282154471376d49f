// SPDX-License-Identifier: Apache-2.0
// Rules about what parsers and streams notice.
#include "inspect/app/app_event.h"
#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

const Ends kWeb;

TEST(EventRules, AnEventOfATransactionCallsThem) {
  Harness h(
      "alert http any any -> any any (app-layer-event:http.missing_host_header; sid:1;)\n"
      "alert http any any -> any any (app-layer-event:http.host_header_ambiguous; sid:2;)\n"
      "alert http any any -> any any (app-layer-event:http.missing_host_header; http.uri; "
      "content:\"/a\"; sid:3;)\n"
      "alert http any any -> any any (app-layer-event:http.missing_host_header; http.uri; "
      "content:\"/b\"; sid:4;)\n"
      "alert tcp any any -> any any (app-layer-event:http.missing_host_header; "
      "flow:to_client; sid:5;)\n");
  h.connect(kWeb);
  h.data(kWeb, 0, "GET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(h.alerts(), (Sids{1, 3}));
  h.forget_events();
  h.data(kWeb, 19, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(h.alerts().empty());
}

TEST(EventRules, AnEventOutsideOfTransactionsToo) {
  Harness h("drop dns any any -> any any (app-layer-event:dns.not_request; sid:1;)");
  const Ends resolver{"10.0.0.1", "10.0.0.53", 40000, 53};
  // A query, so that the protocol is known, then an answer that comes from the client.
  const std::string query("\0\7\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
  EXPECT_TRUE(h.send(udp(resolver, query)));
  std::string answer = query;
  answer[2] = '\x81';
  EXPECT_FALSE(h.send(udp(resolver, answer)));
  EXPECT_EQ(h.alerts(), (Sids{1}));
}

TEST(EventRules, TogetherWithWhatNdpiSays) {
  Harness h(
      "alert dns any any -> any any (app-layer-event:dns.z_flag_set; ndpi-protocol:DNS; sid:1;)");
  const Ends resolver{"10.0.0.1", "10.0.0.53", 40000, 53};
  std::string query("\0\7\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19);
  query[3] = '\x40';
  for (int i = 0; i < 3; i++) h.send(udp(resolver, query));
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 1}));
}

TEST(EventRules, AnEventOutsideOfTransactionsGoesWithNothingOfOne) {
  EngineOptions options;
  options.rule_texts = {
      {"t",
       "alert http2 any any -> any any (app-layer-event:http2.invalid_header; http.uri; "
       "content:\"/x\"; sid:1;)\n"
       "alert dns any any -> any any (app-layer-event:dns.not_request; dns.opcode:1; sid:2;)\n"
       "alert dns any any -> any any (app-layer-event:dns.not_request; flow:to_server; sid:3;)\n"
       "alert dns any any -> any any (app-layer-event:dns.z_flag_set; dns.opcode:1; sid:4;)\n"}};
  const auto engine = Engine::create(options);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->size(), 2u);
  ASSERT_EQ((*engine)->refused().size(), 2u);
  for (const RefusedRule& refused : (*engine)->refused())
    EXPECT_TRUE(refused.reason.starts_with("asks for an event outside of transactions"))
        << refused.reason;
}

TEST(EventRules, WhatIsNeverToldRefusesTheRule) {
  EngineOptions options;
  options.rule_texts = {
      {"t",
       "alert http any any -> any any (app-layer-event:http.no_such; sid:1;)\n"
       "alert ip any any -> any any (app-layer-event:applayer_no_such; sid:2;)\n"
       "alert tcp any any -> any any (stream-event:wrong_thread; sid:3;)\n"
       "alert ip any any -> any any (decode-event:sll.pkt_too_small; sid:4;)\n"
       "alert tls any any -> any any (app-layer-event:http.missing_host_header; sid:5;)\n"}};
  const auto engine = Engine::create(options);
  ASSERT_TRUE(engine);
  std::vector<std::string> reasons;
  for (const RefusedRule& refused : (*engine)->refused()) reasons.push_back(refused.reason);
  EXPECT_EQ(reasons, (std::vector<std::string>{
                         "app-layer-event: event 'http.no_such' is never told here",
                         "app-layer-event: event 'applayer_no_such' is never told here",
                         "stream-event: event 'wrong_thread' is never told here",
                         "decode-event: event 'sll.pkt_too_small' is never told here",
                         "asks about http and about tls"}));
}

std::string refusal_of(const std::string& rule) {
  EngineOptions options;
  options.rule_texts = {{"t", rule}};
  const auto engine = Engine::create(options);
  return (*engine)->refused().empty() ? "" : (*engine)->refused().front().reason;
}

TEST(EventRules, ADecodeEventStandsAlone) {
  const std::string kAlone =
      "decode-event goes with pkthdr, ip, ipv4 or ipv6, any addresses and ports, and nothing else";
  const std::string kOptions = "(decode-event:ipv4.trunc_pkt; sid:1;)";
  EXPECT_EQ(refusal_of("alert pkthdr any any -> any any " + kOptions), "");
  EXPECT_EQ(refusal_of("drop ip any any -> any any " + kOptions), "");
  EXPECT_EQ(refusal_of("alert ipv4 any any -> any any " + kOptions), "");
  EXPECT_EQ(refusal_of("alert tcp any any -> any any " + kOptions), kAlone);
  EXPECT_EQ(refusal_of("alert ip 10.0.0.1 any -> any any " + kOptions), kAlone);
  for (const char* other : {"ttl:1;", "flow:to_server;", "content:\"a\";", "flowbits:set,a;",
                            "decode-event:tcp.pkt_too_small;"})
    EXPECT_EQ(refusal_of("alert ip any any -> any any (decode-event:ipv4.trunc_pkt; " +
                         std::string(other) + " sid:1;)"),
              kAlone)
        << other;
  EXPECT_EQ(refusal_of("reject ip any any -> any any " + kOptions),
            "nobody is told of a decode-event: drop");
  EXPECT_EQ(refusal_of("alert pkthdr any any -> any any (ttl:1; sid:1;)"),
            "protocol pkthdr needs a decode-event");
}

// Nothing is read of a drop's headers that is not there.
TEST(EventRules, WhatIsHardlyAByteIsDropped) {
  std::string rules;
  int sid = 0;
  for (const auto& [name, event] : kDecodeEvents)
    rules += "drop pkthdr any any -> any any (decode-event:" + std::string(name) +
             "; sid:" + std::to_string(++sid) + ";)\n";
  Harness h(rules);
  const Ends six{"fd00::1", "fd00::2", 1, 2};
  size_t drops = 0;
  for (const Bytes& whole : {udp(kWeb, "a"), tcp(kWeb, kAck, 1, 1), icmp(kWeb, 8, 0, "a"),
                             tcp(six, kAck, 1, 1), icmp(six, 128, 0, "a")}) {
    for (size_t length = 1; length < whole.size(); length++) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_FALSE(h.send(Bytes(cut)));  // of just so many bytes
      drops++;
    }
  }
  EXPECT_EQ(h.drops().size(), drops);
  for (const auto& event : h.events()) EXPECT_FALSE(event.contains("icmp_type"));
}

TEST(EventRules, WhatIsNoPacket) {
  Harness h(
      "alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:1;)\n"
      "drop ip any any -> any any (decode-event:tcp.hlen_too_small; sid:2;)\n"
      "alert pkthdr any any -> any any (decode-event:udp.len_invalid; sid:3;)\n");
  Bytes cut = udp(kWeb, "abc");
  EXPECT_TRUE(h.send(cut)) << "a whole one is none of theirs";
  EXPECT_TRUE(h.alerts().empty());
  cut.pop_back();
  EXPECT_FALSE(h.send(cut));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  EXPECT_FALSE(h.events().front().contains("flow_id"));
  EXPECT_FALSE(h.events().front().contains("flow"));
  h.forget_events();
  Bytes header = tcp(kWeb, kAck, 1, 1);
  header[32] = 0xf0;
  EXPECT_FALSE(h.send(header));
  EXPECT_EQ(h.alerts(), (Sids{2}));
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"rules"}));
  EXPECT_EQ(h.events().front().at("src_ip"), "10.0.0.1");
  EXPECT_EQ(h.events().front().at("alert").at("action"), "blocked");
  Bytes short_header = tcp(kWeb, kAck, 1, 1);
  short_header[32] = 0x40;
  EXPECT_FALSE(h.send(short_header)) << "no rule speaks of it";
  const InspectorCounters& c = h.inspector().counters();
  EXPECT_EQ(c.dropped_malformed, 2u);
  EXPECT_EQ(c.dropped_by_rules, 1u);
  EXPECT_EQ(c.packets, c.passed + c.dropped_malformed + c.dropped_by_rules);
}

// It is one all the same: its other rules are asked, and it has a flow.
TEST(EventRules, WhatIsOddAboutAPacket) {
  Harness h(
      "alert pkthdr any any -> any any (decode-event:icmpv4.unknown_type; sid:1;)\n"
      "drop ip any any -> any any (decode-event:icmpv4.pkt_too_small; sid:2;)\n"
      "alert ipv6 any any -> any any (decode-event:ipv6.icmpv4; sid:3;)\n"
      "alert ipv4 any any -> any any (decode-event:ipv6.icmpv4; sid:4;)\n"
      "alert icmp any any -> any any (content:\"abcd\"; sid:5;)\n");
  const Ends six{"fd00::1", "fd00::2", 0, 0};
  EXPECT_TRUE(h.send(icmp(kWeb, 8, 0, "abcd")));
  EXPECT_TRUE(h.alerts().empty());
  EXPECT_TRUE(h.send(icmp(kWeb, 99, 0, "....abcd")));
  EXPECT_EQ(h.alerts(), (Sids{1, 5}));
  EXPECT_TRUE(h.events().front().contains("flow_id"));
  h.forget_events();
  EXPECT_TRUE(h.send(ip_packet(six, 1, Bytes(8))));
  EXPECT_EQ(h.alerts(), (Sids{3}));
  h.forget_events();
  EXPECT_FALSE(h.send(icmp(kWeb, 8, 0, "abc")));
  EXPECT_EQ(h.alerts(), (Sids{2}));
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"rules"}));
}

TEST(EventRules, FragmentsThatAreRefused) {
  Harness h(
      "drop pkthdr any any -> any any (decode-event:ipv4.frag_overlap; sid:1;)\n"
      "alert pkthdr any any -> any any (decode-event:ipv4.frag_ignored; sid:2;)\n");
  const Bytes whole = udp(kWeb, std::string(64, 'x'));
  EXPECT_TRUE(h.send(fragment(whole, 0, 16, 7)));
  EXPECT_TRUE(h.alerts().empty());
  EXPECT_FALSE(h.send(fragment(whole, 8, 16, 7)));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  Bytes odd = fragment(whole, 0, 16, 8);
  odd.pop_back();  // not a multiple of eight bytes, though more follow
  tunnels::store_be16(&odd[2], static_cast<uint16_t>(odd.size()));
  EXPECT_FALSE(h.send(odd));
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
  const InspectorCounters& c = h.inspector().counters();
  EXPECT_EQ(c.packets, c.passed + c.dropped_by_rules + c.dropped_fragment_error);
}

constexpr const char* kStreamRules =
    "alert tcp any any -> any any (stream-event:reassembly_overlap_different_data; sid:1;)\n"
    "alert tcp any any -> any any (stream-event:reassembly_seq_gap; sid:2;)\n"
    "alert tcp any any -> any any (stream-event:reassembly_depth_reached; sid:3;)\n"
    "alert tcp any any -> any any (stream-event:reassembly_insert_memcap; sid:4;)\n"
    "alert tcp any any -> any any (stream-event:reassembly_segment_before_base_seq; sid:5;)\n";

TEST(EventRules, OtherBytesForAPlaceInTheStream) {
  Harness h(kStreamRules);
  h.connect(kWeb);
  EXPECT_TRUE(h.data(kWeb, 0, "abcdef"));
  EXPECT_FALSE(h.data(kWeb, 0, "abcXef"));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"stream error"}));
  const InspectorCounters& c = h.inspector().counters();
  EXPECT_EQ(c.packets, c.passed + c.dropped_stream_error);
  EXPECT_TRUE(h.data(kWeb, 6, "ghi"));
  EXPECT_EQ(h.alerts(), (Sids{1}));
}

TEST(EventRules, ARejectOfSuchAPacketTellsBothEnds) {
  Harness h(
      "reject tcp any any -> any any (stream-event:reassembly_overlap_different_data; sid:1;)");
  h.connect(kWeb);
  h.data(kWeb, 0, "abcdef");
  EXPECT_FALSE(h.data(kWeb, 0, "abcXef"));
  EXPECT_EQ(h.responses().count(), 2u);
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"rules"}));
}

TEST(EventRules, AGapAndTheDepth) {
  InspectorOptions options;
  options.stream.depth = 1000;
  Harness h(kStreamRules, options);
  h.connect(kWeb);
  h.data(kWeb, 0, "abc");
  h.data(kWeb, 13, std::string(1200, 'x'));
  EXPECT_TRUE(h.alerts().empty());
  // The server has ten bytes that were not seen here.
  h.send(tcp(kWeb.turned(), kAck, 5001, 1001 + 1213));
  EXPECT_EQ(h.alerts(), (Sids{2}));
  h.forget_events();
  h.data(kWeb, 1213, "y");
  EXPECT_EQ(h.alerts(), (Sids{3}));
}

TEST(EventRules, NoMemoryForTheBytesOfAStream) {
  InspectorOptions options;
  options.stream_memory_max = 1000;
  Harness h(kStreamRules, options);
  h.connect(kWeb);
  h.data(kWeb, 0, std::string(800, 'x'));
  EXPECT_EQ(h.alerts(), Sids{});
  EXPECT_FALSE(h.data(kWeb, 800, std::string(1100, 'x')));
  EXPECT_EQ(h.alerts(), Sids{4});
  const InspectorCounters& c = h.inspector().counters();
  EXPECT_EQ(c.packets,
            c.passed + h.inspector().exception_counters().dropped(ExceptionCause::kStreamMemory));
}

TEST(EventRules, BytesOfWhichNoneAreKept) {
  InspectorOptions options;
  options.stream.window = 100;
  Harness h(kStreamRules, options);
  h.connect(kWeb);
  for (uint32_t at = 0; at < 500; at += 50) h.data(kWeb, at, std::string(50, 'x'));
  h.send(tcp(kWeb.turned(), kAck, 5001, 1501));
  h.data(kWeb, 450, std::string(50, 'x'));
  h.data(kWeb, 399, std::string(2, 'x'));
  EXPECT_EQ(h.alerts(), Sids{});
  h.data(kWeb, 398, std::string(2, 'x'));
  EXPECT_EQ(h.alerts(), Sids{5});
}

}  // namespace
}  // namespace sluice::inspect
