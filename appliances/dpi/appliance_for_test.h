// SPDX-License-Identifier: Apache-2.0
// An appliance under test: its policy, its packets on a virtual clock, its events.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "appliances/dpi/dpi_appliance.h"
#include "inspect/stream/test_packets.h"

namespace sluice::dpi {

inline const std::string kNetflixRequest =
    "GET / HTTP/1.1\r\nHost: www.netflix.com\r\nUser-Agent: curl/7.88.1\r\n\r\n";

class ApplianceTest : public testing::Test {
 protected:
  using Bytes = inspect::testing::Bytes;
  using Ends = inspect::testing::Ends;
  using json = nlohmann::json;

  struct Injected : sdk::Injector {
    std::vector<Bytes> packets;
    uint64_t way = 0;
    sdk::Origin origin() const override { return {{way}, {}}; }
    void inject(std::span<const uint8_t> ip) override {
      packets.emplace_back(ip.begin(), ip.end());
    }
  };

  // An empty policy is none.
  void start(const std::string& policy, DpiOptions options = {}) {
    const std::string file =
        testing::TempDir() + "dpi_policy_" + std::to_string(getpid()) + ".yaml";
    if (!policy.empty()) {
      options.policy_file = file;
      std::ofstream(file) << policy;
    }
    auto appliance = make_dpi(options, shared_, eve_);
    std::remove(file.c_str());
    ASSERT_TRUE(appliance) << appliance.error().text();
    appliance_ = std::move(*appliance);
  }

  // Shows the packet a millisecond after the last one; `packet_` and `ip_` are then as they went.
  sdk::Answer show(Bytes ip) {
    ip_ = std::move(ip);
    packet_ = {ip_, 1, 2, time_us_ += 1000};
    return appliance_->handle(packet_, injected_);
  }
  void handshake(const Ends& ends) {
    using namespace tunnels;
    using enum sdk::Answer;
    EXPECT_EQ(show(inspect::testing::tcp(ends, kTcpSyn, 100, 0)), kReturn);
    EXPECT_EQ(show(inspect::testing::tcp(ends.turned(), kTcpSyn | kTcpAck, 500, 101)), kReturn);
    EXPECT_EQ(show(inspect::testing::tcp(ends, kTcpAck, 101, 501)), kReturn);
  }
  sdk::Answer request(const Ends& ends, const std::string& text = kNetflixRequest) {
    return show(inspect::testing::tcp(ends, tunnels::kTcpAck, 101, 501, text));
  }
  // Of `bytes` bytes as an IP packet.
  sdk::Answer data(const Ends& ends, size_t bytes) {
    return show(
        inspect::testing::tcp(ends, tunnels::kTcpAck, 1000, 501, std::string(bytes - 40, 'x')));
  }

  std::vector<json> events(const std::string& type) const {
    std::vector<json> found;
    std::istringstream lines(eve_.text());
    for (std::string line; std::getline(lines, line);) {
      json event = json::parse(line);
      if (event["event_type"] == type) found.push_back(event);
    }
    return found;
  }

  inspect::MemorySink eve_;
  std::shared_ptr<DpiShared> shared_ = std::make_shared<DpiShared>();
  std::unique_ptr<DpiAppliance> appliance_;
  Injected injected_;
  Bytes ip_;
  sdk::Packet packet_{};
  int64_t time_us_ = 1'700'000'000'000'000;  // 2023-11-14 22:13:20 UTC, a Tuesday
};

}  // namespace sluice::dpi
