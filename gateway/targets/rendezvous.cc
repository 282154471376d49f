// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/rendezvous.h"

#include <algorithm>
#include <array>
#include <bit>

namespace sluice::gateway {
namespace {

// May stand for any struct of eight bytes.
using AnyWord [[gnu::may_alias]] = uint64_t;

// The finaliser of MurmurHash3 (Austin Appleby, public domain): every input bit reaches every
// output bit.
uint64_t mix(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ x >> 33;
}

// Logarithms to the base of 2 are in units of 2^-56.
constexpr int kLogFraction = 56;
constexpr int kLogStepBits = 10;

using Wide = unsigned __int128;

// Of mantissa / 2^63, bit by bit: squaring doubles a logarithm, and what is above 1 is its next
// bit.
uint64_t exact_log(uint64_t mantissa) {
  uint64_t out = 0;
  for (int bit = kLogFraction - 1; bit >= 0; bit--) {
    const Wide square = Wide{mantissa} * mantissa;
    const bool above = (square >> 127) != 0;
    mantissa = static_cast<uint64_t>(square >> (above ? 64 : 63));
    out |= uint64_t{above} << bit;
  }
  return out;
}

using Logs = std::array<uint64_t, (1 << kLogStepBits) + 1>;  // of 1 to 2, in equal steps

Logs make_logs() {
  Logs out;
  for (uint64_t i = 0; i + 1 < out.size(); i++)
    out[i] = exact_log((uint64_t{1} << 63) | i << (63 - kLogStepBits));
  out.back() = uint64_t{1} << kLogFraction;
  return out;
}

// -log(number / 2^64), in straight lines between the steps: no larger for a larger number.
uint64_t minus_log(uint64_t number) {
  static const Logs kLogs = make_logs();
  constexpr int kRestBits = 63 - kLogStepBits;
  number = std::max<uint64_t>(number, 1);
  const int zeros = std::countl_zero(number);
  const uint64_t mantissa = number << zeros;
  const uint64_t step = mantissa >> kRestBits & ((1 << kLogStepBits) - 1);
  const uint64_t rest = mantissa & ((uint64_t{1} << kRestBits) - 1);
  const uint64_t part = (Wide{kLogs[step + 1] - kLogs[step]} * rest) >> kRestBits;
  return (static_cast<uint64_t>(zeros + 1) << kLogFraction) - kLogs[step] - part;
}

// Who has a row, or may get it.
struct Candidate {
  uint64_t number = 0;
  uint64_t id = 0;
  uint16_t index = kNone16;
  uint16_t weight = 1;
};

Candidate candidate(const RendezvousTarget& target, uint64_t row_mix) {
  return {mix(row_mix ^ target.id), target.id, target.index, target.weight};
}

// By the inverse of the score; what that cannot tell apart, by number and id. Most pairs need no
// logarithm: who has the larger number and no less weight is better.
bool is_better(const Candidate& a, const Candidate& b) {
  if (a.number == b.number && a.weight == b.weight) return a.id < b.id;
  if (a.number >= b.number && a.weight >= b.weight) return true;
  if (a.number <= b.number && a.weight <= b.weight) return false;
  const uint64_t of_a = minus_log(a.number) / a.weight;
  const uint64_t of_b = minus_log(b.number) / b.weight;
  return of_a != of_b ? of_a < of_b : a.number > b.number;
}

Candidate best_of(std::span<const RendezvousTarget> targets, uint64_t row_mix, Candidate best) {
  for (const RendezvousTarget& target : targets) {
    const Candidate one = candidate(target, row_mix);
    if (best.index == kNone16 || is_better(one, best)) best = one;
  }
  return best;
}

// The targets that are there before and after, by index; and those that are only there after.
class Remaining {
 public:
  Remaining(std::span<const RendezvousTarget> before, std::span<const RendezvousTarget> after) {
    std::vector<RendezvousTarget> known(before.begin(), before.end());
    std::ranges::sort(known, {}, &RendezvousTarget::index);
    if (!known.empty()) {
      first_ = known.front().index;
      by_index_.resize(known.back().index - first_ + 1u);
    }
    for (const RendezvousTarget& target : after) {
      const auto at = std::ranges::lower_bound(known, target.index, {}, &RendezvousTarget::index);
      if (at != known.end() && *at == target)
        by_index_[target.index - first_] = &target;
      else
        added_.push_back(target);
    }
  }
  const RendezvousTarget* find(uint16_t index) const {
    const size_t at = size_t{index} - first_;  // wraps for those before the first
    return at < by_index_.size() ? by_index_[at] : nullptr;
  }
  std::span<const RendezvousTarget> added() const { return added_; }

 private:
  uint16_t first_ = 0;
  std::vector<const RendezvousTarget*> by_index_;
  std::vector<RendezvousTarget> added_;
};

void store_row(row& place, const row& value) {
  // One 64-bit store: the packet path sees the old row or the new one.
  __atomic_store_n(reinterpret_cast<AnyWord*>(&place), std::bit_cast<uint64_t>(value),
                   __ATOMIC_RELEASE);
}

}  // namespace

uint64_t rendezvous_id(const siphash_key& key, const uint32_t address[4], uint16_t port) {
  siphash_state state;
  siphash_init(&state, &key);
  siphash_word(&state, address[0] | uint64_t{address[1]} << 32);
  siphash_word(&state, address[2] | uint64_t{address[3]} << 32);
  return siphash_finish(&state, port, 18);
}

uint16_t rendezvous_owner(std::span<const RendezvousTarget> targets, uint32_t row_number) {
  return best_of(targets, mix(row_number + 1), {}).index;
}

uint32_t fill_rows(std::span<row> rows, std::span<const RendezvousTarget> targets, uint32_t now_s) {
  return refill_rows(rows, {}, targets, now_s);
}

uint32_t refill_rows(std::span<row> rows, std::span<const RendezvousTarget> before,
                     std::span<const RendezvousTarget> targets, uint32_t now_s) {
  const Remaining remaining(before, targets);
  uint32_t moved = 0;
  for (uint32_t i = 0; i < rows.size(); i++) {
    const uint64_t row_mix = mix(i + 1);
    Candidate owner;
    if (const RendezvousTarget* now = remaining.find(rows[i].target))
      owner = best_of(remaining.added(), row_mix, candidate(*now, row_mix));
    else
      owner = best_of(targets, row_mix, {});
    if (rows[i].target == owner.index) continue;
    store_row(rows[i], {owner.index, rows[i].target, now_s});
    moved++;
  }
  return moved;
}

void clear_rows(std::span<row> rows) {
  for (row& place : rows) store_row(place, {kNone16, kNone16, 0});
}

}  // namespace sluice::gateway
