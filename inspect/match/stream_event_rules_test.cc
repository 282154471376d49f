// SPDX-License-Identifier: Apache-2.0
// Rules about what flags and numbers of packets do to a connection: each event once by packets that
// make it and it alone, and none by honest ones.
#include <set>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

constexpr uint8_t kFin = tunnels::kTcpFin;
const Ends kWeb;

struct Sent {
  bool up;
  uint8_t flags;
  uint32_t sequence, acknowledgement;
  std::string payload = {};
  Bytes options = {};
  uint16_t window = 65000;
};
using Script = std::vector<Sent>;
using Names = std::set<std::string>;

Bytes packet(const Sent& sent) {
  Bytes ip = tcp(sent.up ? kWeb : kWeb.turned(), sent.flags, sent.sequence, sent.acknowledgement);
  Bytes part(ip.begin() + 20, ip.end());
  part[12] = static_cast<uint8_t>((20 + sent.options.size()) / 4 << 4);
  tunnels::store_be16(&part[14], sent.window);
  tunnels::store_u16(&part[16], 0);
  part.insert(part.end(), sent.options.begin(), sent.options.end());
  part.insert(part.end(), sent.payload.begin(), sent.payload.end());
  ip = ip_packet(sent.up ? kWeb : kWeb.turned(), 6, part);
  tunnels::store_u16(&ip[36], transport_checksum(ip, 20, 6));
  return ip;
}

Sent up(uint8_t flags, uint32_t sequence, uint32_t ack, std::string payload = {},
        Bytes options = {}) {
  return {true, flags, sequence, ack, std::move(payload), std::move(options)};
}
Sent down(uint8_t flags, uint32_t sequence, uint32_t ack, std::string payload = {},
          Bytes options = {}) {
  return {false, flags, sequence, ack, std::move(payload), std::move(options)};
}
Script operator+(Script script, const Script& more) {
  script.insert(script.end(), more.begin(), more.end());
  return script;
}
Sent with_window(Sent sent, uint16_t window) {
  sent.window = window;
  return sent;
}
Bytes timestamp(uint8_t value) { return {1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0}; }

const Script kCall = {up(kSyn, 1000, 0)};
const Script kCalledBack = kCall + Script{down(kSyn, 5000, 0)};
const Script kSplit = kCalledBack + Script{up(kSyn | kAck, 1000, 5001)};
const Script kAnswered = kCall + Script{down(kSyn | kAck, 5000, 1001)};
const Script kOpen = kAnswered + Script{up(kAck, 1001, 5001)};
const Script kClientEnds = kOpen + Script{up(kFin | kAck, 1001, 5001)};
const Script kServerEnds = kOpen + Script{down(kFin | kAck, 5001, 1001)};
const Script kServerEnded = kServerEnds + Script{up(kAck, 1001, 5002)};
const Script kBothEnd = kServerEnds + Script{up(kFin | kAck, 1001, 5001)};
const Script kLastAck = kClientEnds + Script{down(kFin | kAck, 5001, 1002)};
const Script kTimeWait = kServerEnded + Script{up(kFin | kAck, 1001, 5002)};

// By its first name.
Names all_names() {
  Names out;
  std::set<StreamEvent> had;
  for (const auto& [name, event] : kStreamEvents)
    if (had.insert(event).second) out.emplace(name);
  return out;
}

Names told_by(const Script& script, const InspectorOptions& options = {}) {
  std::string rules;
  std::vector<std::string> names;
  for (const std::string& name : all_names()) {
    names.push_back(name);
    rules += "alert tcp any any -> any any (stream-event:" + name +
             "; sid:" + std::to_string(names.size()) + ";)\n";
  }
  Harness h(rules, options);
  for (const Sent& sent : script) h.send(packet(sent));
  Names out;
  for (const int sid : h.alerts()) out.insert(names[static_cast<size_t>(sid) - 1]);
  return out;
}

const struct {
  Names told;
  Script script;
} kCases[] = {
    {{"pkt_broken_ack"}, {up(kSyn, 1000, 77)}},
    {{"rst_but_no_session"}, {up(kRst, 1, 0)}},
    {{"fin_but_no_session"}, {up(kFin | kAck, 1, 1)}},
    {{"fin_syn"}, {up(kFin | kSyn, 1000, 0)}},

    {{"3whs_synack_in_wrong_direction"}, kCall + Script{up(kSyn | kAck, 1000, 1)}},
    {{"3whs_synack_with_wrong_ack"}, kCall + Script{down(kSyn | kAck, 5000, 1234)}},
    {{"3whs_synack_tfo_data_ignored"},
     {up(kSyn, 1000, 0, "data", {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}),
      down(kSyn | kAck, 5000, 1001)}},
    {{"3whs_ack_in_wrong_dir"}, kAnswered + Script{down(kAck, 5001, 1001)}},
    {{"3whs_ack_data_inject"}, kAnswered + Script{down(kAck, 5001, 1001, "x")}},
    {{"3whs_right_seq_wrong_ack_evasion"}, kAnswered + Script{up(kAck, 1001, 6000)}},
    {{"3whs_wrong_seq_wrong_ack"}, kAnswered + Script{up(kAck, 1005, 6000)}},
    {{"3whs_synack_toserver_on_syn_recv"}, kAnswered + Script{up(kSyn | kAck, 1000, 5001)}},
    {{"3whs_synack_resend_with_different_ack"}, kAnswered + Script{down(kSyn | kAck, 5000, 1002)}},
    {{"3whs_synack_resend_with_diff_seq"}, kAnswered + Script{down(kSyn | kAck, 5005, 1001)}},
    {{"3whs_synack_resend_with_diff_seq", "3whs_synack_flood"},
     kAnswered + Script{down(kSyn | kAck, 5005, 1001), down(kSyn | kAck, 5006, 1001),
                        down(kSyn | kAck, 5007, 1001), down(kSyn | kAck, 5008, 1001),
                        down(kSyn | kAck, 5009, 1001), down(kSyn | kAck, 5010, 1001)}},
    {{"3whs_syn_resend_diff_seq_on_syn_recv"}, kAnswered + Script{up(kSyn, 1001, 0)}},
    {{"3whs_syn_toclient_on_syn_recv"}, kAnswered + Script{down(kSyn, 5000, 0)}},

    {{"4whs_synack_with_wrong_ack"}, kCalledBack + Script{up(kSyn | kAck, 1000, 5002)}},
    {{"4whs_synack_with_wrong_syn"}, kCalledBack + Script{up(kSyn | kAck, 1001, 5001)}},
    {{"4whs_wrong_seq"}, kSplit + Script{down(kAck, 5002, 1001)}},
    {{"4whs_invalid_ack"}, kSplit + Script{down(kAck, 5001, 70002)}},

    {{"pkt_retransmission"},
     kOpen + Script{up(kAck, 1001, 5001, "ab"), up(kAck, 1001, 5001, "ab")}},
    {{"pkt_invalid_ack", "est_invalid_ack"}, kOpen + Script{up(kAck, 1001, 70002)}},
    {{"pkt_invalid_timestamp"},
     {up(kSyn, 1000, 0, "", timestamp(5)), down(kSyn | kAck, 5000, 1001, "", timestamp(9)),
      up(kAck, 1001, 5001, "", timestamp(6)), up(kAck, 1001, 5001, "a", timestamp(4))}},
    {{"pkt_bad_window_update"}, kOpen + Script{with_window(up(kAck, 1101, 5101, "a"), 60000)}},
    {{"pkt_bad_window_update"}, kOpen + Script{with_window(up(kAck, 1101, 65001), 999)}},
    {{"est_packet_out_of_window"}, kOpen + Script{up(kAck, 66002, 5001, "a")}},
    {{"est_pkt_before_last_ack", "pkt_retransmission", "pkt_spurious_retransmission"},
     kOpen +
         Script{up(kAck, 1001, 5001, "abc"), down(kAck, 5001, 1004), up(kAck, 1001, 5001, "a")}},
    {{"est_synack_toserver"}, kOpen + Script{up(kSyn | kAck, 1000, 5001)}},
    {{"est_synack_resend_with_different_ack"}, kOpen + Script{down(kSyn | kAck, 5000, 1009)}},
    {{"est_synack_resend_with_diff_seq"}, kOpen + Script{down(kSyn | kAck, 5005, 1001)}},
    {{"est_synack_resend"}, kOpen + Script{down(kSyn | kAck, 5000, 1001)}},
    {{"est_syn_toclient"}, kOpen + Script{down(kSyn, 5000, 0)}},
    {{"est_syn_resend_diff_seq"}, kOpen + Script{up(kSyn, 2000, 0)}},
    {{"est_syn_resend"}, kOpen + Script{up(kSyn, 1000, 0)}},
    {{"rst_invalid_ack", "pkt_invalid_ack"}, kOpen + Script{up(kRst | kAck, 1001, 70002)}},
    {{"rst_with_data"}, kOpen + Script{up(kRst, 1001, 0, "why")}},
    {{"suspected_rst_inject"}, kOpen + Script{up(kRst, 1001, 0), up(kAck, 1001, 5001, "a")}},
    {{"suspected_rst_inject"}, kOpen + Script{up(kRst, 1001, 0), down(kAck, 5001, 1002)}},

    {{"fin_invalid_ack", "pkt_invalid_ack"}, kOpen + Script{up(kFin | kAck, 1001, 70002)}},
    {{"fin_out_of_window"}, kOpen + Script{up(kFin | kAck, 66002, 5001)}},
    {{"fin1_ack_wrong_seq"}, kServerEnds + Script{up(kAck, 66002, 5002)}},
    {{"fin1_fin_wrong_seq"}, kServerEnds + Script{up(kFin | kAck, 66002, 5002)}},
    {{"fin1_invalid_ack", "pkt_invalid_ack"}, kServerEnds + Script{up(kAck, 1001, 70002)}},
    {{"fin2_ack_wrong_seq"}, kServerEnded + Script{up(kAck, 66002, 5002)}},
    {{"fin2_fin_wrong_seq"}, kServerEnded + Script{up(kFin | kAck, 66002, 5002)}},
    {{"fin2_invalid_ack", "pkt_invalid_ack"}, kServerEnded + Script{up(kAck, 1001, 70003)}},
    {{"closewait_ack_out_of_window"}, kClientEnds + Script{down(kAck, 70002, 1002, "a")}},
    {{"closewait_fin_out_of_window"}, kClientEnds + Script{down(kFin | kAck, 70002, 1002)}},
    {{"closewait_pkt_before_last_ack", "pkt_retransmission", "pkt_spurious_retransmission"},
     kOpen + Script{down(kAck, 5001, 1001, "ab"), up(kFin | kAck, 1001, 5003),
                    down(kAck, 5001, 1002, "ab")}},
    {{"closewait_invalid_ack", "pkt_invalid_ack"}, kClientEnds + Script{down(kAck, 5001, 66002)}},
    {{"closing_ack_wrong_seq"}, kBothEnd + Script{down(kAck, 5010, 1002)}},
    {{"closing_invalid_ack", "pkt_invalid_ack"}, kBothEnd + Script{down(kAck, 5002, 66002)}},
    {{"lastack_ack_wrong_seq"}, kLastAck + Script{up(kAck, 1010, 5002)}},
    {{"lastack_invalid_ack", "pkt_invalid_ack"}, kLastAck + Script{up(kAck, 1002, 70002)}},
    {{"timewait_ack_wrong_seq"}, kTimeWait + Script{down(kAck, 5010, 1002)}},
    {{"timewait_invalid_ack", "pkt_invalid_ack"}, kTimeWait + Script{down(kAck, 5002, 66002)}},
    {{"shutdown_syn_resend"}, kClientEnds + Script{up(kSyn, 1000, 0)}},
    {{"shutdown_syn_resend"}, kServerEnds + Script{down(kSyn | kAck, 5000, 1001)}},
};

TEST(StreamEventRules, EachIsToldByWhatMakesIt) {
  // Told by the bytes; see event_rules_test.cc.
  Names untold = all_names();
  for (const char* of_bytes :
       {"reassembly_overlap_different_data", "reassembly_seq_gap", "reassembly_depth_reached",
        "reassembly_insert_memcap", "reassembly_segment_before_base_seq"})
    untold.erase(of_bytes);
  untold.erase("3whs_async_wrong_seq");  // only where a setting says so; below
  for (const auto& c : kCases) {
    EXPECT_EQ(told_by(c.script), c.told);
    for (const std::string& name : c.told) untold.erase(name);
  }
  EXPECT_EQ(untold, Names{});
}

TEST(StreamEventRules, HonestConnectionsMakeNone) {
  const Script kTalk =
      kCall + kAnswered + Script{down(kSyn | kAck, 5000, 1001)} +
      Script{up(kAck, 1001, 5001, "question"), down(kAck, 5001, 1009),
             down(kAck, 5001, 1009, "answer"), up(kAck, 1009, 5007),
             // Is anybody there? An acknowledgement that comes late.
             up(kAck, 1008, 5007), down(kAck, 5007, 1009), down(kAck, 5007, 1005),
             down(kAck, 5007, 1009, "and"), down(kAck, 5010, 1009, "more"), up(kAck, 1009, 5014)};
  Sent closed = up(kAck, 1009, 5014);
  closed.window = 0;
  for (const Script& end :
       {Script{up(kFin | kAck, 1009, 5014), down(kAck, 5014, 1010), down(kFin | kAck, 5014, 1010),
               up(kAck, 1010, 5015)},
        Script{down(kFin | kAck, 5014, 1009), up(kFin | kAck, 1009, 5015), down(kAck, 5015, 1010)},
        Script{down(kFin | kAck, 5014, 1009), up(kAck, 1009, 5015, "rest"), down(kAck, 5015, 1013),
               up(kFin | kAck, 1013, 5015), down(kAck, 5015, 1014)},
        Script{down(kFin | kAck, 5014, 1009), up(kFin | kAck, 1009, 5014), down(kAck, 5015, 1010),
               up(kAck, 1010, 5015)},
        Script{closed, closed}, Script{up(kRst | kAck, 1009, 5014), up(kRst, 1009, 0)},
        Script{up(kRst | kAck, 1009, 5014), down(kAck, 5014, 1009, "on its way")}})
    EXPECT_EQ(told_by(kTalk + end), Names{});
  // The server takes the data of a SYN; and does not have to if nobody said that it could.
  const Bytes cookie = {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};
  EXPECT_EQ(told_by({up(kSyn, 1000, 0, "data", cookie), down(kSyn | kAck, 5000, 1005)}), Names{});
  EXPECT_EQ(told_by({up(kSyn, 1000, 0, "data"), down(kSyn | kAck, 5000, 1001)}), Names{});
  // Nobody answers a call, and a port is closed.
  EXPECT_EQ(told_by(kCall + kCall + Script{up(kSyn, 1500, 0), down(kSyn | kAck, 5000, 1501)}),
            Names{});
  EXPECT_EQ(told_by(kCall + Script{down(kRst | kAck, 0, 1001)} + kCall), Names{});
}

TEST(StreamEventRules, BothEndsMayCall) {
  const Script talk = {down(kAck, 5001, 1001), up(kAck, 1001, 5001, "question"),
                       down(kAck, 5001, 1009, "answer"), up(kFin | kAck, 1009, 5007)};
  EXPECT_EQ(told_by(kSplit + talk), Names{});
  EXPECT_EQ(told_by(kCalledBack + kSplit + kSplit + talk), Names{});
  for (const Script& both : {Script{up(kSyn | kAck, 1000, 5001), down(kSyn | kAck, 5000, 1001)},
                             Script{down(kSyn | kAck, 5000, 1001), up(kSyn | kAck, 1000, 5001)}})
    EXPECT_EQ(told_by(kCalledBack + both + talk), Names{});
  // What comes then is followed.
  EXPECT_EQ(told_by(kSplit + talk + Script{down(kAck, 70009, 1010, "a")}),
            Names{"closewait_ack_out_of_window"});
  EXPECT_EQ(told_by(kCalledBack + Script{down(kRst | kAck, 0, 1001)} + kCall), Names{});
}

TEST(StreamEventRules, AfterALossWindowsShrinkByWhatIsAcknowledged) {
  for (const uint16_t window : {64900, 64870})
    EXPECT_EQ(told_by(kOpen + Script{with_window(up(kAck, 1101, 5101), window)}), Names{});
  EXPECT_EQ(told_by(kOpen + Script{with_window(up(kAck, 1101, 5101), 64867)}),
            Names{"pkt_bad_window_update"});
  // Nothing is missing, or nothing is acknowledged of what is.
  EXPECT_EQ(told_by(kOpen + Script{with_window(up(kAck, 1001, 5101), 999)}), Names{});
  EXPECT_EQ(told_by(kOpen + Script{with_window(up(kAck, 1101, 5001), 999)}), Names{});
}

TEST(StreamEventRules, OfAServerThatIsNotHeardOnlyTheFirstNumber) {
  InspectorOptions one_sided;
  one_sided.one_sided = true;
  const Script right = kCall + Script{up(kAck, 1001, 5001)},
               wrong = kCall + Script{up(kAck, 1005, 5001)};
  EXPECT_EQ(told_by(wrong, one_sided), Names{"3whs_async_wrong_seq"});
  EXPECT_EQ(told_by(right + Script{up(kAck, 1005, 5001)}, one_sided), Names{});
  EXPECT_EQ(told_by(wrong), Names{});
}

TEST(StreamEventRules, WindowsAreScaledIfBothEndsSaySo) {
  const Bytes scale = {3, 3, 4, 1};
  const Sent far = up(kAck, 1001 + 100'000, 5001, "a");
  const auto talk = [&](const Bytes& of_client, const Bytes& of_server) {
    return told_by({up(kSyn, 1000, 0, "", of_client), down(kSyn | kAck, 5000, 1001, "", of_server),
                    up(kAck, 1001, 5001), down(kAck, 5001, 1001), far});
  };
  EXPECT_EQ(talk(scale, scale), Names{});
  EXPECT_EQ(talk(scale, {}), Names{"est_packet_out_of_window"});
  EXPECT_EQ(talk({}, scale), Names{"est_packet_out_of_window"});
}

TEST(StreamEventRules, OfAConnectionMetInItsMiddleOnlyWhatAPacketSaysByItself) {
  const Script middle = {up(kAck, 1001, 5001, "a"), up(kAck, 900'000, 5001, "b"),
                         down(kSyn | kAck, 7, 8), up(kSyn, 9, 0), down(kAck, 1, 2)};
  EXPECT_EQ(told_by(middle), Names{});
  EXPECT_EQ(told_by(middle + Script{up(0, 1, 77)}), Names{"pkt_broken_ack"});
}

TEST(StreamEventRules, AnomaliesHaveThemOnceForAFlow) {
  InspectorOptions options;
  options.events.anomalies.stream = true;
  Harness h("", options);
  for (const Sent& sent : kOpen + Script{up(kSyn, 1000, 0), up(kSyn, 1000, 0)})
    h.send(packet(sent));
  const auto events = h.events();
  ASSERT_EQ(events.size(), 1u) << h.text();
  EXPECT_EQ(events[0].at("anomaly"),
            nlohmann::json::parse(R"({"type": "stream", "event": "stream.est_syn_resend"})"));
}

TEST(StreamEventRules, BothNamesOfOneEvent) {
  Harness h(
      "alert tcp any any -> any any (stream-event:est_synack_resend_with_diff_ack; sid:1;)\n"
      "alert tcp any any -> any any (stream-event:est_synack_resend_with_different_ack; sid:2;)\n");
  for (const Sent& sent : kOpen + Script{down(kSyn | kAck, 5000, 1009)}) h.send(packet(sent));
  EXPECT_EQ(h.alerts(), (Sids{1, 2}));
}

}  // namespace
}  // namespace sluice::inspect
