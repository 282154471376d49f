// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/notes.h"

#include <algorithm>
#include <iterator>

namespace sluice::inspect {
namespace {

constexpr uint32_t kWord = 64;

uint64_t mask_of(uint32_t bit) { return uint64_t{1} << bit % kWord; }

}  // namespace

Result<uint32_t> Names::number(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = numbers_.find(name); found != numbers_.end()) return found->second;
  if (numbers_.size() == kNamesMax) return fail("more than 65536 names of bits and numbers");
  const auto number = static_cast<uint32_t>(numbers_.size());
  names_.push_back(&numbers_.emplace(name, number).first->first);
  return number;
}

std::string Names::bare_name(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  const std::string& name = *names_[number];
  return name.substr(name.find(':') + 1);
}

bool FlowNotes::has(uint32_t bit) const {
  return bit / kWord < bits_.size() && (bits_[bit / kWord] & mask_of(bit)) != 0;
}

void FlowNotes::set(uint32_t bit) {
  if (bit / kWord >= bits_.size()) bits_.resize(bit / kWord + 1);
  bits_[bit / kWord] |= mask_of(bit);
}

void FlowNotes::unset(uint32_t bit) {
  if (has(bit)) bits_[bit / kWord] &= ~mask_of(bit);
}

std::vector<uint32_t> FlowNotes::bits() const {
  std::vector<uint32_t> out;
  for (uint32_t bit = 0; bit < bits_.size() * kWord; bit++)
    if (has(bit)) out.push_back(bit);
  return out;
}

std::optional<uint32_t> FlowNotes::number(uint32_t name) const {
  for (const auto& [known, value] : numbers_) {
    if (known == name) return value;
  }
  return std::nullopt;
}

void FlowNotes::set_number(uint32_t name, uint32_t value) {
  for (auto& [known, old] : numbers_) {
    if (known == name) {
      old = value;
      return;
    }
  }
  numbers_.emplace_back(name, value);
}

HostBits::Key HostBits::key(uint32_t bit, const tunnels::tuple& tuple, Who who) {
  std::array<uint32_t, 4> source, destination;
  std::copy(std::begin(tuple.source), std::end(tuple.source), source.begin());
  std::copy(std::begin(tuple.destination), std::end(tuple.destination), destination.begin());
  if (who == Who::kBoth && destination < source) std::swap(source, destination);
  Key key{bit, {}};
  const auto& first = who == Who::kDestination ? destination : source;
  std::copy(first.begin(), first.end(), key.addresses.begin());
  if (who == Who::kBoth)
    std::copy(destination.begin(), destination.end(), key.addresses.begin() + 4);
  return key;
}

bool HostBits::has(const Key& key, int64_t now_us) const {
  const auto found = bits_.find(key);
  return found != bits_.end() && found->second > now_us;
}

void HostBits::set(const Key& key, int64_t until_us) {
  unset(key);
  if (bits_.size() == kHostBitsMax) {
    bits_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
    evicted_++;
  }
  bits_.emplace(key, until_us);
  by_end_.emplace(until_us, key);
}

void HostBits::unset(const Key& key) {
  const auto found = bits_.find(key);
  if (found == bits_.end()) return;
  by_end_.erase({found->second, key});
  bits_.erase(found);
}

void HostBits::expire(int64_t now_us) {
  while (!by_end_.empty() && by_end_.begin()->first <= now_us) {
    bits_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
  }
}

}  // namespace sluice::inspect
