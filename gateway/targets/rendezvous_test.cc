// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/rendezvous.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
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

// A thousand steps of targets that come and go, one to three at a time.
TEST(Rendezvous, RefillingIsFillingAnew) {
  const auto all = targets(40);
  auto rows = empty_rows(512), anew = empty_rows(512);
  std::minstd_rand random(7);
  std::vector<RendezvousTarget> now;
  for (uint32_t step = 1; step <= 1000; step++) {
    const auto before = now;
    for (size_t i = 0; i <= random() % 3; i++) {
      const RendezvousTarget& one = all[random() % all.size()];
      if (std::erase_if(now, [&](const auto& other) { return other.index == one.index; }) == 0)
        now.push_back(one);
    }
    const uint32_t moved = refill_rows(rows, before, now, step);
    ASSERT_EQ(fill_rows(anew, now, step), moved);
    ASSERT_EQ(std::memcmp(rows.data(), anew.data(), rows.size() * sizeof(row)), 0) << step;
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
