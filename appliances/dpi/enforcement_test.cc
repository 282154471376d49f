// SPDX-License-Identifier: Apache-2.0
// What the appliance does with packets besides passing and blocking them.
#include "appliances/dpi/appliance_for_test.h"

namespace sluice::dpi {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using nlohmann::json;
using sdk::Answer;

class EnforcementTest : public ApplianceTest {};

const std::string kPlain = "GET / HTTP/1.1\r\nHost: intranet.example\r\n\r\n";

TEST_F(EnforcementTest, ALimitPassesItsRateAndDropsTheRest) {
  start("applications: [{name: NetFlix, action: {limit: {rate: 100000, burst: 20000}}}]");
  const Ends ends;
  handshake(ends);
  EXPECT_EQ(request(ends), Answer::kReturn);
  // Ten seconds of a packet of 1000 bytes each millisecond: ten times the rate.
  uint64_t passed = 0;
  for (int i = 0; i < 10'000; i++)
    if (data(ends, 1000) == Answer::kReturn) passed += 1000;
  EXPECT_NEAR(static_cast<double>(passed), 10 * 100'000 + 20'000, 1500);
  const auto drops = events("drop");
  ASSERT_EQ(drops.size(), 1u);  // once a flow
  EXPECT_EQ(drops[0]["drop"]["reason"], "limit");
  EXPECT_EQ(drops[0]["verdict"]["action"], "limit");
  EXPECT_EQ(drops[0]["verdict"]["rule"], "application NetFlix");
  EXPECT_EQ(appliance_->counters().packets_limited, 10'000 - passed / 1000);
  EXPECT_EQ(appliance_->counters().flows_blocked, 0u);
  // Another flow has its own bucket.
  const Ends other{"10.0.0.1", "10.0.0.2", 40001, 80};
  handshake(other);
  request(other);
  EXPECT_EQ(data(other, 1000), Answer::kReturn);
  appliance_->finish(time_us_);
  EXPECT_EQ(events("flow")[0]["verdict"]["pkts_limited"], 10'000 - passed / 1000);
}

TEST_F(EnforcementTest, AClientsLimitIsSharedByItsFlowsOnAllWorkers) {
  const std::string policy =
      "rules: [{match: {application: NetFlix}, action: {limit: {rate: 1000, burst: 2000, per: "
      "client}}}]";
  start(policy);
  auto first_worker = std::move(appliance_);
  start(policy);
  const Ends one{"10.0.0.1", "10.0.0.2", 40000, 80}, two{"10.0.0.1", "10.0.0.2", 40001, 80},
      other{"10.0.0.5", "10.0.0.2", 40001, 80};
  for (const Ends& ends : {one, other}) {
    handshake(ends);
    EXPECT_EQ(request(ends), Answer::kReturn);
  }
  EXPECT_EQ(data(one, 1850), Answer::kReturn);
  EXPECT_EQ(data(one, 100), Answer::kDrop);
  EXPECT_EQ(data(other, 1850), Answer::kReturn);
  appliance_.swap(first_worker);
  handshake(two);
  EXPECT_EQ(request(two), Answer::kDrop);  // 107 bytes
}

TEST_F(EnforcementTest, AnApplicationsLimitIsSharedByAllClients) {
  start(
      "categories: [{name: Video, action: {limit: {rate: 1000, burst: 2000, per: application}}}]");
  const Ends one, other{"10.0.0.5", "10.0.0.2", 40001, 80};
  for (const Ends& ends : {one, other}) handshake(ends);
  request(one);
  EXPECT_EQ(data(one, 1700), Answer::kReturn);
  EXPECT_EQ(request(other), Answer::kReturn);
  EXPECT_EQ(data(other, 100), Answer::kDrop);
}

TEST_F(EnforcementTest, AQuotaEndsAtItsByteAndBeginsAnewAtItsTime) {
  start(
      "rules: [{name: tv, match: {application: NetFlix}, "
      "action: {quota: {bytes: 5000, reset: '22:15', then: drop}}}]");
  const Ends ends;
  handshake(ends);
  ASSERT_EQ(request(ends), Answer::kReturn);
  const size_t used = 40 + kNetflixRequest.size();
  EXPECT_EQ(data(ends, 4900 - used), Answer::kReturn);
  EXPECT_EQ(data(ends, 100), Answer::kReturn);  // exactly all of it
  EXPECT_EQ(data(ends, 40), Answer::kDrop);
  EXPECT_EQ(data(ends.turned(), 40), Answer::kDrop);
  ASSERT_EQ(events("drop").size(), 1u);
  EXPECT_EQ(events("drop")[0]["drop"]["reason"], "quota");
  EXPECT_EQ(appliance_->counters().packets_over_quota, 2u);
  EXPECT_EQ(appliance_->counters().flows_blocked, 0u);
  // 22:14:59, then 22:15.
  time_us_ = 1'700'000'099'990'000;
  EXPECT_EQ(data(ends, 40), Answer::kDrop);
  time_us_ = 1'700'000'100'000'000;
  EXPECT_EQ(data(ends, 5000), Answer::kReturn);
  EXPECT_EQ(data(ends, 40), Answer::kDrop);
}

TEST_F(EnforcementTest, AfterAQuotaComesRejectOrALimit) {
  start(
      "rules: [{match: {client: 10.0.0.1}, action: {quota: {bytes: 1000, then: reject}}},\n"
      "  {match: {client: 10.0.0.5}, action: {quota: {bytes: 1000, per: client, then: {limit: "
      "{rate: 1000, burst: 1500}}}}}]");
  const Ends one, other{"10.0.0.5", "10.0.0.2", 40001, 80};
  handshake(one);
  EXPECT_EQ(data(one, 900), Answer::kDrop);
  EXPECT_EQ(injected_.packets.size(), 2u);
  EXPECT_EQ(events("drop")[0]["verdict"],
            (json{{"action", "reject"}, {"rule", "rule 1"}, {"reason", "quota"}}));
  EXPECT_EQ(data(one, 40), Answer::kDrop);
  // A new connection of that day is rejected at its first packet.
  EXPECT_EQ(
      show(inspect::testing::tcp({"10.0.0.1", "10.0.0.2", 40009, 80}, tunnels::kTcpSyn, 1, 0)),
      Answer::kDrop);

  handshake(other);
  EXPECT_EQ(data(other, 880), Answer::kReturn);   // 1000 with the handshake
  EXPECT_EQ(data(other, 1400), Answer::kReturn);  // from the bucket
  EXPECT_EQ(data(other, 400), Answer::kDrop);
  time_us_ += 1'000'000;
  EXPECT_EQ(data(other, 900), Answer::kReturn);
}

TEST_F(EnforcementTest, MarksAndSteers) {
  start(
      "applications: [{name: NetFlix, action: {mark: {dscp: 8}}}, "
      "{name: HTTP, action: {steer: {hint: 77}}}]");
  const Ends ends, plain{"10.0.0.5", "10.0.0.2", 40001, 80};
  handshake(ends);
  EXPECT_EQ(ip_[1], 0);
  EXPECT_EQ(packet_.hint, 0u);
  EXPECT_EQ(request(ends), Answer::kReturn);
  EXPECT_EQ(ip_[1], 8 << 2);
  EXPECT_EQ(tunnels::checksum_fold(tunnels::checksum_add(0, ip_.data(), 20)), 0);
  EXPECT_EQ(data(ends.turned(), 100), Answer::kReturn);
  EXPECT_EQ(ip_[1], 8 << 2);
  EXPECT_EQ(packet_.hint, 0u);

  handshake(plain);
  EXPECT_EQ(request(plain, kPlain), Answer::kReturn);
  EXPECT_EQ(packet_.hint, 77u);
  EXPECT_EQ(ip_[1], 0);
  EXPECT_EQ(appliance_->counters().packets_marked, 2u);
  EXPECT_EQ(appliance_->counters().packets_steered, 1u);
}

TEST_F(EnforcementTest, ADecisionIsMadeAgainWhenItsScheduleBeginsAndEnds) {
  start(
      "rules: [{match: {schedule: {from: '22:14', to: '22:15'}}, action: {mark: {dscp: 8}}},\n"
      "  {match: {schedule: {from: '22:16', to: '22:17'}}, action: drop}]");
  const Ends ends;
  const auto dscp_at = [&](int64_t seconds) {
    time_us_ = 1'700'000'000'000'000 + seconds * 1'000'000 - 1000;
    return data(ends, 100) == Answer::kReturn ? ip_[1] >> 2 : -1;
  };
  EXPECT_EQ(dscp_at(0), 0);    // 22:13:20
  EXPECT_EQ(dscp_at(39), 0);   // 22:13:59
  EXPECT_EQ(dscp_at(40), 8);   // 22:14:00
  EXPECT_EQ(dscp_at(99), 8);   // 22:14:59
  EXPECT_EQ(dscp_at(100), 0);  // 22:15:00
  EXPECT_EQ(dscp_at(159), 0);
  EXPECT_EQ(dscp_at(160), -1);
  EXPECT_EQ(dscp_at(230), -1);  // what is blocked stays so
  EXPECT_EQ(data({"10.0.0.5", "10.0.0.2", 40001, 80}, 100), Answer::kReturn);
}

TEST_F(EnforcementTest, AShadowDeliversEverything) {
  DpiOptions options;
  options.shadow = true;
  start(
      "hold: {bytes: 9000, milliseconds: 100}\n"
      "applications: [{name: NetFlix, action: reject}]\n"
      "rules: [{match: {client: 10.0.0.5}, action: {limit: {rate: 1, burst: 1500}}},\n"
      "  {match: {client: 10.0.0.6}, action: {mark: {dscp: 5}}}]",
      options);
  const Ends ends, limited{"10.0.0.5", "10.0.0.2", 40001, 80}, marked{"10.0.0.6", "10.0.0.2", 1, 2};
  handshake(ends);
  EXPECT_EQ(request(ends), Answer::kReturn);
  EXPECT_EQ(data(ends, 100), Answer::kReturn);
  for (int i = 0; i < 20; i++) EXPECT_EQ(data(limited, 1000), Answer::kReturn);
  EXPECT_EQ(data(marked, 100), Answer::kReturn);
  EXPECT_EQ(ip_[1], 0);
  EXPECT_EQ(show({1, 2, 3}), Answer::kReturn);
  EXPECT_TRUE(injected_.packets.empty());
  const auto drops = events("drop");
  ASSERT_EQ(drops.size(), 2u);
  EXPECT_EQ(drops[0]["verdict"],
            (json{{"action", "reject"}, {"rule", "application NetFlix"}, {"shadow", true}}));
  EXPECT_EQ(drops[1]["drop"]["reason"], "limit");
  appliance_->finish(time_us_);
  EXPECT_EQ(events("flow")[0]["verdict"]["pkts_blocked"], 2);
  EXPECT_EQ(events("flow")[0]["flow"]["state"], "established");
  EXPECT_EQ(events("flow")[1]["verdict"]["pkts_limited"], 19);
  EXPECT_EQ(events("stats")[0]["dpi"]["packets_held"], 0);
}

TEST_F(EnforcementTest, ALimitKeepsItsStateOverAReload) {
  const auto policy = [&](const std::string& text) {
    auto parsed = inspect::Policy::parse(text, "p", appliance_->names());
    EXPECT_TRUE(parsed) << parsed.error().text();
    return std::make_shared<const inspect::Policy>(std::move(*parsed));
  };
  const std::string limits =
      "rules: [{match: {client: 10.0.0.1}, action: {limit: {rate: 10, burst: 2000}}},\n"
      "  {match: {client: 10.0.0.5}, action: {limit: {rate: 10, burst: 2000, per: client}}}]";
  start(limits);
  const Ends by_flow, by_client{"10.0.0.5", "10.0.0.2", 40001, 80};
  for (const Ends& ends : {by_flow, by_client}) {
    EXPECT_EQ(data(ends, 1900), Answer::kReturn);
    EXPECT_EQ(data(ends, 200), Answer::kDrop);
  }
  appliance_->set_policy(policy("# the same, elsewhere\nzone: local\n" + limits));
  for (const Ends& ends : {by_flow, by_client}) EXPECT_EQ(data(ends, 200), Answer::kDrop);
  appliance_->set_policy(policy("fallback: allow"));
  for (const Ends& ends : {by_flow, by_client}) EXPECT_EQ(data(ends, 2000), Answer::kReturn);
  // The client's bucket is still known; the flow's went with its rule.
  appliance_->set_policy(policy(limits));
  EXPECT_EQ(data(by_flow, 200), Answer::kReturn);
  EXPECT_EQ(data(by_client, 200), Answer::kDrop);
  EXPECT_EQ(appliance_->counters().policies, 3u);
}

TEST_F(EnforcementTest, AReportTellsHowAFlowWasDecided) {
  start(
      "rules: [{name: night, match: {schedule: {from: '01:00', to: '02:00'}}, action: drop}]\n"
      "applications: [{name: NetFlix, action: {mark: {dscp: 8}}}]");
  const Ends ends;
  handshake(ends);
  request(ends);
  const auto tuple = inspect::testing::parsed(ip_).tuple;
  const auto report = appliance_->report(tuple);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->application, "HTTP.NetFlix");
  EXPECT_EQ(report->findings.host, "www.netflix.com");
  EXPECT_EQ(report->action, "mark");
  EXPECT_EQ(report->rule, "application NetFlix");
  ASSERT_EQ(report->history.size(), 2u);
  EXPECT_EQ(report->history[0].application, "Unknown");
  EXPECT_EQ(report->history[0].rule, "fallback");
  EXPECT_EQ(report->history[1].packet, 4u);
  EXPECT_EQ(report->history[1].rule, "application NetFlix");
  ASSERT_EQ(report->reasons.size(), 2u);
  EXPECT_EQ(report->reasons[0].why, "schedule is not now");
  EXPECT_EQ(report->reasons[1].rule, "application NetFlix");
  EXPECT_FALSE(appliance_->report(inspect::testing::parsed(inspect::testing::udp({}, "x")).tuple));
}

}  // namespace
}  // namespace sluice::dpi
