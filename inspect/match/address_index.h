// SPDX-License-Identifier: Apache-2.0
// Rules that look only at addresses and ports, found by the addresses: a rule set has hundreds of
// them (lists of known bad hosts), and a packet asks a few hash tables, one for each length of
// prefix that occurs. Most addresses begin as no prefix does, which one bit tells.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "inspect/match/prefilter.h"
#include "inspect/rules/header.h"
#include "inspect/rules/rule.h"

namespace sluice::inspect {

class AddressIndex {
 public:
  void add(const Rule& rule, uint32_t index);

  // Names all rules that may hold between these addresses, and others: what it names is to be
  // checked.
  void find(const Address& source, const Address& destination, CandidateSink& sink) const;

 private:
  using Key = std::array<uint32_t, 5>;  // masked address, version
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  // The prefixes of one length and version.
  struct Length {
    Prefix mask;  // whose mask counts
    std::unordered_map<Key, std::vector<uint32_t>, Hash> rules;
  };
  // The first 16 bits with which addresses in prefixes begin; empty: there are no prefixes.
  using Beginnings = std::vector<bool>;
  struct Side {
    Beginnings beginnings[2];  // IPv4, IPv6
    std::vector<Length> lengths;
  };

  static Key key_of(const uint32_t (&words)[4], const Prefix& mask);
  static void add_to(Side& side, const std::vector<Prefix>& prefixes, uint32_t index);
  static void note_beginnings(Side& side, const Prefix& prefix);
  static void find_in(const Side& side, const Address& address, CandidateSink& sink);

  Side sources_;
  Side destinations_;
  std::vector<uint32_t> others_;  // about any address, or most
};

}  // namespace sluice::inspect
