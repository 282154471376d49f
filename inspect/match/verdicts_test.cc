// SPDX-License-Identifier: Apache-2.0
// Which rule wins, how often rules speak by a threshold.config, and what becomes of packets about
// which no rule decides.
#include "inspect/match/verdicts.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "inspect/match/test_harness.h"

namespace sluice::inspect {
namespace {

using namespace testing;  // NOLINT: packets, harness

const Ends kWeb;
const Ends kDns{"10.0.0.1", "10.0.0.53", 5000, 53};

// A file that goes away with the test.
class ThresholdConfig {
 public:
  explicit ThresholdConfig(const std::string& text) { write(text); }
  ~ThresholdConfig() { std::filesystem::remove(path_); }
  ThresholdConfig(const ThresholdConfig&) = delete;
  ThresholdConfig& operator=(const ThresholdConfig&) = delete;

  void write(const std::string& text) const { std::ofstream(path_) << text; }
  EngineOptions options() const {
    EngineOptions out;
    out.threshold_file = path_;
    return out;
  }

 private:
  const std::string path_ = std::filesystem::temp_directory_path() /
                            ("verdicts_test." + std::to_string(getpid()) + ".config");
};

Harness ordered(const std::string& rules, std::string_view order) {
  EngineOptions options;
  options.order = *parse_rule_order(order);
  return Harness(rules, {}, options);
}

constexpr const char* kAllFour =
    "alert udp any any -> any any (sid:1; content:\"x\"; priority:1;)\n"
    "pass udp any any -> any any (sid:2; content:\"x\"; priority:2;)\n"
    "drop udp any any -> any any (sid:3; content:\"x\"; priority:3;)\n"
    "reject udp any any -> any any (sid:4; content:\"xy\"; priority:1;)\n";

TEST(RuleOrder, TheFirstThatDecidesWins) {
  const struct {
    const char* order;
    const char* payload;
    bool passes;
    Sids alerts;
    size_t responses;
  } cases[] = {
      {"action", "xy", true, {}, 0},
      {"action", "x", true, {}, 0},
      {"strict", "x", true, {1}, 0},
      {"strict", "xy", false, {1, 4, 3}, 1},
      {"drop,reject,pass,alert", "xy", false, {3, 4, 1}, 0},
      {"reject,drop,alert,pass", "xy", false, {4, 3, 1}, 1},
      {"alert,pass,drop,reject", "xy", true, {1}, 0},
  };
  for (const auto& c : cases) {
    Harness h = ordered(kAllFour, c.order);
    EXPECT_EQ(h.send(udp(kDns, c.payload)), c.passes) << c.order << c.payload;
    EXPECT_EQ(h.alerts(), c.alerts) << c.order << c.payload;
    EXPECT_EQ(h.responses().count(), c.responses) << c.order << c.payload;
  }
}

// --- threshold.config ---

TEST(Alerts, TellOnDemandWhatBecameOfThePacket) {
  const struct {
    const char* rules;
    const char* verdict;
  } cases[] = {
      {"", R"({"action":"alert"})"},
      {"pass udp any any -> any any (content:\"x\"; sid:2;)", R"({"action":"pass"})"},
      {"drop udp any any -> any any (content:\"x\"; sid:2;)", R"({"action":"drop"})"},
      {"reject udp any any -> any any (content:\"x\"; sid:2;)",
       R"({"action":"drop","reject":["icmp-prohib"],"reject-target":"both"})"},
      {"rejectsrc udp any any -> any any (content:\"x\"; sid:2;)",
       R"({"action":"drop","reject":["icmp-prohib"],"reject-target":"to_client"})"},
  };
  for (const auto& c : cases) {
    InspectorOptions options;
    options.events.verdict = true;
    EngineOptions rules;
    rules.order = *parse_rule_order("alert,pass,drop,reject");
    Harness h(std::string("alert udp any any -> any any (content:\"x\"; sid:1;)\n") + c.rules,
              options, rules);
    h.send(udp(kDns, "x"));
    ASSERT_FALSE(h.events().empty());
    EXPECT_EQ(h.events()[0].at("verdict"), nlohmann::json::parse(c.verdict)) << c.rules;
  }
}

InspectorOptions with_verdicts() {
  InspectorOptions options;
  options.events.verdict = true;
  return options;
}

std::vector<std::string> told(const Harness& h) {
  std::vector<std::string> out;
  for (const auto& event : h.events()) {
    if (event.at("event_type") == "alert") out.push_back(event.at("verdict").at("action"));
  }
  return out;
}

TEST(Alerts, TellThatASegmentWithOtherBytesIsDropped) {
  Harness h("alert tcp any any -> any any (stream-event:reassembly_overlap_different_data; sid:1;)",
            with_verdicts());
  h.connect({});
  EXPECT_TRUE(h.data({}, 0, "good"));
  EXPECT_FALSE(h.data({}, 0, "evil"));
  EXPECT_EQ(told(h), std::vector<std::string>{"drop"});
}

TEST(Alerts, TellWhatThePolicyForABrokenProtocolDoes) {
  for (const auto& [policy, verdict] :
       {std::pair{ExceptionPolicy::kDropFlow, "drop"}, {ExceptionPolicy::kIgnore, "alert"}}) {
    InspectorOptions options = with_verdicts();
    options.exceptions.choose(ExceptionCause::kAppError, policy);
    Harness h("alert tcp any any -> any any (content:\"junk\"; sid:1;)", options);
    h.connect({});
    EXPECT_EQ(h.data({}, 0, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: junk\r\n\r\n"),
              policy == ExceptionPolicy::kIgnore);
    EXPECT_EQ(told(h), std::vector<std::string>{verdict});
  }
}

// Requests that nobody answers fill what the flow may hold.
TEST(Alerts, TellWhatThePolicyForAProtocolWithoutMemoryDoes) {
  const std::string request = "GET /junk HTTP/1.1\r\nX: " + std::string(900, 'x') + "\r\n\r\n";
  InspectorOptions options = with_verdicts();
  options.app_flow_memory_max = 100'000;
  options.exceptions.choose(ExceptionCause::kAppMemory, ExceptionPolicy::kDropPacket);
  Harness h("alert tcp any any -> any any (content:\"junk\"; sid:1;)", options);
  h.connect({});
  bool passed = true;
  for (uint32_t offset = 0; passed && offset < 200'000;
       offset += static_cast<uint32_t>(request.size()))
    passed = h.data({}, offset, request);
  EXPECT_FALSE(passed);
  const auto verdicts = told(h);
  ASSERT_GE(verdicts.size(), 2u);
  EXPECT_EQ(verdicts.front(), "alert");
  EXPECT_EQ(verdicts.back(), "drop");
}

TEST(Alerts, TellThatWhatIsNoPacketIsDropped) {
  Harness h("alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:1;)",
            with_verdicts());
  Bytes cut = udp(kDns, "abc");
  cut.pop_back();
  EXPECT_FALSE(h.send(cut));
  EXPECT_EQ(told(h), std::vector<std::string>{"drop"});
}

TEST(ThresholdConfig, ARateFilterChangesWhatARuleDoesForATime) {
  const ThresholdConfig config(
      "rate_filter gen_id 1, sig_id 1, track by_src, count 2, seconds 10, new_action drop, "
      "timeout 5");
  Harness h("alert udp any any -> any any (content:\"x\"; sid:1;)", {}, config.options());
  const auto from = [](uint16_t port) { return Ends{"10.0.0.1", "10.0.0.53", port, 53}; };
  EXPECT_TRUE(h.send(udp(from(1), "x")));
  EXPECT_TRUE(h.send(udp(from(2), "x")));
  EXPECT_FALSE(h.send(udp(from(3), "x")));
  EXPECT_FALSE(h.send(udp(from(4), "x")));
  EXPECT_TRUE(h.send(udp({"10.0.0.9", "10.0.0.53", 1, 53}, "x")));
  h.pass_time(6'000'000);
  EXPECT_TRUE(h.send(udp(from(5), "x")));
  std::vector<std::string> actions;
  for (const auto& event : h.events())
    if (event.at("event_type") == "alert") actions.push_back(event.at("alert").at("action"));
  EXPECT_EQ(actions, (std::vector<std::string>{"allowed", "allowed", "blocked", "blocked",
                                               "allowed", "allowed"}));
}

TEST(ThresholdConfig, ARateFilterCanLetPass) {
  const ThresholdConfig config(
      "rate_filter gen_id 1, sig_id 1, track by_both, count 1, seconds 60, new_action pass, "
      "timeout 1000");
  Harness h("alert udp any any -> any any (content:\"x\"; sid:1;)", {}, config.options());
  for (int i = 0; i < 3; i++) EXPECT_TRUE(h.send(udp(kDns, "x")));
  EXPECT_EQ(h.alerts(), (Sids{1}));
}

TEST(ThresholdConfig, ASuppressedRuleActsAndDoesNotSpeak) {
  const ThresholdConfig config(
      "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/24\n"
      "suppress gen_id 1, sig_id 2, track by_dst, ip [10.0.0.53,10.0.0.54]\n"
      "suppress gen_id 1, sig_id 3, track by_either, ip $SERVERS\n"
      "suppress gen_id 1, sig_id 4\n"
      "suppress gen_id 1, sig_id 5, track by_dst, ip 10.0.0.1\n");
  EngineOptions options = config.options();
  options.variables["SERVERS"] = "[10.0.0.53]";
  Harness h(
      "drop udp any any -> any any (content:\"x\"; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:3;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:4;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:5;)\n",
      {}, options);
  EXPECT_FALSE(h.send(udp(kDns, "x")));
  EXPECT_EQ(h.alerts(), (Sids{5}));
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"rules"}));
  h.forget_events();
  EXPECT_FALSE(h.send(udp({"10.1.0.1", "10.1.0.53", 1, 53}, "x")));
  EXPECT_EQ(h.alerts(), (Sids{1, 2, 3, 5}));
}

TEST(ThresholdConfig, APassRuleThatSpeaksIsKeptBackToo) {
  const ThresholdConfig config(
      "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n"
      "threshold gen_id 1, sig_id 1, type limit, track by_rule, count 1, seconds 60\n");
  Harness h("pass udp any any -> any any (content:\"x\"; alert; sid:1;)", {}, config.options());
  EXPECT_TRUE(h.send(udp(kDns, "x")));
  EXPECT_EQ(h.alerts(), Sids{});
  for (int i = 0; i < 3; i++) EXPECT_TRUE(h.send(udp({"10.0.0.2", "10.0.0.53", 1, 53}, "x")));
  EXPECT_EQ(h.alerts(), Sids{1});
}

TEST(Threshold, APairOfHostsIsOneWhoeverSpeaks) {
  Harness h(
      "alert udp any any -> any any (content:\"x\"; threshold:type limit, track by_both, count 1, "
      "seconds 60; sid:1;)");
  h.send(udp(kDns, "x"));
  h.send(udp(kDns.turned(), "x"));
  h.send(udp({"10.0.0.53", "10.0.0.1", 7, 8}, "x"));
  EXPECT_EQ(h.alerts(), Sids{1});
  h.send(udp({"10.0.0.1", "10.0.0.54", 5000, 53}, "x"));
  EXPECT_EQ(h.alerts(), (Sids{1, 1}));
}

TEST(ThresholdConfig, AThresholdOfAFlowAndAReload) {
  const ThresholdConfig config(
      "threshold gen_id 1, sig_id 1, type both, track by_flow, count 3, seconds 60");
  const std::string rule = "alert udp any any -> any any (content:\"x\"; sid:1;)";
  Harness h(rule, {}, config.options());
  for (int i = 0; i < 5; i++) h.send(udp(kDns, "x"));
  EXPECT_EQ(h.alerts(), (Sids{1}));
  h.forget_events();
  config.write("");
  h.reload(rule);
  for (int i = 0; i < 3; i++) h.send(udp(kDns, "x"));
  EXPECT_EQ(h.alerts(), (Sids{1, 1, 1}));
}

TEST(ThresholdConfig, AMissingFileIsAnError) {
  EngineOptions options;
  options.threshold_file = "/nonexistent/threshold.config";
  const auto engine = Engine::create(options);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().text(),
            "/nonexistent/threshold.config: cannot read the thresholds: No such file or directory");
}

// --- what no rule passes ---

InspectorOptions firewall(DefaultAction action) {
  InspectorOptions options;
  options.default_action = action;
  return options;
}

uint64_t dropped(Harness& h) { return h.inspector().counters().dropped_by_default; }

TEST(DefaultAction, NamesAreRead) {
  EXPECT_EQ(find_default_action("drop"), DefaultAction::kDrop);
  EXPECT_EQ(find_default_action("drop-established"), DefaultAction::kDropEstablished);
  EXPECT_EQ(find_default_action("pass"), DefaultAction::kPass);
  EXPECT_FALSE(find_default_action("alert"));
}

TEST(DefaultAction, WhatNoRulePassesIsDropped) {
  Harness h(
      "pass udp any any <> any 53 (sid:1;)\n"
      "alert udp any any -> any 123 (dsize:1; sid:2;)\n",
      firewall(DefaultAction::kDrop));
  EXPECT_TRUE(h.send(udp(kDns, "x")));
  EXPECT_TRUE(h.send(udp(kDns.turned(), "y")));
  const Ends time{"10.0.0.1", "10.0.0.9", 123, 123};
  EXPECT_FALSE(h.send(udp(time, "x")));
  EXPECT_FALSE(h.send(udp(time, "x")));
  EXPECT_FALSE(h.send(tcp(kWeb, kSyn, 1, 0)));
  EXPECT_EQ(h.alerts(), (Sids{2, 2}));
  EXPECT_EQ(h.drops(), (std::vector<std::string>(2, "default packet policy")));
  EXPECT_EQ(dropped(h), 3u);
}

constexpr const char* kPassGood =
    "pass http any any -> any any (http.host; content:\"good.example\"; bsize:12; sid:1;)";

TEST(DefaultAction, AConnectionPassesUntilItsRequestIsKnown) {
  Harness h(kPassGood, firewall(DefaultAction::kDropEstablished));
  h.connect(kWeb);
  EXPECT_TRUE(h.data(kWeb, 0, "GET / HT"));
  EXPECT_TRUE(h.data(kWeb, 8, "TP/1.1\r\nHost: good.example\r\n\r\n"));
  EXPECT_TRUE(h.send(tcp(kWeb.turned(), kAck, 5001, 1041, "anything")));
  EXPECT_EQ(dropped(h), 0u);
}

TEST(DefaultAction, SegmentsMayComeInAnyOrder) {
  Harness h(kPassGood, firewall(DefaultAction::kDropEstablished));
  h.connect(kWeb);
  EXPECT_TRUE(h.data(kWeb, 8, "TP/1.1\r\nHost: good.example\r\n\r\n"));
  EXPECT_TRUE(h.data(kWeb, 0, "GET / HT"));
  EXPECT_EQ(dropped(h), 0u);
}

TEST(DefaultAction, ARequestThatNoRulePassesIsDropped) {
  Harness h(kPassGood, firewall(DefaultAction::kDropEstablished));
  h.connect(kWeb);
  EXPECT_TRUE(h.data(kWeb, 0, "GET / HT"));
  EXPECT_FALSE(h.data(kWeb, 8, "TP/1.1\r\nHost: evil.example\r\n\r\n"));
  EXPECT_FALSE(h.data(kWeb, 8, "TP/1.1\r\nHost: evil.example\r\n\r\n"));
  EXPECT_FALSE(h.send(tcp(kWeb.turned(), kAck, 5001, 1041, "anything")));
  EXPECT_EQ(h.drops(), (std::vector<std::string>{"default packet policy"}));
  EXPECT_EQ(dropped(h), 3u);
}

TEST(DefaultAction, OfWhatIsNeverKnownLittlePasses) {
  Harness h(kPassGood, firewall(DefaultAction::kDropEstablished));
  h.connect(kWeb);
  const std::string line(1000, 'a');
  std::string header = "GET / HTTP/1.1\r\nX: " + line;
  size_t passed = 0;
  for (uint32_t at = 0; at < 40'000; at += static_cast<uint32_t>(header.size()))
    passed += h.data(kWeb, at, header) ? header.size() : 0;
  EXPECT_GT(passed, 8'000u);
  EXPECT_LE(passed, kUndecidedBytesMax);
  // Nor more of a protocol that only its server could still make known.
  Harness other(kPassGood, firewall(DefaultAction::kDropEstablished));
  other.connect(kWeb);
  passed = 0;
  for (uint32_t at = 0; at < 40'000; at += 1000)
    passed += other.data(kWeb, at, std::string(1000, '\x01')) ? 1000 : 0;
  EXPECT_LE(passed, kUndecidedBytesMax);
  EXPECT_TRUE(other.send(udp(kDns, "x")) == false);
}

// The first bytes of an ICMP error about a packet.
std::string quoting(const Bytes& ip) {
  return std::string(4, '\0') + std::string(ip.begin(), ip.begin() + 28);
}

TEST(DefaultAction, AnErrorAboutAFlowThatPassesComesThrough) {
  Harness h("pass udp any any <> any 53 (sid:1;)", firewall(DefaultAction::kDrop));
  const Bytes query = udp(kDns, "x");
  EXPECT_FALSE(h.send(icmp({"10.0.0.7", "10.0.0.1", 0, 0}, 3, 4, quoting(query))));
  EXPECT_TRUE(h.send(query));
  EXPECT_TRUE(h.send(icmp({"10.0.0.8", "10.0.0.1", 0, 0}, 3, 4, quoting(query))));
  const Bytes other = udp({"10.0.0.1", "10.0.0.9", 123, 123}, "x");
  EXPECT_FALSE(h.send(other));
  EXPECT_FALSE(h.send(icmp({"10.0.0.9", "10.0.0.1", 0, 0}, 3, 4, quoting(other))));
}

}  // namespace
}  // namespace sluice::inspect
