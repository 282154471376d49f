// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/meters.h"

#include <algorithm>
#include <bit>

#include "inspect/dpi/policy.h"

namespace sluice::dpi {

namespace {

constexpr uint64_t kEmpty = 0;
constexpr uint64_t kChanging = 1;

// A quota's word: the day above, the bytes below.
constexpr int kBytesBits = 51;
constexpr int64_t kBytesMask = (int64_t{1} << kBytesBits) - 1;
constexpr int64_t kDays = 1 << 12;  // the day modulo this: eleven years
static_assert(inspect::kQuotaBytesMax < kBytesMask);

// Rounded up, so that no bytes are free.
int64_t nanoseconds_of(uint64_t bytes, uint64_t rate) {
  return static_cast<int64_t>((bytes * 1'000'000'000 + rate - 1) / rate);
}

}  // namespace

bool take_tokens(int64_t& full_at_ns, const inspect::Limit& limit, uint32_t bytes, int64_t now_ns) {
  const int64_t taken = std::max(full_at_ns, now_ns) + nanoseconds_of(bytes, limit.rate);
  if (taken - now_ns > nanoseconds_of(limit.burst, limit.rate)) return false;
  full_at_ns = taken;
  return true;
}

MeterTable::MeterTable(uint32_t places)
    : sets_(std::bit_floor(std::max(places, kMeterWays) / kMeterWays)),
      places_(std::make_unique<Place[]>(size_t{sets_} * kMeterWays)) {}

MeterTable::Place* MeterTable::find(Place* ways, uint64_t key) const {
  for (uint32_t i = 0; i < kMeterWays; i++)
    if (ways[i].key.load(std::memory_order_acquire) == key) return &ways[i];
  return nullptr;
}

// The word is 0 before anybody can find it under the new key.
bool MeterTable::claim(Place& place, uint64_t& old_key, uint64_t key) {
  if (!place.key.compare_exchange_strong(old_key, kChanging, std::memory_order_acquire))
    return false;
  place.word.store(0, std::memory_order_relaxed);
  place.key.store(key, std::memory_order_release);
  return true;
}

std::atomic<int64_t>& MeterTable::at(uint64_t key, int64_t free_below) {
  key = std::max(key, kChanging + 1);
  Place* const ways = &places_[size_t{key & (sets_ - 1)} * kMeterWays];
  Place* place = find(ways, key);
  // Two workers may both bring a new key. Each claims a place and then takes the first place with
  // the key, so that both end up at one; the other place runs out like any meter without packets.
  while (place == nullptr) {
    Place* chosen = nullptr;
    uint64_t chosen_key = kChanging;
    int64_t lowest = 0;
    for (uint32_t i = 0; i < kMeterWays; i++) {
      const uint64_t old_key = ways[i].key.load(std::memory_order_acquire);
      if (old_key == kChanging) continue;
      const int64_t word =
          old_key == kEmpty ? INT64_MIN : ways[i].word.load(std::memory_order_relaxed);
      if (chosen != nullptr && word >= lowest) continue;
      chosen = &ways[i];
      chosen_key = old_key;
      lowest = word;
    }
    if (chosen != nullptr && claim(*chosen, chosen_key, key) && lowest >= free_below)
      evicted_.fetch_add(1, std::memory_order_relaxed);
    place = find(ways, key);
  }
  return place->word;
}

bool Meters::take(uint64_t key, const inspect::Limit& limit, uint32_t bytes, int64_t now_us) {
  const int64_t now_ns = now_us * 1000;
  std::atomic<int64_t>& word = buckets_.at(key, now_ns);
  int64_t before = word.load(std::memory_order_relaxed);
  int64_t after;
  do {
    after = before;
    if (!take_tokens(after, limit, bytes, now_ns)) return false;
  } while (!word.compare_exchange_weak(before, after, std::memory_order_relaxed));
  return true;
}

bool Meters::charge(uint64_t key, const inspect::Quota& quota, uint32_t bytes, int64_t day) {
  const int64_t today = ((day % kDays + kDays) % kDays) << kBytesBits;
  std::atomic<int64_t>& word = quotas_.at(key, today);
  int64_t before = word.load(std::memory_order_relaxed);
  int64_t used;
  do {
    used = (before & ~kBytesMask) == today ? before & kBytesMask : 0;
    // Once a packet did not fit, nothing does.
    used = std::min<int64_t>(used + bytes, static_cast<int64_t>(quota.bytes) + 1);
  } while (!word.compare_exchange_weak(before, today | used, std::memory_order_relaxed));
  return used <= static_cast<int64_t>(quota.bytes);
}

}  // namespace sluice::dpi
