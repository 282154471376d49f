// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/address_index.h"

#include <arpa/inet.h>

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

uint16_t beginning_of(uint32_t first_word) {
  return static_cast<uint16_t>(ntohl(first_word) >> 16);
}

size_t number_of(uint8_t version) { return version == 4 ? 0 : 1; }

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
    note_beginnings(side, prefix);
    const auto same = [&](const Length& length) {
      return length.mask.version == prefix.version &&
             std::ranges::equal(length.mask.mask, prefix.mask);
    };
    auto found = std::ranges::find_if(side.lengths, same);
    if (found == side.lengths.end()) found = side.lengths.insert(found, {prefix, {}});
    found->rules[key_of(prefix.words, prefix)].push_back(index);
  }
}

void AddressIndex::note_beginnings(Side& side, const Prefix& prefix) {
  Beginnings& beginnings = side.beginnings[number_of(prefix.version)];
  beginnings.resize(size_t{UINT16_MAX} + 1);
  const size_t last = beginning_of(prefix.words[0] | ~prefix.mask[0]);
  for (size_t i = beginning_of(prefix.words[0]); i <= last; i++) beginnings[i] = true;
}

void AddressIndex::find(const Address& source, const Address& destination,
                        CandidateSink& sink) const {
  for (const uint32_t rule : others_) sink.candidate(rule);
  find_in(sources_, source, sink);
  find_in(destinations_, destination, sink);
}

void AddressIndex::find_in(const Side& side, const Address& address, CandidateSink& sink) {
  const Beginnings& beginnings = side.beginnings[number_of(address.version)];
  if (beginnings.empty() || !beginnings[beginning_of(address.words[0])]) return;
  for (const Length& length : side.lengths) {
    if (length.mask.version != address.version) continue;
    const auto found = length.rules.find(key_of(address.words, length.mask));
    if (found == length.rules.end()) continue;
    for (const uint32_t rule : found->second) sink.candidate(rule);
  }
}

}  // namespace sluice::inspect
