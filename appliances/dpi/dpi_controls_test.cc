// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/dpi_controls.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "appliances/dpi/dpi_appliance.h"
#include "appliances/sdk/two_workers_for_test.h"
#include "inspect/stream/test_packets.h"

namespace sluice::dpi {
namespace {

using inspect::testing::Bytes;
using inspect::testing::Ends;
using nlohmann::json;
using sdk::Answer;

const std::string kNetflix = "GET / HTTP/1.1\r\nHost: www.netflix.com\r\n\r\n";
const std::string kOther = "GET / HTTP/1.1\r\nHost: intranet.example\r\n\r\n";

struct Nowhere : sdk::Injector {
  void inject(std::span<const uint8_t>) override {}
};

// Two workers' appliances; a thread does their errands while a command is answered.
class DpiControlsTest : public testing::Test {
 protected:
  void start(const std::string& policy) {
    write(policy);
    DpiOptions options;
    if (!policy.empty()) options.policy_file = file_;
    for (auto& appliance : two_.appliances) {
      auto made = make_dpi(options, eve_);
      ASSERT_TRUE(made) << made.error().text();
      appliance = std::move(*made);
    }
    commands_ = std::make_unique<sdk::Commands>(dpi_controls(options.policy_file), two_.workers(),
                                                std::vector<const sdk::Counters*>{});
  }
  void TearDown() override { std::remove(file_.c_str()); }

  void write(const std::string& policy) const { std::ofstream(file_) << policy; }

  json ask(const std::string& request) { return two_.ask(*commands_, request); }

  Answer show(int worker, Bytes ip) {
    sdk::Packet packet{ip, 1, 2, time_us_ += 1000};
    Nowhere nowhere;
    return two_.appliances[worker]->handle(packet, nowhere);
  }
  // A connection up to its request; what became of the request.
  Answer request(int worker, const Ends& ends, const std::string& text) {
    show(worker, inspect::testing::tcp(ends, tunnels::kTcpSyn, 100, 0));
    show(worker,
         inspect::testing::tcp(ends.turned(), tunnels::kTcpSyn | tunnels::kTcpAck, 500, 101));
    show(worker, inspect::testing::tcp(ends, tunnels::kTcpAck, 101, 501));
    return show(worker, inspect::testing::tcp(ends, tunnels::kTcpAck, 101, 501, text));
  }
  Answer response(int worker, const Ends& ends, size_t request_length) {
    return show(worker, inspect::testing::tcp(ends.turned(), tunnels::kTcpAck, 501,
                                              static_cast<uint32_t>(101 + request_length),
                                              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }
  void end_flows() {
    for (auto& appliance : two_.appliances) appliance->finish(time_us_);
  }

  std::string file_ = testing::TempDir() + "dpi_controls_" + std::to_string(getpid()) + ".yaml";
  inspect::MemorySink eve_;
  sdk::testing::TwoWorkers two_;
  std::unique_ptr<sdk::Commands> commands_;
  int64_t time_us_ = 1'700'000'000'000'000;
};

TEST_F(DpiControlsTest, TopAddsUpTheWorkers) {
  start("applications: [{name: NetFlix, action: drop}]");
  EXPECT_EQ(request(0, {"10.0.0.1", "10.0.0.9", 40000, 80}, kNetflix), Answer::kDrop);
  EXPECT_EQ(request(1, {"10.0.0.2", "10.0.0.9", 40000, 80}, kNetflix), Answer::kDrop);
  const Ends ends{"10.0.0.2", "10.0.0.9", 40001, 80};
  EXPECT_EQ(request(1, ends, kOther), Answer::kReturn);
  EXPECT_EQ(response(1, ends, kOther.size()), Answer::kReturn);
  end_flows();

  const json top = ask(R"({"command":"top"})");
  ASSERT_EQ(top["applications"].size(), 2u);
  const json& netflix = top["applications"][0];
  EXPECT_EQ(netflix["application"], "HTTP.NetFlix");
  EXPECT_EQ(netflix["category"], "Video");
  EXPECT_EQ(netflix["flows"], 2);
  EXPECT_EQ(netflix["flows_blocked"], 2);
  EXPECT_EQ(netflix["packets_blocked"], 2);
  EXPECT_EQ(netflix["packets_to_server"], 6);
  EXPECT_EQ(netflix["bytes_to_client"], 80);
  ASSERT_EQ(top["hosts"].size(), 2u);
  EXPECT_EQ(top["hosts"][0]["host"], "10.0.0.2");
  EXPECT_EQ(top["hosts"][0]["flows"], 2);
  EXPECT_EQ(top["hosts"][1]["host"], "10.0.0.1");
  EXPECT_EQ(ask(R"({"command":"top","limit":1})")["hosts"].size(), 1u);
  for (const char* bad : {"0", "1001", "-1", "\"x\""})
    EXPECT_EQ(ask(std::string(R"({"command":"top","limit":)") + bad + "}")["ok"], false) << bad;
}

TEST_F(DpiControlsTest, AFlowThatGoesOnIsSeen) {
  start("");
  const Ends ends{"10.0.0.2", "10.0.0.9", 40001, 80};
  request(0, ends, kOther);
  response(0, ends, kOther.size());
  time_us_ += inspect::kUsageIntervalUs;
  response(0, ends, kOther.size());
  const json top = ask(R"({"command":"top"})");
  EXPECT_EQ(top["applications"][0]["application"], "HTTP");
  EXPECT_EQ(top["applications"][0]["packets_to_client"], 3);
}

TEST_F(DpiControlsTest, MetricsNameApplicationsAndNoAddresses) {
  start("applications: [{name: NetFlix, action: drop}]");
  request(0, {"10.0.0.1", "10.0.0.9", 40000, 80}, kNetflix);
  end_flows();
  const std::string page = ask(R"({"command":"metrics"})")["text"];
  for (const char* line :
       {"sluice_dpi_flows_total{application=\"HTTP.NetFlix\"} 1\n",
        "sluice_dpi_flows_blocked_total{application=\"HTTP.NetFlix\"} 1\n",
        "sluice_dpi_packets_blocked_total{application=\"HTTP.NetFlix\"} 1\n",
        "sluice_dpi_packets_total{application=\"HTTP.NetFlix\",direction=\"to_server\"} 3\n",
        "sluice_dpi_bytes_total{application=\"HTTP.NetFlix\",direction=\"to_client\"} 40\n"})
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  EXPECT_EQ(page.find("10.0.0."), std::string::npos);

  if (std::system("command -v promtool >/dev/null") != 0) return;
  const std::string path = testing::TempDir() + "dpi_page_" + std::to_string(getpid());
  std::ofstream(path) << page;
  EXPECT_EQ(std::system(("promtool check metrics <" + path).c_str()), 0) << page;
  std::remove(path.c_str());
}

// A million applications' worth of usage stays below what a page holds.
TEST_F(DpiControlsTest, AFullTableOfApplicationsFitsThePage) {
  inspect::UsageReport report;
  for (size_t i = 0; i <= inspect::kUsageApplicationsMax; i++)
    report.applications.push_back({"A" + std::to_string(i), "", {}});
  tunnels::MetricsPage page;
  add_usage(report, page);
  const std::string text = page.text();
  EXPECT_EQ(text.find("left_out"), std::string::npos);
  EXPECT_NE(text.find("application=\"A512\",direction=\"to_client\""), std::string::npos);
}

TEST_F(DpiControlsTest, AReloadedPolicyMeetsFlowsWithTheirNextPacket) {
  start("fallback: allow");
  const Ends ends{"10.0.0.2", "10.0.0.9", 40001, 80};
  EXPECT_EQ(request(0, ends, kNetflix), Answer::kReturn);

  write("applications: [{name: Netflux, action: drop}]");
  const json refused = ask(R"({"command":"reload"})");
  EXPECT_EQ(refused["ok"], false);
  EXPECT_NE(refused["error"].get<std::string>().find("Netflux"), std::string::npos) << refused;
  EXPECT_EQ(show(0, inspect::testing::tcp(ends, tunnels::kTcpAck, 200, 501)), Answer::kReturn);

  write("applications: [{name: NetFlix, action: drop}]");
  EXPECT_EQ(ask(R"({"command":"reload"})"), (json{{"ok", true}}));
  EXPECT_EQ(show(0, inspect::testing::tcp(ends, tunnels::kTcpAck, 200, 501)), Answer::kDrop);
  EXPECT_EQ(request(1, ends, kNetflix), Answer::kDrop);

  // What is blocked stays blocked; new flows are not.
  write("fallback: allow");
  EXPECT_EQ(ask(R"({"command":"reload"})")["ok"], true);
  EXPECT_EQ(show(0, inspect::testing::tcp(ends, tunnels::kTcpAck, 200, 501)), Answer::kDrop);
  EXPECT_EQ(request(0, {"10.0.0.7", "10.0.0.9", 40001, 80}, kNetflix), Answer::kReturn);
  const json stats = ask(R"({"command":"stats"})")["dpi"];
  EXPECT_EQ(stats["policies"], 4);  // two of each worker
  EXPECT_EQ(stats["flows_blocked"], 2);
  EXPECT_EQ(stats["flows_known"], 3);
  end_flows();
  EXPECT_NE(eve_.text().find("application NetFlix"), std::string::npos);
}

TEST_F(DpiControlsTest, WithoutAPolicyThereIsNothingToReload) {
  start("");
  EXPECT_EQ(ask(R"({"command":"reload"})")["ok"], false);
}

}  // namespace
}  // namespace sluice::dpi
