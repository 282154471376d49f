// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/host_table.h"

#include <algorithm>

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
  sink(in_heap_[host], {hosts_[host].bytes_max(), host});
}

uint64_t HostTable::missed_bytes() const {
  return hosts_.size() < hosts_max_ ? 0 : heap_[0].weight;
}

uint32_t HostTable::place_of(const HostAddress& address) {
  const auto [at, added] = index_.try_emplace(address, uint32_t{});
  if (!added) return at->second;
  if (hosts_.size() < hosts_max_) {
    at->second = static_cast<uint32_t>(hosts_.size());
    hosts_.push_back({address, {}, 0});
    in_heap_.push_back(at->second);
    heap_.emplace_back();
    rise(at->second);
    return at->second;
  }
  const Place smallest = heap_[0];
  at->second = smallest.host;
  index_.erase(hosts_[smallest.host].address);
  hosts_[smallest.host] = {address, {}, smallest.weight};
  return smallest.host;
}

void HostTable::put(size_t at, const Place& place) {
  heap_[at] = place;
  in_heap_[place.host] = static_cast<uint32_t>(at);
}

// A new host, which weighs nothing yet, goes to the top.
void HostTable::rise(uint32_t host) {
  size_t at = heap_.size() - 1;
  for (; at > 0; at = (at - 1) / 2) put(at, heap_[(at - 1) / 2]);
  put(0, {0, host});
}

// `place` goes to `at`, or below it if it is too heavy for that.
void HostTable::sink(size_t at, const Place& place) {
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].weight < heap_[child].weight) child++;
    if (heap_[child].weight >= place.weight) break;
    put(at, heap_[child]);
    at = child;
  }
  put(at, place);
}

}  // namespace sluice::inspect
