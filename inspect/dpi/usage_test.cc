// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/usage.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::inspect {
namespace {

constexpr tunnels::siphash_key kKey{1, 2};

HostAddress host(uint32_t number) {
  HostAddress address;
  address.words[0] = htonl(0x0a000000 + number);
  return address;
}

Amount bytes(uint64_t to_server, uint64_t to_client = 0) {
  Amount amount;
  amount.flows = 1;
  amount.packets[0] = 1;
  amount.bytes[0] = to_server;
  amount.bytes[1] = to_client;
  return amount;
}

Flow flow_of(const HostAddress& client, uint64_t to_server, uint64_t to_client) {
  Flow flow;
  std::copy_n(client.words, 4, flow.to_server.source);
  flow.to_server.version = client.version;
  flow.packets[0] = 2;
  flow.packets[1] = 1;
  flow.bytes[0] = to_server;
  flow.bytes[1] = to_client;
  return flow;
}

const HostUsage* find(const std::vector<HostUsage>& hosts, const HostAddress& address) {
  const auto at = std::ranges::find(hosts, address, &HostUsage::address);
  return at == hosts.end() ? nullptr : &*at;
}

TEST(HostTable, IsExactWhileThereIsRoom) {
  HostTable table(10, kKey);
  for (uint32_t round = 0; round < 5; round++)
    for (uint32_t n = 0; n < 10; n++) table.add(host(n), bytes(n, 1));
  EXPECT_EQ(table.size(), 10u);
  EXPECT_EQ(table.missed_bytes(), 5u);
  for (uint32_t n = 0; n < 10; n++) {
    const HostUsage* usage = find(table.hosts(), host(n));
    ASSERT_NE(usage, nullptr) << n;
    EXPECT_EQ(usage->amount.bytes[0], 5 * n);
    EXPECT_EQ(usage->amount.bytes[1], 5u);
    EXPECT_EQ(usage->amount.flows, 5u);
    EXPECT_EQ(usage->missed_bytes, 0u);
  }
}

// A flood of addresses cannot hide who carries much, and what the table says stays true: a host
// carried at least `amount` and at most bytes_max().
TEST(HostTable, AFloodDoesNotHideTheLarge) {
  HostTable table(64, kKey);
  constexpr uint32_t kLarge = 10;
  std::vector<uint64_t> truth(100'000);
  const auto add = [&](uint32_t n, uint64_t count) {
    truth[n] += count;
    table.add(host(n), bytes(count));
  };
  for (uint32_t n = kLarge; n < truth.size(); n++) {
    add(n, 40);
    add(n % kLarge, 100 * (n % kLarge + 1));
  }
  EXPECT_EQ(table.size(), 64u);
  for (uint32_t n = 0; n < kLarge; n++) {
    const HostUsage* usage = find(table.hosts(), host(n));
    ASSERT_NE(usage, nullptr) << n;
    EXPECT_LE(usage->amount.bytes_both(), truth[n]);
    EXPECT_GE(usage->bytes_max(), truth[n]);
  }
  for (uint32_t n = 0; n < truth.size(); n++) {
    const HostUsage* usage = find(table.hosts(), host(n));
    if (usage == nullptr) {
      ASSERT_LE(truth[n], table.missed_bytes());
    } else {
      ASSERT_LE(usage->amount.bytes_both(), truth[n]);
      ASSERT_GE(usage->bytes_max(), truth[n]);
    }
  }
}

class UsageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto created = Classifier::create();
    ASSERT_TRUE(created) << created.error().text();
    classifier = created->release();
  }
  static void TearDownTestSuite() { delete classifier; }

  static Application named(const std::string& name) {
    const auto& names = classifier->names().applications;
    const auto at = std::ranges::find(names, name);
    EXPECT_NE(at, names.end()) << name;
    return {0, static_cast<uint16_t>(at - names.begin()), 0};
  }

  static Classifier* classifier;
};
Classifier* UsageTest::classifier = nullptr;

TEST_F(UsageTest, CountsAFlowOnceHoweverOftenItIsAsked) {
  Usage usage(kKey);
  Flow flow = flow_of(host(1), 100, 1000);
  Accounted accounted;
  usage.account(flow, named("YouTube"), false, 0, accounted);
  usage.account(flow, named("YouTube"), false, 0, accounted);
  flow.packets[1] += 3;
  flow.bytes[1] += 4000;
  usage.account(flow, named("YouTube"), true, 2, accounted);
  usage.account(flow, named("YouTube"), true, 3, accounted);
  const UsageReport report = usage.report(*classifier);
  ASSERT_EQ(report.applications.size(), 1u);
  EXPECT_EQ(report.applications[0].application, "YouTube");
  const Amount expected{1, 1, {2, 4}, {100, 5000}, 3};
  EXPECT_EQ(report.applications[0].amount, expected);
  ASSERT_EQ(report.hosts.size(), 1u);
  EXPECT_EQ(report.hosts[0].amount, expected);
  EXPECT_EQ(report.hosts[0].address, host(1));
}

TEST_F(UsageTest, IsDueOnceAnInterval) {
  Usage usage(kKey);
  Flow flow = flow_of(host(1), 1, 1);
  flow.start_us = 4'000'000;
  flow.last_us = 5'000'000;
  Accounted accounted;
  EXPECT_FALSE(Usage::due(flow, accounted, flow.start_us + kUsageIntervalUs - 1));
  EXPECT_TRUE(Usage::due(flow, accounted, flow.last_us));
  usage.account(flow, {}, false, 0, accounted);
  EXPECT_FALSE(Usage::due(flow, accounted, flow.last_us + kUsageIntervalUs - 1));
  EXPECT_TRUE(Usage::due(flow, accounted, flow.last_us + kUsageIntervalUs));
}

TEST_F(UsageTest, ApplicationsAreBounded) {
  Usage usage(kKey, 3);
  for (uint16_t id = 1; id <= 10; id++) {
    Accounted accounted;
    usage.account(flow_of(host(id), 10 * id, 0), {0, id, 0}, false, 0, accounted);
  }
  const UsageReport report = usage.report(*classifier);
  ASSERT_EQ(report.applications.size(), 4u);
  EXPECT_EQ(report.applications[0].application, kOtherApplications);
  EXPECT_EQ(report.applications[0].amount.flows, 7u);
  EXPECT_EQ(report.applications[0].amount.bytes[0], 490u);
  EXPECT_EQ(report.hosts.size(), 10u);
  EXPECT_EQ(report.hosts[0].address, host(10));
}

TEST_F(UsageTest, ReportsOfWorkersAreAddedUp) {
  Usage small(kKey, 8, 2);
  Usage large(kKey, 8, 8);
  const auto account = [](Usage& usage, const char* name, uint32_t client, uint64_t bytes) {
    Accounted accounted;
    usage.account(flow_of(host(client), bytes, 0), named(name), false, 0, accounted);
  };
  account(small, "YouTube", 1, 500);
  account(small, "NetFlix", 2, 70);
  account(small, "NetFlix", 3, 10);  // takes the place of host 2
  account(large, "NetFlix", 1, 5);
  account(large, "NetFlix", 4, 900);
  const UsageReport reports[] = {small.report(*classifier), large.report(*classifier)};
  const UsageReport merged = merge(reports);

  ASSERT_EQ(merged.applications.size(), 2u);
  EXPECT_EQ(merged.applications[0].application, "NetFlix");
  EXPECT_EQ(merged.applications[0].amount.bytes[0], 985u);
  EXPECT_EQ(merged.applications[0].amount.flows, 4u);
  EXPECT_EQ(merged.missed_bytes, 80u);
  ASSERT_EQ(merged.hosts.size(), 3u);
  EXPECT_EQ(merged.hosts[0].address, host(4));
  EXPECT_EQ(merged.hosts[0].missed_bytes, 80u);  // the small table may have missed it
  EXPECT_EQ(merged.hosts[1].address, host(1));
  EXPECT_EQ(merged.hosts[1].amount.bytes[0], 505u);
  EXPECT_EQ(merged.hosts[1].missed_bytes, 0u);
  EXPECT_EQ(merged.hosts[2].address, host(3));
  EXPECT_EQ(merged.hosts[2].missed_bytes, 70u);
}

}  // namespace
}  // namespace sluice::inspect
