// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/rendezvous.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

namespace sluice::gateway {
namespace {

const siphash_key kKey{1, 2};

std::vector<RendezvousTarget> targets(uint16_t count) {
  std::vector<RendezvousTarget> out;
  for (uint16_t i = 0; i < count; i++) {
    const uint32_t address[4] = {0x0a000000u + i, 0, 0, 0};
    out.push_back({rendezvous_id(kKey, address, 6081), i});
  }
  return out;
}

std::vector<row> empty_rows(size_t count = kApplianceRows) {
  std::vector<row> rows(count);
  clear_rows(rows);
  return rows;
}

TEST(Rendezvous, EachTargetGetsItsShare) {
  auto rows = empty_rows();
  EXPECT_EQ(fill_rows(rows, targets(10), 7), uint32_t{kApplianceRows});
  std::vector<int> share(10);
  for (const row& r : rows) {
    ASSERT_LT(r.target, 10);
    EXPECT_EQ(r.previous, kNone16);
    EXPECT_EQ(r.since_s, 7u);
    share[r.target]++;
  }
  for (int rows_of_one : share) EXPECT_NEAR(rows_of_one, kApplianceRows / 10, kApplianceRows / 200);
}

TEST(Rendezvous, RemovalMovesNoRowOfAnother) {
  auto rows = empty_rows();
  auto all = targets(10);
  fill_rows(rows, all, 1);
  const auto before = rows;
  auto fewer = all;
  fewer.erase(fewer.begin() + 3);
  const uint32_t moved = fill_rows(rows, fewer, 2);
  uint32_t owned = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    if (before[i].target == 3) {
      owned++;
      EXPECT_EQ(rows[i].previous, 3);
      EXPECT_EQ(rows[i].since_s, 2u);
    } else {
      ASSERT_EQ(rows[i].target, before[i].target);
      ASSERT_EQ(rows[i].since_s, 1u);
    }
  }
  EXPECT_EQ(moved, owned);
  // And it gets exactly its own rows back.
  EXPECT_EQ(fill_rows(rows, all, 3), owned);
  for (size_t i = 0; i < rows.size(); i++) ASSERT_EQ(rows[i].target, before[i].target);
}

TEST(Rendezvous, OrderDoesNotMatterAndTheKeyDoes) {
  auto a = empty_rows(4096), b = empty_rows(4096);
  auto list = targets(5);
  fill_rows(a, list, 1);
  std::ranges::reverse(list);
  fill_rows(b, list, 1);
  for (size_t i = 0; i < a.size(); i++) ASSERT_EQ(a[i].target, b[i].target);
  const siphash_key other{1, 3};
  const uint32_t address[4] = {0x0a000000, 0, 0, 0};
  EXPECT_NE(rendezvous_id(kKey, address, 1), rendezvous_id(other, address, 1));
  EXPECT_NE(rendezvous_id(kKey, address, 1), rendezvous_id(kKey, address, 2));
}

TEST(Rendezvous, WithoutTargetsRowsAreNobodys) {
  auto rows = empty_rows(64);
  EXPECT_EQ(fill_rows(rows, {}, 1), 0u);
  fill_rows(rows, targets(2), 1);
  EXPECT_EQ(fill_rows(rows, {}, 2), 64u);
  EXPECT_EQ(rows[5].target, kNone16);
}

// A thousand steps of targets that come, with some weight, and go, one to three at a time.
TEST(Rendezvous, RefillingIsFillingAnew) {
  const auto all = targets(40);
  auto rows = empty_rows(512), anew = empty_rows(512);
  std::minstd_rand random(7);
  std::vector<RendezvousTarget> now;
  for (uint32_t step = 1; step <= 1000; step++) {
    const auto before = now;
    for (size_t i = 0; i <= random() % 3; i++) {
      RendezvousTarget one = all[random() % all.size()];
      one.weight = static_cast<uint16_t>(1 + random() % 3);
      if (std::erase_if(now, [&](const auto& other) { return other.index == one.index; }) == 0)
        now.push_back(one);
    }
    const uint32_t moved = refill_rows(rows, before, now, step);
    ASSERT_EQ(fill_rows(anew, now, step), moved);
    ASSERT_EQ(std::memcmp(rows.data(), anew.data(), rows.size() * sizeof(row)), 0) << step;
  }
}

// Other rows would move flows with an upgrade, and gateways of two versions would not agree.
TEST(Rendezvous, EqualWeightsMakeTheRowsOfNoWeights) {
  const auto digest = [](const std::vector<row>& rows) {
    uint64_t out = 0xcbf29ce484222325;  // FNV-1a
    for (const row& r : rows) out = (out ^ r.target) * 0x100000001b3;
    return out;
  };
  for (const uint16_t weight : {1, 2, 7, 999}) {
    auto all = targets(10);
    for (RendezvousTarget& target : all) target.weight = weight;
    auto rows = empty_rows();
    fill_rows(rows, all, 1);
    EXPECT_EQ(digest(rows), 0xafaf52f921eb1186u) << weight;
  }
}

// Rows that are the same on every machine, as those of equal weights.
TEST(Rendezvous, WeightedRowsAreTheSameEverywhere) {
  auto all = targets(10);
  for (uint16_t i = 0; i < 10; i++) all[i].weight = static_cast<uint16_t>(1 + i * i);
  auto rows = empty_rows();
  fill_rows(rows, all, 1);
  uint64_t digest = 0xcbf29ce484222325;
  for (const row& r : rows) digest = (digest ^ r.target) * 0x100000001b3;
  EXPECT_EQ(digest, 0xf8d75f033159b126u);
}

TEST(Rendezvous, RowsAreSharedOutByWeight) {
  const std::vector<std::vector<uint16_t>> cases = {
      {1, 2}, {1, 1, 2}, {3, 1}, {5, 4, 3, 2, 1}, {100, 50, 50}, {999, 1}, {999, 998, 997}};
  for (const auto& weights : cases) {
    auto all = targets(static_cast<uint16_t>(weights.size()));
    double sum = 0;
    for (size_t i = 0; i < weights.size(); i++) sum += all[i].weight = weights[i];
    auto rows = empty_rows();
    fill_rows(rows, all, 1);
    std::vector<int> share(weights.size());
    for (const row& r : rows) share[r.target]++;
    for (size_t i = 0; i < weights.size(); i++) {
      const double part = weights[i] / sum, rows_in_all = static_cast<double>(kApplianceRows);
      // Four standard deviations of as many throws of a coin.
      const double most = 4 * std::sqrt(rows_in_all * part * (1 - part));
      EXPECT_NEAR(share[i], rows_in_all * part, most) << weights[i] << " of " << sum;
    }
  }
}

TEST(Rendezvous, AChangedWeightMovesOnlyTheDifference) {
  auto all = targets(10);
  for (uint16_t i = 0; i < 10; i++) all[i].weight = static_cast<uint16_t>(10 + i);
  auto rows = empty_rows();
  fill_rows(rows, all, 1);
  for (const uint16_t weight : {6, 26, 999, 12}) {
    const auto before = rows;
    const auto was = all;
    all[3].weight = weight;
    const bool more = weight > was[3].weight;
    const uint32_t moved = refill_rows(rows, was, all, 2);
    EXPECT_GT(moved, 0u);
    for (size_t i = 0; i < rows.size(); i++) {
      if (rows[i].target == before[i].target) continue;
      ASSERT_EQ((more ? rows[i] : before[i]).target, 3) << "row " << i << ", weight " << weight;
    }
    auto anew = empty_rows();
    fill_rows(anew, all, 3);
    for (size_t i = 0; i < rows.size(); i++) ASSERT_EQ(rows[i].target, anew[i].target);
  }
  // Half of one weight of many moves about half of its rows.
  auto halved = all;
  halved[9].weight = 10;  // of 19
  const auto owned = std::ranges::count(rows, 9, &row::target);
  EXPECT_NEAR(refill_rows(rows, all, halved, 4), owned * 9 / 19, owned / 20);
}

TEST(Rendezvous, RemovalMovesNoRowOfAnotherWhateverItsWeight) {
  auto all = targets(10);
  for (uint16_t i = 0; i < 10; i++) all[i].weight = static_cast<uint16_t>(1 + i * 100);
  auto rows = empty_rows();
  fill_rows(rows, all, 1);
  for (uint16_t gone = 0; gone < 10; gone++) {
    const auto before = rows;
    auto fewer = all;
    fewer.erase(fewer.begin() + gone);
    refill_rows(rows, all, fewer, 2);
    for (size_t i = 0; i < rows.size(); i++)
      ASSERT_TRUE(before[i].target == gone || rows[i].target == before[i].target) << gone;
    refill_rows(rows, fewer, all, 3);
    for (size_t i = 0; i < rows.size(); i++) ASSERT_EQ(rows[i].target, before[i].target);
  }
}

TEST(Rendezvous, AHundredTargetsAreQuick) {
  auto rows = empty_rows();
  const auto start = std::chrono::steady_clock::now();
  fill_rows(rows, targets(100), 1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(took.count()));
#ifdef NDEBUG
  EXPECT_LT(took.count(), 1.0);
#endif
}

}  // namespace
}  // namespace sluice::gateway
