// SPDX-License-Identifier: Apache-2.0
// Which tables are kept for the next process: those of the last one that did the work.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "gateway/datapath/kernel_host.h"

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kFlows = 4096;

class Pins : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "the kernel host needs root";
  }
  void TearDown() override { (void)KernelHost::remove_pins(pins_); }

  std::unique_ptr<KernelHost> start(uint32_t flows_max) {
    auto host = KernelHost::create({.flows_max = flows_max, .pins = pins_});
    EXPECT_TRUE(host) << host.error().text();
    return host ? std::move(*host) : nullptr;
  }
  // The flows that the tables which are kept have room for.
  std::set<uint32_t> kept() const {
    std::set<uint32_t> out;
    for (const auto& folder : fs::directory_iterator(pins_)) {
      const std::string name = folder.path().filename();
      out.insert(std::stoul(name.substr(name.rfind('-') + 1)) * kFlowWays);
    }
    return out;
  }
  const std::string pins_ = "/sys/fs/bpf/sluice-pins-test-" + std::to_string(getpid());
};

TEST_F(Pins, AStartThatFailsLeavesTheFormerTables) {
  ASSERT_TRUE(start(kFlows)->settle());
  EXPECT_EQ(kept(), std::set{kFlows});
  {
    const auto other = start(2 * kFlows);
    EXPECT_FALSE(other->taken_over());
    EXPECT_TRUE(other->forgets_flows());
    EXPECT_EQ(kept(), (std::set{kFlows, 2 * kFlows}));
  }
  EXPECT_EQ(kept(), std::set{kFlows}) << "it has never been in force";
  const auto same = start(kFlows);
  EXPECT_TRUE(same->taken_over());
  EXPECT_FALSE(same->forgets_flows());
}

TEST_F(Pins, AFirstStartForgetsNothing) { EXPECT_FALSE(start(kFlows)->forgets_flows()); }

// Killed before its tables were in force, it leaves both.
TEST_F(Pins, WhatItForgetsIsKnownUntilItsTablesAreInForce) {
  ASSERT_TRUE(start(kFlows)->settle());
  ASSERT_TRUE(start(2 * kFlows)->settle());
  fs::create_directories(pins_ + "/tables-" + std::to_string(int{kTablesLayout}) + "-" +
                         std::to_string(kFlows / kFlowWays));
  const auto again = start(2 * kFlows);
  EXPECT_TRUE(again->taken_over());
  EXPECT_TRUE(again->forgets_flows());
  ASSERT_TRUE(again->settle());
  EXPECT_FALSE(start(2 * kFlows)->forgets_flows());
}

TEST_F(Pins, FormerTablesGoWhenOthersAreInForce) {
  ASSERT_TRUE(start(kFlows)->settle());
  ASSERT_TRUE(start(2 * kFlows)->settle());
  EXPECT_EQ(kept(), std::set{2 * kFlows});
  EXPECT_FALSE(start(kFlows)->taken_over());
}

// What another version has left is not read, whatever is in it.
TEST_F(Pins, TablesOfAnotherLayoutAreNotTaken) {
  ASSERT_TRUE(start(kFlows)->settle());
  const fs::path own = *fs::directory_iterator(pins_);
  const fs::path other = own.parent_path() / ("tables-" + std::to_string(kTablesLayout - 1) + "-" +
                                              std::to_string(kFlows / kFlowWays));
  fs::rename(own, other);
  const auto host = start(kFlows);
  EXPECT_FALSE(host->taken_over());
  EXPECT_TRUE(host->forgets_flows());
  EXPECT_TRUE(fs::exists(other)) << "until this one is in force";
  ASSERT_TRUE(host->settle());
  EXPECT_FALSE(fs::exists(other));
}

}  // namespace
}  // namespace sluice::gateway
