// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/host_table.h"

#include <algorithm>
#include <utility>

namespace sluice::inspect {

Amount& Amount::operator+=(const Amount& other) {
  flows += other.flows;
  flows_blocked += other.flows_blocked;
  packets_blocked += other.packets_blocked;
  for (int way = 0; way < 2; way++) {
    packets[way] += other.packets[way];
    bytes[way] += other.bytes[way];
  }
  return *this;
}

size_t HostTable::Hash::operator()(const HostAddress& address) const {
  tunnels::siphash_state state;
  tunnels::siphash_init(&state, &key);
  tunnels::siphash_word(&state, uint64_t{address.words[0]} << 32 | address.words[1]);
  tunnels::siphash_word(&state, uint64_t{address.words[2]} << 32 | address.words[3]);
  return tunnels::siphash_finish(&state, address.version, 17);
}

HostTable::HostTable(size_t hosts_max, const tunnels::siphash_key& key)
    : hosts_max_(std::max<size_t>(hosts_max, 1)), index_(hosts_max_, Hash{key}) {
  hosts_.reserve(hosts_max_);
  heap_.reserve(hosts_max_);
  in_heap_.reserve(hosts_max_);
}

void HostTable::add(const HostAddress& address, const Amount& amount) {
  const uint32_t host = place_of(address);
  hosts_[host].amount += amount;
  sink(in_heap_[host]);
}

uint64_t HostTable::missed_bytes() const { return hosts_.size() < hosts_max_ ? 0 : weight(0); }

uint32_t HostTable::place_of(const HostAddress& address) {
  const auto [at, added] = index_.try_emplace(address, uint32_t{});
  if (!added) return at->second;
  if (hosts_.size() < hosts_max_) {
    at->second = static_cast<uint32_t>(hosts_.size());
    hosts_.push_back({address, {}, 0});
    heap_.push_back(at->second);
    in_heap_.push_back(at->second);
    rise(heap_.size() - 1);
    return at->second;
  }
  const uint32_t smallest = heap_[0];
  at->second = smallest;
  const uint64_t missed = weight(0);
  index_.erase(hosts_[smallest].address);
  hosts_[smallest] = {address, {}, missed};
  return smallest;
}

void HostTable::swap(size_t a, size_t b) {
  std::swap(heap_[a], heap_[b]);
  in_heap_[heap_[a]] = static_cast<uint32_t>(a);
  in_heap_[heap_[b]] = static_cast<uint32_t>(b);
}

void HostTable::sink(size_t at) {
  for (;;) {
    size_t least = at;
    for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_.size(); child++)
      if (weight(child) < weight(least)) least = child;
    if (least == at) return;
    swap(at, least);
    at = least;
  }
}

void HostTable::rise(size_t at) {
  for (; at > 0 && weight(at) < weight((at - 1) / 2); at = (at - 1) / 2) swap(at, (at - 1) / 2);
}

}  // namespace sluice::inspect
