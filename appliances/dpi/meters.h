// SPDX-License-Identifier: Apache-2.0
// Token buckets and quotas that all workers share: a client's flows may be with any of them, and
// its limit is still one. No locks: a meter is one word, changed by compare and swap.
//
// Both tables are bounded. A bucket that is full again, and a quota of an earlier day, are as good
// as forgotten, so their places are free. When all places that a key may take are in use, the meter
// that has used up least is given up, and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "inspect/dpi/policy_rule.h"

namespace sluice::dpi {

inline constexpr uint32_t kMetersMax = 1u << 17;  // of each kind; 2 MB
inline constexpr uint32_t kMeterWays = 8;         // places that one key may take

// A token bucket is the time at which it will be full again, in nanoseconds. Takes `bytes` out of
// it, or leaves it as it is and returns false if there are not so many in it.
bool take_tokens(int64_t& full_at_ns, const inspect::Limit& limit, uint32_t bytes, int64_t now_ns);

// One kind of meters: words by key.
class MeterTable {
 public:
  explicit MeterTable(uint32_t places);

  // The key's word. A new key takes a place whose word is below `free_below`, or else the one with
  // the lowest word, and starts with 0.
  std::atomic<int64_t>& at(uint64_t key, int64_t free_below);
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  struct Place {
    std::atomic<uint64_t> key{0};  // 0: empty, 1: changing hands
    std::atomic<int64_t> word{0};
  };
  Place* find(Place* ways, uint64_t key) const;
  bool claim(Place& place, uint64_t& old_key, uint64_t key);

  const uint32_t sets_;
  std::unique_ptr<Place[]> places_;
  std::atomic<uint64_t> evicted_{0};
};

class Meters {
 public:
  explicit Meters(uint32_t places = kMetersMax) : buckets_(places), quotas_(places) {}

  // False if the packet is over the limit.
  bool take(uint64_t key, const inspect::Limit& limit, uint32_t bytes, int64_t now_us);
  // Counts the packet to the day. False if the quota does not cover it: then it covers no later
  // packet of that day either.
  bool charge(uint64_t key, const inspect::Quota& quota, uint32_t bytes, int64_t day);

  uint64_t buckets_evicted() const { return buckets_.evicted(); }
  uint64_t quotas_evicted() const { return quotas_.evicted(); }

 private:
  MeterTable buckets_;
  MeterTable quotas_;
};

}  // namespace sluice::dpi
