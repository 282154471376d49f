// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/rendezvous.h"

#include <algorithm>
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

// Who has a row, or may get it.
struct Candidate {
  uint64_t score = 0;
  uint64_t id = 0;
  uint16_t index = kNone16;
};

Candidate best_of(std::span<const RendezvousTarget> targets, uint64_t row_mix, Candidate best) {
  for (const RendezvousTarget& target : targets) {
    const uint64_t score = mix(row_mix ^ target.id);
    const bool better = score > best.score || (score == best.score && target.id < best.id);
    if (better || best.index == kNone16) best = {score, target.id, target.index};
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
      owner = best_of(remaining.added(), row_mix, {mix(row_mix ^ now->id), now->id, now->index});
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
