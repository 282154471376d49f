// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/address_index.h"

#include <algorithm>
#include <bit>

namespace sluice::inspect {
namespace {

// Prefixes that together hold all addresses of the list; false: it may hold any.
bool covering(const AddressList& list, std::vector<Prefix>& out) {
  bool narrow = false;
  for (const AddressList::Entry& entry : list.entries) {
    if (entry.negated) continue;
    narrow = true;
    if (!entry.leaf.empty()) {
      out.push_back(entry.leaf.front());
    } else if (!covering(entry.list.front(), out)) {
      return false;
    }
  }
  return narrow;
}

int bits_of(const Prefix& prefix) {
  int bits = 0;
  for (const uint32_t word : prefix.mask) bits += std::popcount(word);
  return bits;
}

// The shortest prefix of a list decides how much it tells; -1: nothing.
int narrowness(const std::vector<Prefix>& prefixes) {
  int least = -1;
  for (const Prefix& prefix : prefixes) {
    const int bits = bits_of(prefix) * (prefix.version == 4 ? 4 : 1);
    least = least < 0 ? bits : std::min(least, bits);
  }
  return least;
}

}  // namespace

size_t AddressIndex::Hash::operator()(const Key& key) const {
  uint64_t hash = 0;
  for (const uint32_t word : key) hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 32;
}

AddressIndex::Key AddressIndex::key_of(const uint32_t (&words)[4], const Prefix& mask) {
  Key key{0, 0, 0, 0, mask.version};
  for (size_t i = 0; i < 4; i++) key[i] = words[i] & mask.mask[i];
  return key;
}

void AddressIndex::add(const Rule& rule, uint32_t index) {
  std::vector<Prefix> sources, destinations;
  const bool by_source = !rule.both_ways && covering(rule.source, sources);
  const bool by_destination = !rule.both_ways && covering(rule.destination, destinations);
  if (!by_source && !by_destination) {
    others_.push_back(index);
  } else if (by_source && (!by_destination || narrowness(sources) >= narrowness(destinations))) {
    add_to(sources_, sources, index);
  } else {
    add_to(destinations_, destinations, index);
  }
}

void AddressIndex::add_to(Side& side, const std::vector<Prefix>& prefixes, uint32_t index) {
  for (const Prefix& prefix : prefixes) {
    const auto same = [&](const Length& length) {
      return length.mask.version == prefix.version &&
             std::ranges::equal(length.mask.mask, prefix.mask);
    };
    auto found = std::ranges::find_if(side, same);
    if (found == side.end()) found = side.insert(side.end(), {prefix, {}});
    found->rules[key_of(prefix.words, prefix)].push_back(index);
  }
}

void AddressIndex::find(const Address& source, const Address& destination,
                        CandidateSink& sink) const {
  for (const uint32_t rule : others_) sink.candidate(rule);
  find_in(sources_, source, sink);
  find_in(destinations_, destination, sink);
}

void AddressIndex::find_in(const Side& side, const Address& address, CandidateSink& sink) {
  for (const Length& length : side) {
    if (length.mask.version != address.version) continue;
    const auto found = length.rules.find(key_of(address.words, length.mask));
    if (found == length.rules.end()) continue;
    for (const uint32_t rule : found->second) sink.candidate(rule);
  }
}

}  // namespace sluice::inspect
