// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/meters.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "appliances/dpi/hold.h"
#include "appliances/dpi/mark.h"
#include "inspect/stream/test_packets.h"

namespace sluice::dpi {
namespace {

using inspect::Limit;
using inspect::Quota;

constexpr int64_t kStart = 1'700'000'000'000'000;

TEST(Meters, ABucketHoldsItsBurstAndFillsAtItsRate) {
  Meters meters(64);
  const Limit limit{1000, 3000};
  EXPECT_TRUE(meters.take(7, limit, 3000, kStart));
  EXPECT_FALSE(meters.take(7, limit, 1, kStart));
  EXPECT_FALSE(meters.take(7, limit, 2, kStart + 1000));
  EXPECT_TRUE(meters.take(7, limit, 1, kStart + 1000));
  EXPECT_TRUE(meters.take(7, limit, 999, kStart + 1'000'000));
  EXPECT_FALSE(meters.take(7, limit, 1, kStart + 1'000'000));
  // It never holds more than the burst, and a packet larger than that never passes.
  EXPECT_FALSE(meters.take(7, limit, 3001, kStart + 1'000'000'000));
  EXPECT_TRUE(meters.take(7, limit, 3000, kStart + 1'000'000'000));
  EXPECT_FALSE(meters.take(7, limit, 1, kStart + 1'000'000'000));
}

// Ten virtual seconds of more than the rate, at several rates and packet sizes.
TEST(Meters, TheRateIsExact) {
  for (const uint64_t rate : {1'000ull, 125'000ull, 12'500'000ull, 1'000'000'000ull}) {
    for (const uint32_t size : {40u, 1500u}) {
      SCOPED_TRACE(std::to_string(rate) + " in " + std::to_string(size));
      Meters meters(64);
      const Limit limit{rate, 3000};
      uint64_t passed = 0;
      constexpr int64_t kSeconds = 10;
      const int64_t packets = 200'000;
      uint64_t offered = 0;
      for (int64_t i = 0; i < packets; i++) {
        const int64_t now = kStart + i * kSeconds * 1'000'000 / packets;
        offered += size;
        if (meters.take(1, limit, size, now)) passed += size;
      }
      const double due = std::min<double>(static_cast<double>(offered),
                                          static_cast<double>(rate) * kSeconds + 3000);
      EXPECT_LE(static_cast<double>(passed), due);
      EXPECT_GE(static_cast<double>(passed), due * 0.95 - size);
    }
  }
}

TEST(Meters, AQuotaEndsAtItsByteAndBeginsAnewWithTheDay) {
  Meters meters(64);
  const Quota quota{.bytes = 1000};
  EXPECT_TRUE(meters.charge(7, quota, 400, 20'000));
  EXPECT_TRUE(meters.charge(7, quota, 600, 20'000));
  EXPECT_FALSE(meters.charge(7, quota, 1, 20'000));
  EXPECT_TRUE(meters.charge(8, quota, 999, 20'000));
  EXPECT_FALSE(meters.charge(8, quota, 2, 20'000));
  EXPECT_FALSE(meters.charge(8, quota, 1, 20'000));  // one did not fit, so none does
  EXPECT_TRUE(meters.charge(7, quota, 1000, 20'001));
  EXPECT_FALSE(meters.charge(7, quota, 1, 20'001));
  const Quota largest{.bytes = uint64_t{1} << 50};
  EXPECT_TRUE(meters.charge(9, largest, UINT32_MAX, 20'001));
  EXPECT_TRUE(meters.charge(0, quota, 1000, -1));  // any key, any day
  EXPECT_FALSE(meters.charge(0, quota, 1, -1));
}

TEST(Meters, AFullTableGivesUpTheLeastUsed) {
  Meters meters(kMeterWays);  // one set
  const Quota quota{.bytes = 1'000'000};
  for (uint64_t key = 10; key < 10 + kMeterWays; key++)
    EXPECT_TRUE(meters.charge(key, quota, static_cast<uint32_t>(key * 100), 5));
  EXPECT_EQ(meters.quotas_evicted(), 0u);
  EXPECT_TRUE(meters.charge(99, quota, 999'999, 5));
  EXPECT_EQ(meters.quotas_evicted(), 1u);
  EXPECT_FALSE(meters.charge(11, quota, 1'000'000 - 1100 + 1, 5));  // is still there
  EXPECT_TRUE(meters.charge(10, quota, 1'000'000, 5));              // was given up, begins anew
  EXPECT_EQ(meters.quotas_evicted(), 2u);
  // Yesterday's are free.
  for (uint64_t key = 200; key < 200 + kMeterWays; key++)
    EXPECT_TRUE(meters.charge(key, quota, 1, 6));
  EXPECT_EQ(meters.quotas_evicted(), 2u);

  const Limit limit{1000, 2000};
  for (uint64_t key = 0; key < 100'000; key++)
    EXPECT_TRUE(meters.take(key * 77, limit, 1500, kStart));
  EXPECT_GT(meters.buckets_evicted(), 99'000u);
  const uint64_t evicted = meters.buckets_evicted();
  // Once they are full again they are free.
  EXPECT_TRUE(meters.take(1'000'000, limit, 1500, kStart + 2'000'000));
  EXPECT_EQ(meters.buckets_evicted(), evicted);
}

// What all threads together get is what one would.
TEST(Meters, ThreadsShareThem) {
  Meters meters(1024);
  const Quota quota{.bytes = 100'000};
  const Limit limit{1, 100'000};
  std::atomic<uint64_t> charged{0}, taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50'000; n++) {
        if (meters.charge(7, quota, 10, 3)) charged += 10;
        if (meters.take(7, limit, 10, kStart)) taken += 10;
        (void)meters.charge(1000 + static_cast<uint64_t>(n % 300), quota, 1, 3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(charged, 100'000u);
  EXPECT_EQ(taken, 100'000u);
}

TEST(Hold, KeepsTheOrderAndItsBounds) {
  HoldPool pool(5000);
  HeldPackets one, two;
  std::vector<uint8_t> packet(1000);
  for (uint8_t i = 0; i < 3; i++) {
    packet[0] = i;
    EXPECT_TRUE(pool.keep(one, packet, 3500, 70 + i));
  }
  EXPECT_FALSE(pool.keep(one, packet, 3500, 80));  // the flow's bound
  EXPECT_EQ(one.since_us(), 70);
  EXPECT_TRUE(pool.keep(two, packet, 3500, 90));
  EXPECT_TRUE(pool.keep(two, packet, 3500, 90));
  EXPECT_FALSE(pool.keep(two, packet, 3500, 90));  // the pool's
  EXPECT_EQ(pool.bytes(), 5000u);
  std::vector<uint8_t> order;
  pool.release(one, [&](std::span<uint8_t> ip) {
    EXPECT_EQ(ip.size(), 1000u);
    order.push_back(ip[0]);
  });
  EXPECT_EQ(order, (std::vector<uint8_t>{0, 1, 2}));
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(pool.bytes(), 2000u);
  pool.discard(two);
  EXPECT_EQ(pool.bytes(), 0u);

  HoldPool large;
  const std::vector<uint8_t> small(40);
  for (size_t i = 0; i < kHoldPacketsMax; i++) EXPECT_TRUE(large.keep(one, small, 65536, 0));
  EXPECT_FALSE(large.keep(one, small, 65536, 0));
  EXPECT_EQ(large.bytes(), kHoldPacketsMax * 40);
}

TEST(Mark, SetsTheCodePointAndKeepsTheChecksum) {
  for (const uint8_t dscp : {0, 1, 46, 63}) {
    auto v4 = inspect::testing::udp({}, "x");
    v4[1] = 0xff;
    tunnels::store_u16(&v4[10], 0);
    tunnels::store_u16(&v4[10], tunnels::checksum_fold(tunnels::checksum_add(0, v4.data(), 20)));
    set_dscp(v4, dscp);
    EXPECT_EQ(v4[1], dscp << 2 | 3);
    EXPECT_EQ(tunnels::checksum_fold(tunnels::checksum_add(0, v4.data(), 20)), 0);

    auto v6 = inspect::testing::udp({"2001:db8::1", "2001:db8::2", 1, 2}, "x");
    v6[0] = 0x6a;
    v6[1] = 0xb7;
    set_dscp(v6, dscp);
    EXPECT_EQ(v6[0] >> 4, 6);
    EXPECT_EQ((v6[0] & 15) << 2 | v6[1] >> 6, dscp);
    EXPECT_EQ(v6[1] & 0x3f, 0x37);
  }
}

}  // namespace
}  // namespace sluice::dpi
