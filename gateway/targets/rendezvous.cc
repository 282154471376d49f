// SPDX-License-Identifier: Apache-2.0
#include "gateway/targets/rendezvous.h"

#include <algorithm>
#include <bit>
#include <tuple>

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
  const uint64_t row_mix = mix(row_number + 1);
  uint16_t owner = kNone16;
  uint64_t best = 0;
  for (const RendezvousTarget& target : targets) {
    const uint64_t score = mix(row_mix ^ target.id);
    if (owner == kNone16 || score > best) {
      best = score;
      owner = target.index;
    }
  }
  return owner;
}

uint32_t fill_rows(std::span<row> rows, std::vector<RendezvousTarget> targets, uint32_t now_s) {
  // Equal scores go to the lower id, whatever order the targets came in.
  std::ranges::sort(targets, [](const RendezvousTarget& a, const RendezvousTarget& b) {
    return std::tie(a.id, a.index) < std::tie(b.id, b.index);
  });
  uint32_t moved = 0;
  for (uint32_t i = 0; i < rows.size(); i++) {
    const uint16_t owner = rendezvous_owner(targets, i);
    if (rows[i].target == owner) continue;
    store_row(rows[i], {owner, rows[i].target, now_s});
    moved++;
  }
  return moved;
}

void clear_rows(std::span<row> rows) {
  for (row& place : rows) store_row(place, {kNone16, kNone16, 0});
}

}  // namespace sluice::gateway
