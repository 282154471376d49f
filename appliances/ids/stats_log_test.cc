// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/stats_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace sluice::ids {
namespace {

using nlohmann::json;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kStart = 1'700'000'000 * kSecond;

// So many packets and alerts; nothing else.
WorkerStats counted(uint64_t packets, uint64_t alerts) {
  WorkerStats out;
  for (const IdsCounter& counter : ids_counters()) {
    const std::string_view path = counter.path;
    out.numbers.values.push_back(path == "decoder.pkts"   ? packets
                                 : path == "detect.alert" ? alerts
                                                          : 0);
  }
  out.rules_loaded = 5;
  out.rules_failed = 2;
  out.rules_skipped = 3;
  return out;
}

class StatsLogTest : public ::testing::Test {
 protected:
  void start(const StatsOptions& options) {
    log_ = std::make_unique<StatsLog>(options, "");
    for (size_t worker = 0; worker < 2; worker++) EXPECT_EQ(log_->join(), worker);
  }
  void tell(size_t worker, uint64_t packets, int64_t seconds) {
    log_->tell(worker, counted(packets, 1), kStart + seconds * kSecond, eve_);
  }
  std::vector<json> events() {
    std::vector<json> out;
    std::istringstream lines(eve_.text());
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    eve_.clear();
    return out;
  }

  inspect::MemorySink eve_;
  std::unique_ptr<StatsLog> log_;
};

TEST_F(StatsLogTest, AllWorkersTogetherFromTimeToTime) {
  start({});
  tell(0, 10, 0);
  tell(1, 5, 0);
  tell(0, 11, 7);
  EXPECT_TRUE(events().empty());
  tell(1, 7, 8);
  tell(0, 20, 8);
  const auto all = events();
  ASSERT_EQ(all.size(), 1u) << "one for both";
  EXPECT_EQ(all[0].at("event_type"), "stats");
  EXPECT_EQ(all[0].at("timestamp"), "2023-11-14T22:13:28.000000+0000");
  const json& stats = all[0].at("stats");
  EXPECT_EQ(stats.at("uptime"), 8);
  EXPECT_EQ(stats.at("decoder").at("pkts"), 18) << "with what the other has last told";
  EXPECT_EQ(stats.at("detect").at("alert"), 2);
  EXPECT_EQ(
      stats.at("detect").at("engines"),
      json::parse(R"([{"id": 0, "rules_loaded": 5, "rules_failed": 2, "rules_skipped": 3}])"));
  for (const char* name : {"threads", "capture"}) EXPECT_FALSE(stats.contains(name)) << name;
  EXPECT_FALSE(stats.at("decoder").contains("pkts_delta"));
  tell(0, 21, 15);
  EXPECT_TRUE(events().empty());
  tell(0, 22, 16);
  EXPECT_EQ(events().at(0).at("stats").at("decoder").at("pkts"), 29);
}

TEST_F(StatsLogTest, TheLastOneToLeaveWritesTheEnd) {
  start({.interval_us = 0});
  for (int64_t second = 0; second < 100; second++) tell(0, 1, second);
  log_->leave(1, counted(3, 0), kStart + 100 * kSecond, eve_);
  EXPECT_TRUE(events().empty());
  log_->leave(0, counted(4, 0), kStart + 101 * kSecond, eve_);
  const auto all = events();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].at("stats").at("decoder").at("pkts"), 7);
  EXPECT_EQ(all[0].at("stats").at("uptime"), 101);
}

TEST_F(StatsLogTest, WhatEachHasGrownByAndByWorker) {
  start({.threads = true, .deltas = true});
  tell(0, 10, 0);
  tell(1, 5, 0);
  tell(0, 12, 8);
  tell(1, 9, 8);
  const json first = events().at(0).at("stats");
  EXPECT_EQ(first.at("decoder").at("pkts_delta"), 17);
  tell(0, 13, 16);
  const json second = events().at(0).at("stats");
  EXPECT_EQ(second.at("decoder").at("pkts"), 22);
  EXPECT_EQ(second.at("decoder").at("pkts_delta"), 5);
  EXPECT_EQ(second.at("threads").at("W#01").at("decoder").at("pkts_delta"), 1);
  EXPECT_EQ(second.at("threads").at("W#02").at("decoder").at("pkts"), 9);
  EXPECT_EQ(second.at("threads").at("W#02").at("decoder").at("pkts_delta"), 4);
  EXPECT_EQ(second.at("tcp").at("midstream_exception_policy").at("ignore_delta"), 0);
}

TEST_F(StatsLogTest, OnlyByWorker) {
  start({.interval_us = kSecond, .totals = false, .threads = true});
  tell(0, 10, 0);
  tell(0, 10, 1);
  const json stats = events().at(0).at("stats");
  EXPECT_FALSE(stats.contains("decoder") || stats.contains("detect"));
  EXPECT_EQ(stats.at("threads").at("W#01").at("decoder").at("pkts"), 10);
}

TEST_F(StatsLogTest, LiveWhatTheKernelHasSeen) {
  start({.interval_us = 0, .deltas = true});
  WorkerStats live = counted(1, 0);
  live.live = true;
  live.packets_received = 8;
  live.packets_lost = 3;
  log_->leave(0, live, kStart, eve_);
  log_->leave(1, live, kStart, eve_);
  EXPECT_EQ(events().at(0).at("stats").at("capture"),
            json::parse(R"({"kernel_packets": 16, "kernel_drops": 6, "kernel_packets_delta": 16,
                            "kernel_drops_delta": 6})"));
}

IdsNumbers numbers_with(uint64_t packets, uint64_t bytes, uint64_t largest) {
  IdsNumbers out;
  for (const IdsCounter& counter : ids_counters()) {
    const std::string_view path = counter.path;
    out.values.push_back(path == "decoder.pkts"           ? packets
                         : path == "decoder.bytes"        ? bytes
                         : path == "decoder.max_pkt_size" ? largest
                                                          : 0);
  }
  return out;
}

TEST(IdsNumbersTest, OfSeveralWorkersTheLargestAndTheAverageOfAll) {
  IdsNumbers all = numbers_with(1, 100, 100);
  all += numbers_with(3, 60, 30);
  const auto decoder = stats_of(all).at("decoder");
  EXPECT_EQ(decoder.at("pkts"), 4);
  EXPECT_EQ(decoder.at("bytes"), 160);
  EXPECT_EQ(decoder.at("avg_pkt_size"), 40);
  EXPECT_EQ(decoder.at("max_pkt_size"), 100);
}

}  // namespace
}  // namespace sluice::ids
